"""Platforms as clients write them: the same things that Docker's parser takes for the same."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from apiserver.engine.images.platform import OtherPlatform, check_platform, parse_platform, platform_warning
from apiserver.errors import InvalidParameter
from tests.fakes.images import image


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", "linux//"),
        ("linux", "linux//"),
        ("amd64", "linux/amd64/"),
        ("Linux/X86_64", "linux/amd64/"),
        ("linux/x86-64", "linux/amd64/"),
        ("linux/amd64/v1", "linux/amd64/"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("linux/aarch64", "linux/arm64/"),
        ("linux/arm64/v8", "linux/arm64/"),
        ("linux/arm64/8", "linux/arm64/"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("arm/7", None),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/i386", "linux/386/"),
        ("linux/foo", "linux/foo/"),
        ("foo", None),
        ("windows/amd64", None),
        ("linux/arm/v7/x", None),
        ("linux/", None),
        ("linux/../x", None),
    ],
)
def test_what_stands_for_the_same_is_the_same(text: str, read: str | None) -> None:
    if read is None:
        with pytest.raises(InvalidParameter, match="platform"):
            parse_platform(text)
    else:
        assert "/".join(parse_platform(text)) == read


@pytest.mark.parametrize("asked", ["amd64", "linux/x86_64", "linux/amd64/v1", "linux", "linux/amd64/v2"])
def test_an_image_fits_however_its_platform_is_written(asked: str) -> None:
    check_platform("box", image("box"), asked)


@pytest.mark.parametrize("asked", ["arm64", "linux/armhf", "linux/i386"])
def test_an_image_of_another_platform_does_not(asked: str) -> None:
    with pytest.raises(OtherPlatform, match=f"wanted {asked}, actual: linux/amd64"):
        check_platform("box", image("box"), asked)


def test_a_variant_that_both_name_has_to_be_the_same() -> None:
    v6 = replace(image("box"), architecture="arm", variant="v6")
    check_platform("box", v6, "linux/armel")
    with pytest.raises(OtherPlatform):
        check_platform("box", v6, "linux/arm/v7")


@pytest.mark.parametrize(
    ("architecture", "variant", "machine", "shown"),
    [
        ("arm64", "", "x86_64", "(linux/arm64) does not match the detected host platform (linux/amd64)"),
        ("arm64", "v8", "x86_64", "(linux/arm64/v8) does not match the detected host platform (linux/amd64)"),
        ("amd64", "", "aarch64", "(linux/amd64) does not match the detected host platform (linux/arm64)"),
        ("amd64", "", "x86_64", ""),
        ("amd64", "v2", "x86_64", ""),
        ("386", "", "x86_64", ""),
        ("arm", "v7", "aarch64", ""),
        ("arm", "v7", "armv7l", ""),
        ("riscv64", "", "riscv64", ""),
        ("", "", "x86_64", ""),
    ],
)
def test_an_image_of_another_processor_is_warned_of_in_dockers_words(
    architecture: str, variant: str, machine: str, shown: str
) -> None:
    found = replace(image("a:latest"), os="linux", architecture=architecture, variant=variant)
    words = platform_warning(found, machine)
    assert words == (f"The requested image's platform {shown} and no specific platform was requested" if shown else "")
