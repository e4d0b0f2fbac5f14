"""What registries.d says of a place is said of its proxy; see `tests/integration/test_images_endpoints.py`."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from apiserver.local.registries import lookaside
from apiserver.local.registries.lookaside import BadRegistriesD, write_registries_d

PROXY = "127.0.0.1:4"
DEBIAN = """
# This is a default registries.d configuration file.
#  sigstore: https://...
default-docker:
#  lookaside: file:///var/lib/containers/sigstore
#  lookaside-staging: file:///var/lib/containers/sigstore

#docker:
#  privateregistry.com:
"""


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host without any registries.d: `etc` and `root` are where its two would be."""
    monkeypatch.setattr(lookaside, "SYSTEM", tmp_path / "etc")
    monkeypatch.setattr(lookaside, "USER", tmp_path / "root")
    return tmp_path


def written(host: Path, proxies: Mapping[str, str]) -> Any:
    """The one file's content; None where there is none."""
    directory = write_registries_d(host / "made", proxies)
    if directory is None:
        assert not (host / "made").exists()
        return None
    (file,) = directory.iterdir()
    assert (file.suffix, stat.S_IMODE(directory.stat().st_mode)) == (".yaml", 0o700)
    return json.loads(file.read_text())


def files(host: Path, where: str = "etc", **contents: str) -> None:
    (host / where).mkdir()
    for name, text in contents.items():
        (host / where / f"{name}.yaml").write_text(text)


@pytest.mark.parametrize(
    "contents",
    [
        {},
        {"default": DEBIAN},
        {"default": "default-docker: {lookaside: file:///all}"},
        {"other": "docker: {other.example: {lookaside: file:///other}, r.example/nsx: {lookaside: file:///x}}"},
        {"other": "docker: {'*.r.example': {lookaside: file:///below}}"},
        {"empty": ""},
        {"empty": "docker:"},
    ],
)
def test_the_hosts_own_will_do_where_it_says_nothing_of_the_place(host: Path, contents: Mapping[str, str]) -> None:
    files(host, **contents)
    assert written(host, {"r.example/ns/box": PROXY}) is None


def test_a_host_without_the_directory_needs_none_and_no_reader_of_yaml(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)  # importing it would fail
    assert written(host, {"r.example/ns/box": PROXY}) is None


@pytest.mark.parametrize(
    ("docker", "said"),
    [
        ("r.example: {lookaside: 'file:///h'}", {"lookaside": "file:///h", "lookaside-staging": "file:///h"}),
        ("r.example/ns: {sigstore: 'file:///h'}", {"lookaside": "file:///h", "lookaside-staging": "file:///h"}),
        (
            "r.example/ns/box: {lookaside-staging: 'file:///w'}",
            {"lookaside": "file:///all", "lookaside-staging": "file:///w"},
        ),
        (
            "r.example: {sigstore: 'file:///old', lookaside: 'file:///new', sigstore-staging: 'file:///w'}",
            {"lookaside": "file:///new", "lookaside-staging": "file:///w"},
        ),
        (
            "r.example/ns: {lookaside: 'file:///near'}, r.example: {lookaside-staging: 'file:///far'}",
            {"lookaside": "file:///near", "lookaside-staging": "file:///near"},
        ),
        (
            "r.example/ns: , '*.example': {lookaside: 'file:///wild', use-sigstore-attachments: yes}",
            {"lookaside": "file:///wild", "lookaside-staging": "file:///wild", "use-sigstore-attachments": True},
        ),
        (
            "r.example/ns: {use-sigstore-attachments: false}, r.example: {use-sigstore-attachments: true}",
            {"lookaside": "file:///all", "lookaside-staging": "file:///all", "use-sigstore-attachments": False},
        ),
    ],
)
def test_the_proxy_is_said_what_the_nearest_namespace_says(host: Path, docker: str, said: Mapping[str, object]) -> None:
    files(host, all="default-docker: {lookaside: 'file:///all'}", one=f"docker: {{{docker}}}")
    assert written(host, {"r.example/ns/box": PROXY})["docker"][f"{PROXY}/ns/box"] == said


