"""Credentials in request headers: what each client sends is understood, and shown to nobody."""

from __future__ import annotations

import base64
import json

import pytest

from apiserver.engine.names import parse_reference
from apiserver.engine.ports.registry import Credentials, RegistryAccess
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.wire.registry_auth import read_auth, registry_of

SOMEBODY = Credentials("somebody", "p?ss>word~~")


def sent(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode())


def known(access: RegistryAccess, name: str) -> Credentials | None:
    """Those for a reference at its own registry."""
    reference = parse_reference(name)
    return access.for_location(reference.repository, reference)


def test_docker_sends_one_object_that_names_its_registry() -> None:
    value = {"username": "somebody", "password": "p?ss>word~~", "serveraddress": "https://r.example:5000/v2/"}
    assert read_auth(sent(value)) == {"r.example:5000": SOMEBODY}


def test_without_a_server_address_they_are_for_the_registry_of_the_image() -> None:
    value = {"username": "somebody", "password": "p?ss>word~~"}
    access = RegistryAccess(read_auth(base64.b64encode(json.dumps(value).encode()).rstrip(b"=")))
    assert known(access, "any.example/box") == SOMEBODY


def test_credentials_for_one_registry_are_not_for_another() -> None:
    value = {"username": "somebody", "password": "x", "serveraddress": "r.example"}
    assert known(RegistryAccess(read_auth(sent(value))), "evil.example/r.example/x") is None


def test_podman_sends_an_object_by_registry_in_either_header() -> None:
    value = {"r.example": {"username": "somebody", "password": "p?ss>word~~"}, "other:1": {"identitytoken": "t"}}
    expected = {"r.example": SOMEBODY, "other:1": Credentials(identity_token="t")}
    assert read_auth(sent(value)) == read_auth(None, sent(value)) == expected


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("r.example:5000/team/box:1", "team"),
        ("r.example:5000/team/sub/deep/box", "sub"),
        ("r.example:5000/team/sub", "sub"),
        ("r.example:5000/teams/box", "all"),
        ("R.Example:5000/box@sha256:" + "a" * 64, "all"),
        ("r.example/team/box", ""),
        ("quay.io/mine/box", "mine"),
        ("quay.io/box", ""),
        ("busybox", "hub"),
        ("me/box", "me"),
        ("old.example/v1/box", "old"),
    ],
)
def test_podmans_may_be_for_a_part_of_a_registry(name: str, user: str) -> None:
    parts = {
        "r.example:5000": "all",
        "r.example:5000/team": "team",
        "r.example:5000/team/sub/": "sub",
        "quay.io/mine": "mine",
        "index.docker.io/v1/": "hub",
        "docker.io/me": "me",
        "https://old.example/v1/": "old",
    }
    value = {part: {"username": user, "password": "x"} for part, user in parts.items()}
    for access in (RegistryAccess(read_auth(sent(value))), RegistryAccess(read_auth(None, sent(value)))):
        found = known(access, name)
        assert (found.username if found else "") == user


def test_a_mirror_has_no_credentials_but_those_that_name_it() -> None:
    parts = {"mirror.example/team": {"username": "team", "password": "x"}}
    access = RegistryAccess({**read_auth(sent(parts)), "": SOMEBODY})
    reference = parse_reference("r.example/box")
    assert access.for_location("Mirror.example/team/box", reference) == Credentials("team", "x")
    assert access.for_location("mirror.example/other", reference) is None
    assert known(access, "mirror.example/other") == SOMEBODY


def test_the_registry_of_the_image_may_be_spelled_otherwise() -> None:
    value = {"username": "somebody", "password": "p?ss>word~~", "serveraddress": "R.Example:5000"}
    assert known(RegistryAccess(read_auth(sent(value))), "R.Example:5000/box") == SOMEBODY


def test_docker_hub_has_one_name() -> None:
    names = ["https://index.docker.io/v1/", "registry-1.docker.io", "docker.io"]
    assert {registry_of(name) for name in names} == {"docker.io"}


@pytest.mark.parametrize("raw", [None, b"", b"e30=", b"e30", sent(None), sent({"username": "", "password": ""})])
def test_nobody_is_no_credentials(raw: bytes | None) -> None:
    assert read_auth(raw) == {}


@pytest.mark.parametrize(
    "raw",
    [
        *(b"%%%", b"bm90IGpzb24=", sent([1]), sent("s3cret"), sent({"username": 1, "password": "s3cret"})),
        *(sent({"username": each, "password": "s3cret"}) for each in ("\ud800", "a\0b")),
    ],
)
def test_what_is_no_credentials_is_refused_and_not_repeated(raw: bytes) -> None:
    with pytest.raises(InvalidParameter) as refused:
        read_auth(raw)
    assert "s3cret" not in str(refused.value)


def test_a_registry_token_is_not_supported_rather_than_left_out() -> None:
    with pytest.raises(NotImplementedYet):
        read_auth(sent({"registrytoken": "t"}))


def test_credentials_do_not_show_in_what_is_printed() -> None:
    assert "p?ss" not in f"{SOMEBODY} {SOMEBODY!r} {RegistryAccess({'r': SOMEBODY})!r}"
