"""Progress of a copy from what its files have grown by, and manifests that cannot be read two ways."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from apiserver.drivers.process import ProgramFailed
from apiserver.engine.names import Reference
from apiserver.engine.ports.registry import LayerPhase, LayerProgress, RemoteBlob, ShortName
from apiserver.errors import (
    EngineError,
    ImageVanished,
    NoSuchRemoteImage,
    RegistryDenies,
    RegistryFailed,
    RegistryForbids,
    RegistryRefused,
    RegistryUnreachable,
)
from apiserver.http.flavour import Flavour
from apiserver.local.registries.copy_progress import CopyProgress
from apiserver.local.registries.errors import registry_error
from apiserver.local.registries.registries_conf import BadRegistriesConf, short_name
from apiserver.local.registries.remote_manifest import BadManifest, read_manifest
from tests.support.results import result_of

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
LAYERS = (RemoteBlob(A, 100), RemoteBlob(B, 50))


def begun(progress: CopyProgress, *digests: str) -> None:
    text = "".join(f"Copying blob {digest}\n" for digest in digests).encode()
    result_of(Deferred.fromCoroutine(progress.said(text[:20])))
    result_of(Deferred.fromCoroutine(progress.said(text[20:])))


def test_bytes_of_a_growing_file_are_the_layers_that_was_begun() -> None:
    seen: list[LayerProgress] = []
    progress = CopyProgress(LAYERS, frozenset({B}), seen.append)
    begun(progress, A)
    progress.files({1: 30})
    progress.done()
    assert [(step.digest[7], step.phase, step.current) for step in seen] == [
        ("a", LayerPhase.WAITING, 0),
        ("b", LayerPhase.PRESENT, 0),
        ("a", LayerPhase.DOWNLOADING, 30),
        ("a", LayerPhase.DOWNLOADED, 100),
        ("a", LayerPhase.COMPLETE, 100),
    ]


def test_a_blob_that_turns_out_to_be_here_does_not_come() -> None:
    seen: list[LayerProgress] = []
    progress = CopyProgress(LAYERS, frozenset(), seen.append)
    begun(progress, A, B)
    progress.reused(B)
    progress.reused(B)
    progress.reused("sha256:" + "c" * 64)  # the configuration
    progress.files({1: 30})
    progress.done()
    assert [(step.digest[7], step.phase) for step in seen] == [
        ("a", LayerPhase.WAITING),
        ("b", LayerPhase.WAITING),
        ("b", LayerPhase.PRESENT),
        ("a", LayerPhase.DOWNLOADING),
        ("a", LayerPhase.DOWNLOADED),
        ("a", LayerPhase.COMPLETE),
    ]


def test_a_file_that_stops_at_the_size_of_a_blob_is_that_blob() -> None:
    seen: list[LayerProgress] = []
    progress = CopyProgress(LAYERS, frozenset(), seen.append)
    begun(progress, A, B)
    progress.files({1: 50, 2: 60})
    progress.files({1: 50, 2: 70})
    assert LayerProgress(B, LayerPhase.DOWNLOADED, 50, 50) in seen
    assert seen[-1] == LayerProgress(A, LayerPhase.DOWNLOADING, 70, 100)


DESCRIPTOR = {"digest": A, "size": 1}
PLACE = Path("/root/of/tmp/upload-1")


@pytest.mark.parametrize(
    "manifest",
    [
        {"schemaVersion": 2, "config": DESCRIPTOR, "layers": [], "manifests": []},
        {"schemaVersion": 2},
        {"schemaVersion": 1, "fsLayers": []},
        {"schemaVersion": 2, "config": DESCRIPTOR, "layers": [{"digest": "../../x"}]},
        {"schemaVersion": 2, "config": DESCRIPTOR, "layers": [{"digest": A, "size": -1}]},
        {"schemaVersion": 2, "config": DESCRIPTOR, "layers": [{"digest": A, "urls": ["http://x"]}]},
        {"schemaVersion": 2, "layers": []},
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "config": DESCRIPTOR,
            "layers": [],
        },
        [],
        {"schemaVersion": "2"},
    ],
)
def test_a_manifest_that_could_be_two_things_or_none_is_refused(manifest: object) -> None:
    with pytest.raises(BadManifest):
        read_manifest(json.dumps(manifest).encode())


def test_a_short_name_is_its_alias_or_else_searched_for_in_order(tmp_path: Path) -> None:
    conf = tmp_path / "registries.conf"
    conf.write_text(
        'unqualified-search-registries = ["one.example", "two.example:5"]\n[aliases]\n"x/y" = "z.example/y"\n'
    )
    alias = ShortName("x/y", ("z.example/y:1@sha256:0",), is_alias=True, origin=str(conf))
    assert short_name("x/y:1@sha256:0", conf) == alias
    candidates = ("one.example/never-an-alias:2", "two.example:5/never-an-alias:2")
    searched = ShortName("never-an-alias", candidates, is_alias=False, origin=str(conf))
    assert short_name("never-an-alias:2", conf) == searched


def test_who_wants_to_change_what_is_searched_is_told_the_file(tmp_path: Path) -> None:
    conf = tmp_path / "registries.conf"
    nothing = ShortName("never-an-alias", (), is_alias=False, origin=str(conf))
    assert short_name("never-an-alias", conf) == nothing
    conf.write_text("unqualified-search-registries = []\n")
    assert short_name("never-an-alias", conf) == nothing


def test_a_remembered_alias_wins_and_an_empty_one_takes_it_away(tmp_path: Path) -> None:
    conf, remembered = tmp_path / "registries.conf", tmp_path / "short-name-aliases.conf"
    conf.write_text('unqualified-search-registries = ["one.example"]\n[aliases]\nx = "z.example/x"\ny = "z/y"\n')
    remembered.write_text('[aliases]\nx = "mine.example/x"\ny = ""\n')
    mine = ShortName("x", ("mine.example/x:1",), is_alias=True, origin=str(remembered))
    assert short_name("x:1", conf, remembered) == mine
    searched = ShortName("y", ("one.example/y:1",), is_alias=False, origin=str(conf))
    assert short_name("y:1", conf, remembered) == searched


@pytest.mark.parametrize("path", ["denied/box", "forbidden/not found", "x/unauthorized"])
def test_words_in_the_name_of_an_image_are_not_the_registrys(path: str) -> None:
    said = f'level=fatal msg="reading manifest latest in r.example/{path}: manifest unknown"'
    error = registry_error(ProgramFailed("skopeo", 1, said.encode()), Reference("r.example", path, "latest"), PLACE)
    assert isinstance(error, NoSuchRemoteImage)


def test_what_a_registry_says_in_its_code_and_again_in_words_is_said_once() -> None:
    begun = "reading manifest 1 in r.example/box: "
    for said, once in (("manifest unknown: manifest unknown", "manifest unknown"), ("manifest unknown: x", None)):
        failed = ProgramFailed("skopeo", 1, f'level=fatal msg="{begun}{said}"'.encode())
        error = registry_error(failed, Reference("r.example", "box", "1"), PLACE)
        assert error.subject == begun + (once or said)


def test_a_broken_registries_conf_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    conf = tmp_path / "registries.conf"
    conf.write_text("unqualified-search-registries = [")
    with pytest.raises(BadRegistriesConf):
        short_name("x", conf)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Source image rejected: Running image docker://x is rejected by policy.", RegistryForbids),
        ("registry r.example is blocked in /etc/containers/registries.conf", RegistryForbids),
        ("reading manifest latest in r.example/box: requested access to the resource is denied", RegistryDenies),
        ("reading manifest 1 in r.example/box: StatusCode: 404, nope", NoSuchRemoteImage),
        ("Error listing repository tags: fetching tags list: repository name not known to registry", NoSuchRemoteImage),
        (
            "Error listing repository tags: fetching tags list: invalid status code from registry 404 (Not Found)",
            NoSuchRemoteImage,
        ),
        (
            "Error listing repository tags: fetching tags list: invalid status code from registry 401 (Unauthorized)",
            RegistryRefused,
        ),
        ("reading manifest 1 in r.example/box: unauthorized: authentication required", RegistryRefused),
        ("pinging container registry r.example: dial tcp: connection refused", RegistryUnreachable),
        ("received unexpected HTTP status: 502 Bad Gateway", RegistryFailed),
        ("committing the finished image: locating image with ID b2: image not known", ImageVanished),
        ("exceeded maximum allowed size of 4194304 bytes", BadManifest),
    ],
)
def test_each_kind_of_refusal_is_known_by_skopeos_words(said: str, kind: type[EngineError]) -> None:
    failed = ProgramFailed("skopeo", 1, f'time="1" level=fatal msg="{said}"'.encode())
    assert type(registry_error(failed, Reference("r.example", "box", "latest"), PLACE)) is kind


UNKNOWN = "reading manifest 1 in r.example/box: manifest unknown"
AWAY = "pinging container registry r.example: dial tcp: connection refused"
OF_MIRROR = "pinging container registry m.example: dial tcp: connection refused"
NOT_LET_IN = "reading manifest 1 in m.example/box: unauthorized: authentication required"


@pytest.mark.parametrize(
    ("mirrors", "registry", "kind", "to_docker"),
    [
        ([OF_MIRROR], UNKNOWN, NoSuchRemoteImage, "manifest for r.example/box:1 not found: manifest unknown: "),
        ([NOT_LET_IN, OF_MIRROR], UNKNOWN, NoSuchRemoteImage, "manifest for r.example/box:1 not found: "),
        (["registry m.example is blocked in x or y"], UNKNOWN, NoSuchRemoteImage, "manifest for r.example/box:1 "),
        (["[odd]): x: StatusCode: 403"], UNKNOWN, NoSuchRemoteImage, "manifest for r.example/box:1 not found: "),
        ([OF_MIRROR], "received unexpected HTTP status: 502 Bad Gateway", RegistryFailed, "received unexpected HTTP"),
        ([UNKNOWN], "unauthorized: authentication required", RegistryRefused, "unauthorized: authentication required"),
        ([NOT_LET_IN], AWAY, RegistryRefused, f"(Mirrors also failed: [m.example/box:1: {NOT_LET_IN}]): r.example"),
        ([UNKNOWN], AWAY, RegistryUnreachable, f"(Mirrors also failed: [m.example/box:1: {UNKNOWN}]): r.example"),
    ],
)
def test_what_the_registry_says_counts_before_what_its_mirrors_say(
    mirrors: list[str], registry: str, kind: type[EngineError], to_docker: str
) -> None:
    failed = "\\n".join(f"[m.example/box:1: {each}]" for each in mirrors)
    under_way = "initializing source docker://r.example/box:1: "
    whole = f"{under_way}(Mirrors also failed: {failed}): r.example/box:1: {registry}"
    stderr = f'time="1" level=fatal msg="{whole}"'.encode()
    error = registry_error(ProgramFailed("skopeo", 1, stderr), Reference("r.example", "box", "1"), PLACE)
    assert type(error) is kind
    assert Flavour.DOCKER.words(error).startswith(to_docker)
    assert Flavour.LIBPOD.words(error) == whole.replace("\\n", " ")


@pytest.mark.parametrize("words", ["unauthorized: authentication required", "authentication required"])
def test_a_missing_login_has_the_registrys_code_whether_skopeo_says_it_or_not(words: str) -> None:
    failed = ProgramFailed("skopeo", 1, f'time="1" level=fatal msg="reading manifest 1 in r/box: {words}"'.encode())
    error = registry_error(failed, Reference("r", "box"), PLACE)
    assert str(error).endswith("reading manifest 1 in r/box: unauthorized: authentication required")


@pytest.mark.parametrize(
    ("under_way", "said"),
    [
        (
            "initializing source docker://r.example/box:1: pinging container registry r.example: ",
            'Get \\"https://r.example/v2/\\": dial tcp: connection refused',
        ),
        ("initializing source docker://r/box:1: reading manifest 1 in r/box: ", "authentication required"),
        (
            f"trying to reuse blob sha256:{'0' * 64} at destination: checking whether a blob sha256:1 exists in r: ",
            "EOF",
        ),
        ('authenticating creds for \\"r.example\\": ', "received unexpected HTTP status: 500 Internal Server Error"),
        ("", "writing blob: initializing source docker://r/box:1: EOF"),
    ],
)
def test_docker_is_not_told_what_skopeo_was_about_to_do(under_way: str, said: str) -> None:
    failed = ProgramFailed("skopeo", 1, f'time="1" level=fatal msg="{under_way}{said}"'.encode())
    error = registry_error(failed, Reference("r.example", "box"), PLACE)
    expected = said.replace("\\", "").replace("authentication required", "unauthorized: authentication required")
    assert Flavour.DOCKER.words(error) == expected
    assert Flavour.LIBPOD.words(error) == under_way.replace("\\", "") + expected


def test_no_path_of_ours_and_no_line_of_the_log_is_told() -> None:
    failed = ProgramFailed("skopeo", 137, f'time="1" level=debug msg="GET {PLACE}"\nat {PLACE}/x\n'.encode())
    said = str(registry_error(failed, Reference("r.example", "box"), PLACE))
    assert ("GET" in said, str(PLACE) in said) == (False, False)
    stored = f'writing blob: storing blob to file \\"{PLACE}/1\\": write {PLACE}/1'
    full = f'level=fatal msg="{stored}: no space left on device"'
    no_room = registry_error(ProgramFailed("skopeo", 1, full.encode()), Reference("r.example", "box"), PLACE)
    assert str(no_room) == "writing blob: write a temporary directory/1: no space left on device"
    wordless = registry_error(ProgramFailed("skopeo", 1, b'time="1" level=fatal msg=EOF\n'), Reference("r", "b"), PLACE)
    assert str(wordless) == "EOF"
    endless = ProgramFailed("skopeo", 0, b"", "wrote more than 5 bytes")
    assert str(registry_error(endless, Reference("r", "b"), PLACE)) == "skopeo: wrote more than 5 bytes"
