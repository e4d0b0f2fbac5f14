"""What every `ImageSource` does, the fake and this machine's store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_twisted

from apiserver.engine.names import canonical_name
from apiserver.engine.ports.images import ImageConfig, ImageSource, NewImage, SavedImage, SaveForm
from apiserver.errors import ImageRemovedUnderneath, InvalidParameter, NoSuchImage
from tests.fakes.images import FakeImageSource, archive_of
from tests.support.bytes_source import Pieces
from tests.support.image_archive import Entry, TestImage, docker_archive, layer
from tests.support.image_stores import RealStore

NEW = NewImage(ImageConfig(cmd=("sh",)), datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), comment="made")
A, B = "docker.io/library/a:1", "docker.io/library/b:1"


@dataclass
class Subject:
    """A source, and how its archives and layers are written: of one image for each list of names, never the same."""

    source: ImageSource
    archive: Callable[..., bytes]
    layer: bytes


def _real_archive(*names: list[str]) -> bytes:
    return docker_archive(
        *(TestImage((layer([Entry("x", repr(each).encode())]),), tuple(each)) for each in names),
    )


def _fake_archive(*names: list[str]) -> bytes:
    return archive_of(*((repr(each), each) for each in names))


@pytest.fixture(params=["fake", "local"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "fake":
        yield Subject(FakeImageSource(), _fake_archive, b"tar")
        return
    real = RealStore(tmp_path)
    yield Subject(real.store, _real_archive, layer([Entry("x", b"1")]))
    real.unmount()


@pytest_twisted.ensureDeferred
async def test_what_is_loaded_is_there_with_its_names(subject: Subject) -> None:
    loaded = await subject.source.load(Pieces(subject.archive([A, B], [])), canonical_name)
    assert [each.names for each in loaded] == [(A, B), ()]
    images = await subject.source.images()
    assert set(images[loaded[0].id].names) == {A, B}
    assert images[loaded[1].id].names == ()
    assert await subject.source.images() is images


@pytest_twisted.ensureDeferred
async def test_rubbish_changes_nothing(subject: Subject) -> None:
    for call in (
        subject.source.load(Pieces(b"rubbish"), canonical_name),
        subject.source.import_layer(Pieces(b"rubbish"), NEW, A),
    ):
        with pytest.raises(InvalidParameter):
            await call
    assert dict(await subject.source.images()) == {}


@pytest_twisted.ensureDeferred
async def test_an_import_has_its_configuration_and_takes_its_name(subject: Subject) -> None:
    (old,) = await subject.source.load(Pieces(subject.archive([A])), canonical_name)
    image_id = await subject.source.import_layer(Pieces(subject.layer), NEW, A)
    images = await subject.source.images()
    assert (images[image_id].names, images[image_id].config.cmd) == ((A,), ("sh",))
    assert images[old.id].names == ()


@pytest_twisted.ensureDeferred
async def test_an_import_of_nothing_is_an_image_without_files(subject: Subject) -> None:
    image_id = await subject.source.import_layer(Pieces(b""), NEW, A)
    assert (await subject.source.images())[image_id].size_bytes == 0


@pytest_twisted.ensureDeferred
async def test_a_name_moves_and_goes_and_the_image_stays(subject: Subject) -> None:
    first, second = await subject.source.load(Pieces(subject.archive([A], [B])), canonical_name)
    await subject.source.tag(second.id, A)
    images = await subject.source.images()
    assert (images[first.id].names, set(images[second.id].names)) == ((), {A, B})
    for name in (A, B, B):
        await subject.source.untag(second.id, name)
    assert (await subject.source.images())[second.id].names == ()


@pytest_twisted.ensureDeferred
async def test_a_removed_image_is_gone_whatever_its_names(subject: Subject) -> None:
    (one,) = await subject.source.load(Pieces(subject.archive([A, B])), canonical_name)
    await subject.source.verify(one.id)
    assert await subject.source.remove(one.id) == [one.id]
    assert dict(await subject.source.images()) == {}
    with pytest.raises(ImageRemovedUnderneath):
        await subject.source.verify(one.id)
    with pytest.raises(NoSuchImage):
        await subject.source.remove(one.id)
    with pytest.raises(NoSuchImage):
        await subject.source.tag(one.id, A)
    await subject.source.untag(one.id, A)


@pytest_twisted.ensureDeferred
async def test_what_is_saved_can_be_loaded_with_the_names_that_were_asked_for(subject: Subject) -> None:
    loaded = await subject.source.load(Pieces(subject.archive([A, B], [])), canonical_name)
    pieces: list[bytes] = []

    async def sink(piece: bytes) -> None:
        pieces.append(piece)

    await subject.source.save([SavedImage(loaded[0].id, (B,)), SavedImage(loaded[1].id)], SaveForm(), sink)
    for each in loaded:
        await subject.source.remove(each.id)
    again = await subject.source.load(Pieces(b"".join(pieces)), canonical_name)
    assert [(each.id, each.names) for each in again] == [(loaded[0].id, (B,)), (loaded[1].id, ())]


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_where_an_image_is_not_there(subject: Subject) -> None:
    (one,) = await subject.source.load(Pieces(subject.archive([A])), canonical_name)

    async def sink(_: bytes) -> None:
        raise AssertionError

    with pytest.raises(ImageRemovedUnderneath):
        await subject.source.save([SavedImage(one.id, (A,)), SavedImage("0" * 64)], SaveForm(), sink)
