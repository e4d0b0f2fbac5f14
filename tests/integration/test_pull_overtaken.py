"""A pull whose name goes to another image before it has looked: by a tag, or by a pull for another platform."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest_twisted
from twisted.internet import reactor

from apiserver.drivers.process import Sink
from apiserver.drivers.skopeo import RegistryCall, RegistryFiles, Skopeo
from apiserver.engine.names import parse_reference
from apiserver.engine.ports.registry import Platform, RegistryAccess
from apiserver.local.images.pulled import PulledFile
from apiserver.local.registries.platforms import host_platform
from apiserver.local.registries.service import LocalRegistry
from tests.support.image_archive import Entry, TestImage, layer
from tests.support.image_stores import RealStore, in_thread, real_store
from tests.support.registry import docker_registry

FIRST, SECOND = (TestImage((layer([Entry(name, name.encode() * 1000)]),)) for name in "ab")


class Overtaken(Skopeo):
    """Once it has copied an image its name is given to another one."""

    store: RealStore
    other = ""

    async def copy_from_registry(
        self, reference: str, name: str, call: RegistryCall, said: Sink, skips: Callable[[str], object]
    ) -> None:
        await super().copy_from_registry(reference, name, call, said, skips)
        if self.other:
            self.store.buildah("tag", self.other, name)


@pytest_twisted.ensureDeferred
async def test_a_pull_answers_what_it_has_pulled_and_not_who_has_its_name_by_now(tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry") as there:
        there.put_image("box", "1", FIRST)
        there.put_image("box", "2", SECOND)
        async with real_store(tmp_path / "store") as real:
            skopeo, pulled = Overtaken(real.programs, real.address), PulledFile(tmp_path / "pulled.json")
            skopeo.store = real
            registry = LocalRegistry(
                *(
                    skopeo,
                    real.programs,
                    RegistryFiles(),
                    real.reader,
                    real.store,
                    pulled,
                    real.spool,
                    in_thread,
                    reactor,
                ),
                *(host_platform(), real.copies),
            )

            async def fetched(tag: str) -> str:
                reference, access = parse_reference(f"{there.host}/box:{tag}"), RegistryAccess(tls_verify=False)
                async with registry.visit(reference, access) as visit:
                    return await visit.fetch(await visit.look(Platform()), lambda _: None)

            assert await fetched("2") == SECOND.id
            skopeo.other = SECOND.id
            assert await fetched("1") == FIRST.id
            digests = json.loads((tmp_path / "pulled.json").read_text())
            assert {image_id: len(known) for image_id, known in digests.items()} == {FIRST.id: 1, SECOND.id: 1}
