from __future__ import annotations

import pytest

from apiserver.errors import InvalidParameter
from apiserver.http.version import Version, check_docker_version


@pytest.mark.parametrize(
    ("text", "version"),
    [("4", (4, 0, 0)), ("1.44", (1, 44, 0)), ("5.0.0", (5, 0, 0)), ("6.0.0-dev", (6, 0, 0)), ("1.2.3.4", (1, 2, 3))],
)
def test_versions_are_read_as_tolerantly_as_clients_write_them(text: str, version: tuple[int, int, int]) -> None:
    assert Version.parse(text) == version


@pytest.mark.parametrize("text", ["", "x", "1.", "1..2", "1.4x", "1" * 65, "\u0661.\u0662"])
def test_what_is_no_version_is_an_invalid_parameter(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid API version"):
        Version.parse(text)


def test_versions_compare_by_number_and_not_by_letter() -> None:
    assert Version.parse("1.9") < Version.parse("1.44") < Version.parse("1.100")


@pytest.mark.parametrize("text", ["1.24", "1.51", "1.56"])
def test_docker_versions_from_1_24_to_1_56_are_served(text: str) -> None:
    check_docker_version(Version.parse(text), text)


def test_others_are_refused_in_the_docker_engines_words() -> None:
    with pytest.raises(InvalidParameter) as too_new:
        check_docker_version(Version.parse("1.57"), "1.57")
    assert too_new.value.subject == "client version 1.57 is too new. Maximum supported API version is 1.56"
    with pytest.raises(InvalidParameter) as too_old:
        check_docker_version(Version.parse("1.23"), "1.23")
    assert too_old.value.subject == (
        "client version 1.23 is too old. Minimum supported API version is 1.24, "
        "please upgrade your client to a newer version"
    )
