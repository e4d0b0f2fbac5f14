"""What images have in common."""

from __future__ import annotations

from msgspec.structs import replace

from apiserver.engine.images.sizes import shared_bytes
from apiserver.engine.ports.images import Layer
from tests.fakes.images import image

BASE, ONE, OTHER = Layer("base", "sha256:1", 100), Layer("one", "sha256:2", 20), Layer("other", "sha256:2", 20)


def test_layers_that_several_images_have_are_shared_and_the_same_files_over_other_parents_are_not() -> None:
    first = replace(image("first"), layers=(BASE, ONE))
    second = replace(image("second"), layers=(BASE,))
    third = replace(image("third"), layers=(OTHER,))
    assert shared_bytes([first, second, third]) == {first.id: 100, second.id: 100, third.id: 0}


def test_two_images_of_the_same_layers_share_all_and_one_alone_shares_nothing() -> None:
    first, second = (replace(image(name), layers=(BASE, ONE)) for name in ("first", "second"))
    assert shared_bytes([first, second]) == {first.id: 120, second.id: 120}
    assert shared_bytes([first]) == {first.id: 0}