def test_the_domain_of_a_place_counts_without_its_port_for_wildcards_alone(host: Path) -> None:
    files(host, one="docker: {r.example: {lookaside: 'file:///bare'}, '*.example': {lookaside: 'file:///wild'}}")
    assert written(host, {"r.example:5/box": PROXY})["docker"][f"{PROXY}/box"]["lookaside"] == "file:///wild"


def test_what_is_said_of_a_tag_or_a_digest_is_said_of_it_at_the_proxy(host: Path) -> None:
    files(host, one="""
        docker:
          r.example/box:1: {lookaside: 'file:///one'}
          r.example/box@sha256:ab: {lookaside: 'file:///ab'}
          r.example/boxes:1: {lookaside: 'file:///boxes'}
          r.example/box: {lookaside: 'file:///box', use-sigstore-attachments: true}
    """)  # fmt: skip
    docker = written(host, {"r.example/box": PROXY})["docker"]
    proxies = {name: each["lookaside"] for name, each in docker.items() if name.startswith(PROXY)}
    assert proxies == {
        f"{PROXY}/box": "file:///box",
        f"{PROXY}/box:1": "file:///one",
        f"{PROXY}/box@sha256:ab": "file:///ab",
    }
    assert docker[f"{PROXY}/box:1"]["use-sigstore-attachments"]


def test_all_that_the_host_says_stays_for_places_without_a_proxy(host: Path) -> None:
    files(host, all="default-docker: {sigstore: 'file:///all'}", one="""
        docker:
          r.example: {lookaside: 'file:///r'}
          m.example: {sigstore-staging: 'file:///m'}
    """)  # fmt: skip
    found = written(host, {"r.example/box": PROXY, "n.example/box": "127.0.0.1:5"})
    assert found["default-docker"] == {"sigstore": "file:///all"}
    assert found["docker"] == {
        "r.example": {"lookaside": "file:///r"},
        "m.example": {"sigstore-staging": "file:///m"},
        f"{PROXY}/box": {"lookaside": "file:///r", "lookaside-staging": "file:///r"},
    }


def test_roots_own_directory_stands_in_for_that_of_etc(host: Path) -> None:
    files(host, one="docker: {r.example: {lookaside: 'file:///etc'}}")
    files(host, "root")
    assert written(host, {"r.example/box": PROXY}) is None
    (host / "root/one.yaml").write_text("docker: {r.example: {lookaside: 'file:///root'}}")
    (host / "root/two.yml").write_text("{")  # not of that ending
    assert written(host, {"r.example/box": PROXY})["docker"]["r.example"] == {"lookaside": "file:///root"}


@pytest.mark.parametrize(
    ("contents", "named"),
    [
        ({"one": "{"}, "one"),
        ({"one": "5"}, "one"),
        ({"one": "docker: [r.example]"}, "one"),
        ({"one": "docker: {r.example: {lookaside: [5]}}"}, "one"),
        ({"one": "default-docker: {use-sigstore-attachments: perhaps}"}, "one"),
        ({"one": "docker: {r.example: }", "two": "docker: {r.example: }"}, "two"),
        ({"one": "default-docker: {}", "two": "default-docker: {}"}, "two"),
    ],
)
def test_what_skopeo_would_refuse_is_an_error_that_names_the_file(
    host: Path, contents: Mapping[str, str], named: str
) -> None:
    files(host, **contents)
    with pytest.raises(BadRegistriesD, match=rf"{named}\.yaml"):
        write_registries_d(host / "made", {"r.example/box": PROXY})


def test_a_file_that_cannot_be_read_is_an_error(host: Path) -> None:
    (host / "etc/one.yaml").mkdir(parents=True)
    with pytest.raises(BadRegistriesD, match=r"one\.yaml"):
        write_registries_d(host / "made", {"r.example/box": PROXY})
