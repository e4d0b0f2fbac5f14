"""The image store with the real skopeo and buildah."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import stat
import tarfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from apiserver.drivers.linux.mounts import unmount_now
from apiserver.drivers.process import Programs
from apiserver.engine.names import canonical_name
from apiserver.engine.ports.images import ImageConfig, NewImage
from apiserver.errors import ImageRemovedUnderneath, InvalidParameter, NoSuchImage, ProgramMissing
from apiserver.local.images.reader import StoreReader
from apiserver.local.images.spool import NoRoom, Spool
from tests.support.bytes_source import Pieces
from tests.support.image_archive import (
    ARCHITECTURE,
    Entry,
    TestImage,
    busybox_image,
    busybox_layer,
    docker_archive,
    layer,
    oci_archive,
    tar_of,
)
from tests.support.image_stores import RealStore, in_thread, real_store

try:
    from compression import zstd  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    from backports import zstd

T = TypeVar("T")

HUB = "docker.io/library"
ONE = TestImage((layer([Entry("x", b"1")]),), ("one:1", "one:2"), {"Labels": {"a": "b"}})
TWO = TestImage((layer([Entry("x", b"1")]), layer([Entry("y", b"2")])))
NEW = NewImage(ImageConfig(cmd=("sh",), env=("A=b",)), datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), comment="made")


@pytest_twisted.ensureDeferred
async def test_nothing_of_a_store_is_open_to_others(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        await real.store.load(Pieces(docker_archive(ONE)), canonical_name)
        roots = (real.paths.root, real.paths.runroot)
        for directory in (*roots, *(path for root in roots for path in root.iterdir() if path.is_dir())):
            assert (directory, stat.S_IMODE(directory.stat().st_mode)) == (directory, 0o700)


@pytest_twisted.ensureDeferred
async def test_a_missing_store_is_empty(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        assert dict(await real.store.images()) == {}
        with pytest.raises(ImageRemovedUnderneath):
            await real.store.verify("0" * 64)


@pytest_twisted.ensureDeferred
async def test_an_archive_of_several_images_is_loaded_with_all_names(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        loaded = await real.store.load(Pieces(docker_archive(ONE, TWO)), canonical_name)
        assert [(each.id, each.names) for each in loaded] == [
            (ONE.id, (f"{HUB}/one:1", f"{HUB}/one:2")),
            (TWO.id, ()),
        ]
        images = await real.store.images()
        one, two = images[ONE.id], images[TWO.id]
        assert (set(one.names), one.config.labels, one.architecture) == (
            {f"{HUB}/one:1", f"{HUB}/one:2"},
            {"a": "b"},
            ARCHITECTURE,
        )
        assert (two.names, len(two.layers), len(two.history)) == ((), 2, 2)
        directories = await real.store.lower_directories(TWO.id)
        assert [sorted(path.name for path in directory.iterdir()) for directory in directories] == [["y"], ["x"]]


@pytest_twisted.ensureDeferred
async def test_an_oci_archive_is_loaded_alike(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        loaded = await real.store.load(Pieces(oci_archive(ONE, TWO)), canonical_name)
        assert [(each.id, each.names) for each in loaded] == [
            (ONE.id, (f"{HUB}/one:1", f"{HUB}/one:2")),
            (TWO.id, ()),
        ]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
@pytest_twisted.ensureDeferred
async def test_an_archive_may_be_compressed(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    async with real_store(tmp_path) as real:
        assert (await real.store.load(Pieces(compress(docker_archive(ONE))), canonical_name))[0].id == ONE.id
        image_id = await real.store.import_layer(Pieces(compress(ONE.layers[0])), NEW, None)
        assert (await real.store.images())[image_id].layers[0].diff_digest == json.loads(ONE.config_json)["rootfs"][
            "diff_ids"
        ][0]


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"rubbish" * 10_000,
        gzip.compress(docker_archive(ONE))[:-100],
        docker_archive(ONE)[:4000],
        tar_of({"manifest.json": b'[{"Config": "x.json", "Layers": ["nope.tar"]}]'}),
        tar_of({"manifest.json": b'[{"Config": "../../../../etc/passwd", "Layers": ["/etc/passwd"]}]'}),
        tar_of({"index.json": json.dumps({"manifests": [{"digest": "sha256:" + "a" * 64, "size": 3}]}).encode()}),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_broken_archive_is_refused_and_nothing_changed(tmp_path: Path, archive: bytes) -> None:
    async with real_store(tmp_path) as real:
        with pytest.raises(InvalidParameter):
            await real.store.load(Pieces(archive), canonical_name)
        assert dict(await real.store.images()) == {}


@pytest_twisted.ensureDeferred
async def test_an_image_of_another_system_is_refused_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    windows = TestImage((layer([Entry("w", b"w")]),), ("win:1",), top={"os": "windows"})
    async with real_store(tmp_path) as real:
        for archive in (docker_archive(ONE, windows), oci_archive(ONE, windows)):
            with pytest.raises(InvalidParameter, match="cannot load windows image on linux"):
                await real.store.load(Pieces(archive), canonical_name)
            assert await real.store.images() == {}


@pytest_twisted.ensureDeferred
async def test_a_blob_with_another_digest_is_refused(tmp_path: Path) -> None:
    """Class 19: what is stored under a digest must have it."""
    whole = oci_archive(ONE)
    swapped = whole.replace(ONE.layers[0], layer([Entry("x", b"6")]))
    assert swapped != whole
    async with real_store(tmp_path) as real:
        with pytest.raises(InvalidParameter):
            await real.store.load(Pieces(swapped), canonical_name)
        assert dict(await real.store.images()) == {}


@pytest_twisted.ensureDeferred
async def test_a_load_that_fails_half_way_puts_every_name_back(tmp_path: Path) -> None:
    newer = TestImage((layer([Entry("x", b"newer")]),), ("one:1", "fresh:1"))
    good = docker_archive(newer)
    with tarfile.open(fileobj=io.BytesIO(good)) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    manifest = json.loads(files["manifest.json"])
    manifest.append({"Config": manifest[0]["Config"], "RepoTags": ["bad:1"], "Layers": ["missing.tar"]})
    files["manifest.json"] = json.dumps(manifest).encode()
    async with real_store(tmp_path) as real:
        await real.store.load(Pieces(docker_archive(ONE)), canonical_name)
        before = (await real.store.images())[ONE.id]
        with pytest.raises(InvalidParameter):
            await real.store.load(Pieces(tar_of(files)), canonical_name)
        images = await real.store.images()
        assert list(images) == [ONE.id]
        assert set(images[ONE.id].names) == set(before.names)
        assert await real.store.load(Pieces(good), canonical_name)


@pytest_twisted.ensureDeferred
async def test_loads_at_the_same_time_all_come_in(tmp_path: Path) -> None:
    images = [TestImage((layer([Entry("x", str(n).encode())]),), (f"many:{n}",)) for n in range(6)]
    async with real_store(tmp_path) as real:
        loads = [
            Deferred.fromCoroutine(real.store.load(Pieces(docker_archive(image)), canonical_name))
            for image in (*images, *images)
        ]
        await gatherResults(loads, consumeErrors=True)
        assert set(await real.store.images()) == {image.id for image in images}


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_leaves_nothing(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        with pytest.raises(ConnectionError):
            await real.store.load(Pieces(docker_archive(ONE)[:5000], error=ConnectionError("gone")), canonical_name)
        never: Deferred[bytes] = Deferred()

        class Stuck:
            async def read(self) -> bytes:
                return await never

        loading = Deferred.fromCoroutine(real.store.load(Stuck(), canonical_name))
        await deferLater(reactor, 0.1)
        loading.cancel()
        with pytest.raises(CancelledError):
            await loading
        assert dict(await real.store.images()) == {}


@pytest_twisted.ensureDeferred
async def test_what_an_earlier_life_left_in_the_spool_is_cleaned(tmp_path: Path) -> None:
    real = RealStore(tmp_path)
    (real.paths.spool / "upload-x").mkdir()
    (real.paths.spool / "upload-x" / "archive.tar").write_bytes(b"1")
    real.spool.clean()
    assert list(real.paths.spool.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_a_spooled_stream_is_for_nobody_else(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real, real.spool.workplace() as place:
        spooled = await real.spool.take(Pieces(b"secret"), place / "x")
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert stat.S_IMODE(spooled.path.stat().st_mode) == 0o600


@pytest_twisted.ensureDeferred
async def test_a_workplace_whose_maker_is_cancelled_goes_with_him(tmp_path: Path) -> None:
    going, ended = threading.Event(), threading.Event()

    def slowly(work: Callable[[], T], /) -> Deferred[T]:
        def run() -> T:
            going.wait(10)
            try:
                return work()
            finally:
                ended.set()

        return deferToThread(run)

    spool = Spool(tmp_path / "spool", slowly)
    spool.clean()

    async def use() -> None:
        async with spool.workplace():
            raise AssertionError("nobody is left to use it")

    using = Deferred.fromCoroutine(use())
    using.cancel()
    going.set()
    with pytest.raises(CancelledError):
        await using
    await deferToThread(ended.wait)
    assert list((tmp_path / "spool").iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_a_layer_becomes_an_image_with_its_configuration(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        image_id = await real.store.import_layer(Pieces(busybox_layer()), NEW, f"{HUB}/imported:1")
        image = (await real.store.images())[image_id]
        assert (image.names, image.config.cmd, image.config.env) == ((f"{HUB}/imported:1",), ("sh",), ("A=b",))
        assert (image.created, image.architecture, image.history[0].comment) == (NEW.created, ARCHITECTURE, "made")
        (directory,) = await real.store.lower_directories(image_id)
        assert (directory / "bin/busybox").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("data", [b"no tar" * 1000, busybox_layer()[:100_000], gzip.compress(b"no tar")])
@pytest_twisted.ensureDeferred
async def test_a_layer_that_is_no_tar_is_refused(tmp_path: Path, data: bytes) -> None:
    async with real_store(tmp_path) as real:
        with pytest.raises(InvalidParameter):
            await real.store.import_layer(Pieces(data), NEW, f"{HUB}/imported:1")
        assert dict(await real.store.images()) == {}


@pytest_twisted.ensureDeferred
async def test_names_move_come_and_go_and_the_last_leaves_the_image(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        await real.store.load(Pieces(docker_archive(ONE, TWO)), canonical_name)
        await real.store.tag(TWO.id, f"{HUB}/one:2")
        await real.store.tag(TWO.id, "localhost/two:1")
        images = await real.store.images()
        assert images[ONE.id].names == (f"{HUB}/one:1",)
        assert set(images[TWO.id].names) == {f"{HUB}/one:2", "localhost/two:1"}
        await real.store.untag(ONE.id, f"{HUB}/one:1")
        await real.store.untag(ONE.id, f"{HUB}/one:1")
        images = await real.store.images()
        assert images[ONE.id].names == ()
        await real.store.tag(ONE.id, f"{HUB}/one:1")
        assert (await real.store.images())[ONE.id].names == (f"{HUB}/one:1",)
        with pytest.raises(NoSuchImage):
            await real.store.tag("0" * 64, f"{HUB}/x:1")


@pytest_twisted.ensureDeferred
async def test_a_removed_image_is_gone_with_its_layers(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        await real.store.load(Pieces(docker_archive(ONE, TWO)), canonical_name)
        (directory,) = await real.store.lower_directories(ONE.id)
        assert await real.store.remove(TWO.id) == [TWO.id]
        assert directory.is_dir()
        assert await real.store.remove(ONE.id) == [ONE.id]
        assert not directory.exists()
        with pytest.raises(NoSuchImage):
            await real.store.remove(ONE.id)


@pytest_twisted.ensureDeferred
async def test_an_ancestor_that_lost_its_names_goes_with_the_last_that_needs_it(tmp_path: Path) -> None:
    three = TestImage((*TWO.layers, layer([Entry("z", b"3")])), ("three:1",))
    other = TestImage((*ONE.layers, layer([Entry("other", b"4")])), ("other:1",))
    async with real_store(tmp_path) as real:
        await real.store.load(Pieces(docker_archive(ONE, TWO, three, other)), canonical_name)
        for name in ("one:1", "one:2"):
            await real.store.untag(ONE.id, f"{HUB}/{name}")
        assert await real.store.remove(three.id, keep=[TWO.id]) == [three.id]
        assert await real.store.remove(TWO.id) == [TWO.id], "another one is built upon its parent"
        assert await real.store.remove(other.id) == [other.id, ONE.id]
        assert dict(await real.store.images()) == {}


@pytest_twisted.ensureDeferred
async def test_a_parent_that_goes_leaves_its_layers_to_its_children(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        await real.store.load(Pieces(docker_archive(ONE, TWO)), canonical_name)
        assert await real.store.remove(ONE.id) == [ONE.id]
        assert [directory.is_dir() for directory in await real.store.lower_directories(TWO.id)] == [True, True]
        assert await real.store.remove(TWO.id) == [TWO.id]


@pytest_twisted.ensureDeferred
async def test_what_another_tool_builds_is_seen_with_its_steps_and_what_it_removes_is_told(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        base = busybox_image("base:1")
        await real.store.load(Pieces(docker_archive(base)), canonical_name)
        (tmp_path / "Containerfile").write_text(f"FROM {HUB}/base:1\nENV A=1\nLABEL b=c\n")
        build = ("bud", "--layers", "--isolation", "chroot", "--pull-never", "-q", "-t", f"{HUB}/built:1")
        real.buildah(*build, "-f", str(tmp_path / "Containerfile"), str(tmp_path))
        images = await real.store.images()
        (built,) = [image for image in images.values() if f"{HUB}/built:1" in image.names]
        step = images[built.parent or ""]
        assert (step.intermediate, step.names, step.parent) == (True, (), base.id)
        assert (built.intermediate, images[base.id].intermediate) == (False, False)
        assert await real.store.remove(built.id, keep=[step.id]) == [built.id]
        assert step.id in await real.store.images()
        real.buildah("rmi", "--force", "--all")
        for image_id in (built.id, base.id):
            with pytest.raises(ImageRemovedUnderneath):
                await real.store.verify(image_id)


@pytest_twisted.ensureDeferred
async def test_a_layer_directory_that_went_is_told_before_a_start(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        await real.store.load(Pieces(docker_archive(ONE)), canonical_name)
        (directory,) = await real.store.lower_directories(ONE.id)
        unmount_now(real.address.root / "overlay", detach=True)
        directory.rename(directory.with_name("elsewhere"))
        with pytest.raises(ImageRemovedUnderneath, match="image removed underneath"):
            await real.store.verify(ONE.id)


@pytest_twisted.ensureDeferred
async def test_a_manifest_list_is_no_image_and_a_broken_record_hides_only_itself(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        await real.store.load(Pieces(docker_archive(ONE, TWO)), canonical_name)
        real.buildah("manifest", "create", "localhost/list:1")
        assert set(await real.store.images()) == {ONE.id, TWO.id}
        records = (real.address.root / "overlay-images" / ONE.id).iterdir()
        (config,) = [path for path in records if b'"rootfs"' in path.read_bytes()]
        config.write_text('{"config": {"Env": 5}}')
        assert set(await StoreReader(real.files, in_thread).images()) == {TWO.id}


@pytest_twisted.ensureDeferred
async def test_a_missing_program_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    async with real_store(tmp_path, Programs(reactor, search_path=[str(tmp_path)])) as real:
        with pytest.raises(ProgramMissing, match="skopeo"):
            await real.store.load(Pieces(docker_archive(ONE)), canonical_name)


@pytest_twisted.ensureDeferred
async def test_a_full_disk_is_the_hosts_fault_and_not_the_archives(tmp_path: Path) -> None:
    for program in ("buildah", "env", "setpriv"):
        (tmp_path / program).symlink_to(Programs(reactor).find(program))
    full = tmp_path / "skopeo"
    full.write_text('#!/bin/sh\necho \'time="" level=fatal msg="write /x: no space left on device"\' >&2\nexit 1\n')
    full.chmod(0o755)
    async with real_store(tmp_path, Programs(reactor, search_path=[str(tmp_path)])) as real:
        with pytest.raises(NoRoom, match="no space left on device"):
            await real.store.load(Pieces(docker_archive(ONE)), canonical_name)


def peak_kib() -> int:
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


def forget_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return peak_kib()


def big_layer(megabytes: int) -> Iterator[bytes]:
    member = tarfile.TarInfo("big")
    member.size = megabytes << 20
    yield member.tobuf(tarfile.GNU_FORMAT)
    piece = bytes(range(256)) * 256
    for _ in range(megabytes << 4):
        yield piece
    yield bytes(1024)


@pytest_twisted.ensureDeferred
async def test_a_large_layer_costs_room_on_disk_and_no_memory(tmp_path: Path) -> None:
    async with real_store(tmp_path) as real:
        await real.store.import_layer(Pieces(busybox_layer()), NEW, None)
        before = forget_peak()
        image_id = await real.store.import_layer(Pieces(big_layer(384)), NEW, None)
        assert peak_kib() - before < 30 * 1024
        assert (await real.store.images())[image_id].size_bytes > 384 << 20
        await real.store.remove(image_id)


@pytest_twisted.ensureDeferred
async def test_a_bomb_costs_no_memory_either(tmp_path: Path) -> None:
    """Class 20: a few kilobytes that become half a gigabyte."""
    out = io.BytesIO()
    with gzip.open(out, "wb", compresslevel=1) as bomb:
        member = tarfile.TarInfo("zeros")
        member.size = 512 << 20
        bomb.write(member.tobuf())
        for _ in range(512):
            bomb.write(bytes(1 << 20))
    async with real_store(tmp_path) as real:
        before = forget_peak()
        with pytest.raises(InvalidParameter):
            await real.store.load(Pieces(out.getvalue()), canonical_name)
        assert peak_kib() - before < 30 * 1024
