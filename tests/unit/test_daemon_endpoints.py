"""What an endpoint string means."""

from __future__ import annotations

from pathlib import Path

import pytest

from apiserver.daemon.endpoints import (
    BadEndpoint,
    PassedEndpoint,
    TcpEndpoint,
    TlsEndpoint,
    UnixEndpoint,
    parse_endpoint,
)


def test_a_unix_socket_is_for_root_and_its_group_unless_said_otherwise() -> None:
    assert parse_endpoint("unix:/run/a.sock") == UnixEndpoint(Path("/run/a.sock"), 0o660, None)
    assert parse_endpoint("unix:/run/a.sock:mode=600:group=docker") == UnixEndpoint(
        Path("/run/a.sock"), 0o600, "docker"
    )


def test_a_backslash_makes_a_colon_part_of_the_path() -> None:
    assert parse_endpoint(r"unix:/run/a\:b") == UnixEndpoint(Path("/run/a:b"))


def test_a_field_may_stand_by_name_or_in_its_place() -> None:
    assert parse_endpoint("unix:path=/a") == parse_endpoint("unix:/a")
    assert parse_endpoint("tcp:port=1") == parse_endpoint("tcp:1")


def test_a_second_equals_sign_belongs_to_the_value() -> None:
    assert parse_endpoint("unix:path=/a=b") == UnixEndpoint(Path("/a=b"))


def test_tcp_is_loopback_unless_an_address_is_asked_for() -> None:
    assert parse_endpoint("tcp:2375") == TcpEndpoint(2375, "127.0.0.1")
    assert TcpEndpoint(1).interface == "127.0.0.1"
    assert parse_endpoint(r"tcp:2375:interface=\:\:1") == TcpEndpoint(2375, "::1")


def test_one_pem_file_may_hold_key_and_certificate() -> None:
    both = Path("/k.pem")
    assert parse_endpoint("ssl:2376:privateKey=/k.pem") == TlsEndpoint(2376, both, both)
    assert parse_endpoint("ssl:2376:privateKey=/k.pem:certKey=/c.pem") == TlsEndpoint(2376, both, Path("/c.pem"))
    asking = parse_endpoint("ssl:2376:privateKey=/k.pem:clientCA=/ca.pem")
    assert asking == TlsEndpoint(2376, both, both, client_authorities=Path("/ca.pem"))


def test_a_passed_descriptor_is_meant_by_index_or_name() -> None:
    assert parse_endpoint("systemd:domain=UNIX:index=0") == PassedEndpoint("UNIX", index=0)
    assert parse_endpoint("systemd:domain=INET:name=api") == PassedEndpoint("INET", name="api")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "kind"),
        ("fd:3", "kind"),
        ("/run/a.sock", "kind"),
        ("unix:", "path"),
        ("unix:a.sock", "absolute"),
        ("unix:/a:mode=999", "mode"),
        ("unix:/a:mode=7777", "mode"),
        ("unix:/a:/b", "no name"),
        ("unix:/a:path=/b", "twice"),
        ("unix:/a:lockfile=1", "lockfile"),
        ("tcp:", "port"),
        ("tcp:http", "port"),
        ("tcp:65536", "port"),
        ("tcp:-1", "port"),
        ("tcp:1:interface=example.org", "interface"),
        ("ssl:1", "privateKey"),
        ("systemd:domain=UNIX", "index"),
        ("systemd:domain=UNIX:index=0:name=a", "index"),
        ("systemd:domain=X:index=0", "domain"),
        ("systemd:domain=UNIX:index=x", "index"),
        ("systemd:index=0", "domain"),
    ],
)
def test_a_bad_endpoint_is_refused_by_naming_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(BadEndpoint) as refused:
        parse_endpoint(text)
    assert said in str(refused.value)
    assert repr(text) in str(refused.value)
