from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.engine.names import (
    InvalidContainerName,
    InvalidReference,
    canonical_name,
    container_name,
    familiar_name,
    is_full_id,
    may_be_id,
    new_id,
    parse_reference,
    random_container_name,
)
from apiserver.http.flavour import Flavour

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("written", "stored", "shown"),
    [
        ("foo", "docker.io/library/foo:latest", "foo:latest"),
        ("foo:bar", "docker.io/library/foo:bar", "foo:bar"),
        ("library/foo", "docker.io/library/foo:latest", "foo:latest"),
        ("docker.io/foo", "docker.io/library/foo:latest", "foo:latest"),
        ("index.docker.io/foo", "docker.io/library/foo:latest", "foo:latest"),
        ("me/foo", "docker.io/me/foo:latest", "me/foo:latest"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/foo", "localhost/foo:latest", "localhost/foo:latest"),
        ("host:5000/foo", "host:5000/foo:latest", "host:5000/foo:latest"),
        ("host.example/a/b/c:t", "host.example/a/b/c:t", "host.example/a/b/c:t"),
        ("Host/foo", "Host/foo:latest", "Host/foo:latest"),
        ("[fd00::1]:5000/foo", "[fd00::1]:5000/foo:latest", "[fd00::1]:5000/foo:latest"),
        (f"foo@{DIGEST}", f"docker.io/library/foo@{DIGEST}", f"foo@{DIGEST}"),
        (f"foo:t@{DIGEST}", f"docker.io/library/foo:t@{DIGEST}", f"foo:t@{DIGEST}"),
        ("a__b-c--d.e_f", "docker.io/library/a__b-c--d.e_f:latest", "a__b-c--d.e_f:latest"),
    ],
)
def test_a_docker_name_has_one_canonical_form_and_is_shown_in_its_familiar_one(
    written: str, stored: str, shown: str
) -> None:
    assert canonical_name(written) == stored
    assert familiar_name(stored) == shown


def test_a_short_name_from_a_libpod_client_is_local() -> None:
    assert canonical_name("foo", short_domain="localhost") == "localhost/foo:latest"
    assert canonical_name("quay.io/foo", short_domain="localhost") == "quay.io/foo:latest"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ":tag",
            "foo:",
            "/foo",
            "foo/",
            "a//b",
            "foo:b@d",
            "foo@sha256:12",
            "foo..bar",
            "-foo",
            "foo bar",
            "foo\n",
        ),
        *(
            "../x",
            "foo:../x",
            "foo@../../x",
            "http://foo",
            "a:b:c",
            "foo:" + "t" * 129,
            "foo:-t",
            "a___b",
            "host:x/foo",
        ),
        "a" * 256,
        f"foo@{DIGEST}0",
    ],
)
def test_what_breaks_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        parse_reference(text)


def test_the_words_of_a_refusal_are_dockers() -> None:
    for text, words in [
        ("Foo", "invalid reference format: repository name must be lowercase"),
        ("foo:b c", "invalid reference format"),
        ("ab" * 32, "invalid repository name"),
    ]:
        with pytest.raises(InvalidReference) as refused:
            parse_reference(text)
        assert refused.value.subject.startswith(words)


@given(st.text(max_size=300))
def test_any_text_parses_or_is_refused_and_what_parses_is_stable(text: str) -> None:
    try:
        first = parse_reference(text)
    except InvalidReference:
        return
    assert parse_reference(first.canonical) == first
    assert parse_reference(first.familiar) == first


def test_a_container_name_may_come_with_a_slash() -> None:
    assert container_name("/foo") == "foo"


@pytest.mark.parametrize("text", ["", "/", "_a", "a/b", "a b", "//ab", "ab\n", "é1"])
def test_a_container_name_outside_the_alphabet_is_refused_in_the_words_of_the_flavour(text: str) -> None:
    with pytest.raises(InvalidContainerName) as refused:
        container_name(text)
    expected = f"Invalid container name ({text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    assert Flavour.DOCKER.words(refused.value) == expected
    assert Flavour.LIBPOD.words(refused.value) == "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument"


def test_ids_are_random_hex_and_never_look_like_a_number() -> None:
    ids = {new_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(is_full_id(fresh) and not fresh[:12].isdecimal() for fresh in ids)
    assert may_be_id("abc")
    assert not may_be_id("abcg")
    assert not may_be_id("")


def test_a_random_container_name_is_a_valid_one() -> None:
    for _ in range(100):
        name = random_container_name()
        assert container_name(name) == name
