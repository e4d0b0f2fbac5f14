"""What every `Registry` does, the fake and this machine's by skopeo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred

from apiserver.drivers.skopeo import RegistryFiles, Skopeo
from apiserver.engine.names import parse_reference
from apiserver.engine.ports.images import ImageSource
from apiserver.engine.ports.registry import (
    Credentials,
    LayerPhase,
    LayerProgress,
    Platform,
    PushFormat,
    Reference,
    Registry,
    RegistryAccess,
    RemoteBlob,
    RemoteImage,
    RemoteManifest,
)
from apiserver.errors import NoSuchRemoteImage, RegistryRefused
from apiserver.local.images.pulled import PulledFile
from apiserver.local.registries.platforms import host_platform
from apiserver.local.registries.service import LocalRegistry
from tests.fakes.images import FakeImageSource, image
from tests.fakes.registry import FakeRegistry
from tests.support.image_archive import Entry, TestImage, layer
from tests.support.image_stores import RealStore, in_thread
from tests.support.registry import PASSWORD, USERNAME, docker_registry

IMAGE = TestImage(tuple(layer([Entry(name, name.encode() * 1000)]) for name in "ab"))
KNOWN, WRONG = Credentials(USERNAME, PASSWORD), Credentials(USERNAME, "wrong")
HERE = Platform()


@dataclass
class Subject:
    """A registry at `host` that has the image `box:1`, lets in who is `KNOWN`, and has an alias `short` for `box`.

    The repository `tags` has the tags `1` and `2`.

    Attributes:
        going: to be called after a fetch or a push has begun: lets it come to its end.
    """

    registry: Registry
    source: ImageSource
    host: str
    going: Callable[[], None]

    @property
    def access(self) -> RegistryAccess:
        return RegistryAccess({self.host: KNOWN}, tls_verify=False)

    def name(self, rest: str) -> Reference:
        return parse_reference(f"{self.host}/{rest}")

    async def look(self, rest: str, access: RegistryAccess | None = None) -> RemoteImage:
        async with self.registry.visit(self.name(rest), access or self.access) as visit:
            return await visit.look(HERE)

    async def fetched(self, watch: Callable[[LayerProgress], None] = lambda _: None) -> str:
        async with self.registry.visit(self.name("box:1"), self.access) as visit:
            fetching = Deferred.fromCoroutine(visit.fetch(await visit.look(HERE), watch))
            self.going()
            return await fetching


def _fake() -> Subject:
    source = FakeImageSource()
    registry = FakeRegistry(source)
    host = "r.example:5000"
    name = f"{host}/box:1"
    digest = "sha256:" + "d" * 64
    layers = tuple(RemoteBlob("sha256:" + each * 64, 1000) for each in "ab")
    for each in (name, f"{host}/tags:1", f"{host}/tags:2"):
        registry.remote[each] = RemoteImage(digest, digest, layers)
    registry.known[host] = KNOWN
    registry.closed = True
    registry.short["short:1"] = (name,)

    def going() -> None:
        while registry.fetches:
            _, watch, done = registry.fetches.pop()
            for each in layers:
                watch(LayerProgress(each.digest, LayerPhase.COMPLETE, 1000, 1000))
            done.callback(image("box", name))
        while registry.pushes:
            *_, watch_sent, pushed = registry.pushes.pop()
            watch_sent(1000)
            pushed.callback(RemoteManifest(digest, 100))

    return Subject(registry, source, host, going)


@pytest.fixture(params=["fake", "local"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "fake":
        yield _fake()
        return
    real = RealStore(tmp_path / "store")
    with docker_registry(tmp_path / "registry", protected=True) as there:
        there.put_image("box", "1", IMAGE)
        for tag in "12":
            there.put_image("tags", tag, IMAGE)
        conf = tmp_path / "registries.conf"
        conf.write_text(f'[aliases]\nshort = "{there.host}/box"\n')
        registry = LocalRegistry(
            Skopeo(real.programs, real.address),
            real.programs,
            RegistryFiles(registries=conf),
            real.reader,
            real.store,
            PulledFile(tmp_path / "pulled.json"),
            real.spool,
            in_thread,
            reactor,
            host_platform(),
            real.copies,
        )
        yield Subject(registry, real.store, there.host, lambda: None)
    assert list(real.paths.spool.iterdir()) == []
    real.unmount()


@pytest_twisted.ensureDeferred
async def test_what_is_there_is_seen_with_its_layers_and_always_the_same(subject: Subject) -> None:
    seen = await subject.look("box:1")
    assert (len(seen.layers), seen.digest) == (2, seen.image_digest)
    assert await subject.look("box:1") == seen
    assert dict(await subject.source.images()) == {}


@pytest_twisted.ensureDeferred
async def test_what_is_not_there_is_an_error_of_its_own(subject: Subject) -> None:
    for missing in ("box:2", "nope:1"):
        with pytest.raises(NoSuchRemoteImage):
            await subject.look(missing)


@pytest_twisted.ensureDeferred
async def test_all_tags_of_a_repository_are_listed_to_who_is_known(subject: Subject) -> None:
    assert sorted(await subject.registry.tags(subject.name("tags"), subject.access)) == ["1", "2"]
    with pytest.raises(NoSuchRemoteImage):
        await subject.registry.tags(subject.name("nope"), subject.access)
    wrong = RegistryAccess({subject.host: WRONG}, tls_verify=False)
    with pytest.raises(RegistryRefused):
        await subject.registry.tags(subject.name("tags"), wrong)
    assert dict(await subject.source.images()) == {}


@pytest_twisted.ensureDeferred
async def test_who_is_not_known_is_refused(subject: Subject) -> None:
    for credentials in ({}, {subject.host: WRONG}, {"elsewhere.example": KNOWN}):
        access = RegistryAccess(credentials, tls_verify=False)
        with pytest.raises(RegistryRefused):
            await subject.look("box:1", access)


@pytest_twisted.ensureDeferred
async def test_what_is_fetched_is_here_under_its_name_and_each_layer_was_told_of(subject: Subject) -> None:
    steps: list[LayerProgress] = []
    image_id = await subject.fetched(steps.append)
    images = await subject.source.images()
    assert images[image_id].names == (subject.name("box:1").canonical,)
    assert len({step.digest for step in steps if step.phase is LayerPhase.COMPLETE}) == 2


@pytest_twisted.ensureDeferred
async def test_a_fetch_that_is_cancelled_leaves_nothing(subject: Subject) -> None:
    async with subject.registry.visit(subject.name("box:1"), subject.access) as visit:
        fetching = Deferred.fromCoroutine(visit.fetch(await visit.look(HERE), lambda _: None))
        fetching.cancel()
        with pytest.raises(CancelledError):
            await fetching
    assert dict(await subject.source.images()) == {}


@pytest_twisted.ensureDeferred
async def test_what_is_pushed_is_there(subject: Subject) -> None:
    image_id = await subject.fetched()
    sent: list[int] = []
    name = subject.name("pushed:1")
    pushing = Deferred.fromCoroutine(
        subject.registry.push(image_id, name, subject.access, PushFormat(), sent.append, lambda _: None)
    )
    subject.going()
    manifest = await pushing
    assert (await subject.look("pushed:1")).digest == manifest.digest
    assert manifest.size_bytes > 0


@pytest_twisted.ensureDeferred
async def test_a_login_tells_who_is_known(subject: Subject) -> None:
    await subject.registry.login(subject.host, KNOWN, False)
    with pytest.raises(RegistryRefused):
        await subject.registry.login(subject.host, WRONG, False)


@pytest_twisted.ensureDeferred
async def test_an_alias_is_all_that_its_name_may_mean(subject: Subject) -> None:
    meant = await subject.registry.short_name("short:1")
    assert (meant.candidates, meant.is_alias) == ((subject.name("box:1").canonical,), True)
    assert meant.origin.endswith("registries.conf")
