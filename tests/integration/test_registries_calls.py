"""What skopeo is told for one call: whose credentials it gets for which place, and which places are proxies."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor

from apiserver.drivers.process import ProgramFailed, Programs
from apiserver.drivers.skopeo import RegistryFiles, Skopeo
from apiserver.engine.names import parse_reference
from apiserver.engine.ports.registry import Credentials, RegistryAccess
from apiserver.local.images.spool import Spool
from apiserver.local.images.store import prepare_store
from apiserver.local.paths import Paths
from apiserver.local.registries import lookaside
from apiserver.local.registries.calls import RegistryCalls
from apiserver.local.registries.endpoints import source
from tests.support.image_archive import busybox_image
from tests.support.image_stores import in_thread
from tests.support.registry import docker_registry

HOST = "r.invalid:5000"
TEAM, SHARED = Credentials("team", "x"), Credentials("shared", "y")


def calls(folder: Path, conf: str) -> RegistryCalls:
    (folder / "registries.conf").write_text(conf)
    (folder / "auth.json").write_text("{}")
    (folder / "spool").mkdir()
    files = RegistryFiles(registries=folder / "registries.conf", auth=folder / "auth.json")
    return RegistryCalls(Programs(reactor), files, Spool(folder / "spool", in_thread), in_thread)


def entry(location: str, *mirrors: str) -> str:
    return f'[[registry]]\nlocation = "{location}"\n' + "".join(
        f'[[registry.mirror]]\nlocation = "{each}"\n' for each in mirrors
    )


async def told(calls: RegistryCalls, name: str, access: RegistryAccess) -> dict[str, str]:
    """Who is to be who, by place: each proxy has the name of its registry."""
    async with calls.reading(parse_reference(name), access) as call:
        assert call.proxies is not None
        assert call.skopeo.files.auth is not None
        known = json.loads(call.skopeo.files.auth.read_text())["auths"]
        return {
            call.proxies.unmasked(place): base64.b64decode(each["auth"]).decode().partition(":")[0]
            for place, each in known.items()
        }


@pytest_twisted.ensureDeferred
async def test_credentials_for_a_part_of_a_registry_are_for_no_mirror_elsewhere_on_it(tmp_path: Path) -> None:
    made = calls(tmp_path, entry(f"{HOST}/team", f"{HOST}/other"))
    access = RegistryAccess({f"{HOST}/team": TEAM})
    assert await told(made, f"{HOST}/team/box", access) == {f"{HOST}/team/box": "team"}
    both = RegistryAccess({f"{HOST}/team": TEAM, HOST: SHARED})
    assert await told(made, f"{HOST}/team/box", both) == {f"{HOST}/team/box": "team", f"{HOST}/other/box": "shared"}


@pytest_twisted.ensureDeferred
async def test_nor_are_they_where_registries_conf_leads_instead_on_the_same_registry(tmp_path: Path) -> None:
    made = calls(tmp_path, f'[[registry]]\nprefix = "{HOST}/team"\nlocation = "{HOST}/other"\n')
    access = RegistryAccess({f"{HOST}/team": TEAM, f"{HOST}/other": SHARED})
    assert await told(made, f"{HOST}/team/box", access) == {f"{HOST}/other/box": "shared"}


@pytest_twisted.ensureDeferred
async def test_those_without_a_registry_are_for_all_of_the_references_own_and_nobody_else(tmp_path: Path) -> None:
    made = calls(tmp_path, entry(f"{HOST}/team", f"{HOST}/other", "m.invalid/other"))
    expected = {f"{HOST}/team/box": "team", f"{HOST}/other/box": "team"}
    assert await told(made, f"{HOST}/team/box", RegistryAccess({"": TEAM})) == expected


@pytest_twisted.ensureDeferred
async def test_all_that_goes_to_a_registry_goes_by_its_proxy_and_signatures_are_looked_for_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("SYSTEM", "USER"):
        monkeypatch.setattr(lookaside, each, tmp_path / "registries.d")
    (tmp_path / "registries.d").mkdir()
    (tmp_path / "registries.d/1.yaml").write_text(
        json.dumps({"docker": {f"{HOST}/team": {"lookaside": "file:///team"}}})
    )
    made = calls(tmp_path, entry(f"{HOST}/team", f"{HOST}/other", "m.invalid/more"))
    async with made.reading(parse_reference(f"{HOST}/team/box"), RegistryAccess({f"{HOST}/other": SHARED})) as call:
        assert call.proxies is not None
        assert list(call.proxies.hosts) == [HOST]
        proxy = call.proxies.hosts[HOST]
        assert call.skopeo.files.registries is not None
        found = source(f"{HOST}/team/box", call.skopeo.files.registries)
        assert [each.location for each in found.endpoints] == [
            f"{proxy}/other/box",
            "m.invalid/more/box",
            f"{proxy}/team/box",
        ]
        assert call.skopeo.files.signatures is not None
        (written,) = call.skopeo.files.signatures.iterdir()
        assert json.loads(written.read_text())["docker"][f"{proxy}/team/box"]["lookaside"] == "file:///team"


@pytest_twisted.ensureDeferred
async def test_a_registry_is_verified_where_any_part_of_it_that_is_asked_has_to_be(tmp_path: Path) -> None:
    with docker_registry(tmp_path / "untrusted", tls=True) as untrusted:
        untrusted.put_image("team/box", "latest", busybox_image())
        mirror = f'[[registry.mirror]]\nlocation = "{untrusted.host}/other"\ninsecure = true\n'
        made = calls(tmp_path, f'[[registry]]\nlocation = "{untrusted.host}/team"\n{mirror}')
        access = RegistryAccess({f"{untrusted.host}/other": SHARED})
        skopeo = Skopeo(Programs(reactor), prepare_store(Paths(tmp_path / "root", tmp_path / "run")))
        async with made.reading(parse_reference(f"{untrusted.host}/team/box"), access) as call:
            with pytest.raises(ProgramFailed) as failed:
                await skopeo.raw_manifest(f"{untrusted.host}/team/box:latest", call.skopeo)
            assert "certificate signed by unknown authority" in str(await call.error_of(failed.value))
