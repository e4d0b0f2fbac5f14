from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from apiserver.engine.ports.publish import PortRequest, PublishedPort, Transport
from apiserver.errors import InvalidParameter, NotImplementedYet, PortInUse
from apiserver.local.publish import BoundPorts, LocalPublisher
from tests.support.results import result_of


@contextmanager
def bound(*requests: PortRequest) -> Iterator[BoundPorts]:
    held = result_of(LocalPublisher().bind("web", requests))
    try:
        yield held
    finally:
        held.close()


def listener(port: int = 0) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def test_without_a_host_port_a_free_one_is_chosen_and_told() -> None:
    with bound(PortRequest(80), PortRequest(53, Transport.UDP, "127.0.0.1")) as held:
        web, dns = held.ports
        assert (web.container_port, web.transport, web.host_ip) == (80, Transport.TCP, "0.0.0.0")
        assert (dns.container_port, dns.transport, dns.host_ip) == (53, Transport.UDP, "127.0.0.1")
        assert min(web.host_port, dns.host_port) > 0
        assert len(held.descriptors) == 2


def test_a_held_port_cannot_be_taken_even_by_a_server_that_reuses_addresses() -> None:
    with bound(PortRequest(80)) as held, pytest.raises(OSError, match="in use"):
        listener(held.ports[0].host_port)


def test_a_held_port_refuses_connections_instead_of_letting_them_hang() -> None:
    with bound(PortRequest(80)) as held, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", held.ports[0].host_port), timeout=2)


def test_a_port_in_use_is_told_in_dockers_words_and_the_others_are_given_up() -> None:
    with closing(listener()) as other, bound(PortRequest(80)) as free:
        free_port, taken = free.ports[0].host_port, other.getsockname()[1]
        free.close()
        requests = [
            PortRequest(80, Transport.TCP, "", free_port, free_port),
            PortRequest(81, Transport.TCP, "", taken, taken),
        ]
        with pytest.raises(PortInUse) as refused:
            result_of(LocalPublisher().bind("web", requests))
        assert refused.value.docker.format(subject=refused.value.subject) == (
            "driver failed programming external connectivity on endpoint web: "
            f"Bind for 0.0.0.0:{taken} failed: port is already allocated"
        )
        with closing(listener(free_port)):
            pass


def test_a_range_gives_its_first_free_port() -> None:
    with bound(PortRequest(80)) as held:
        taken = held.ports[0].host_port
        with bound(PortRequest(81, Transport.TCP, "", taken, taken + 5)) as second:
            assert taken < second.ports[0].host_port <= taken + 5


def test_connections_that_linger_after_a_server_do_not_keep_its_port() -> None:
    server = listener()
    port = server.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port))
    accepted, _ = server.accept()
    accepted.close()  # this side closes first, so it is the one that lingers
    assert client.recv(1) == b""
    client.close()
    server.close()
    with bound(PortRequest(80, Transport.TCP, "127.0.0.1", port, port)) as held:
        assert held.ports == [PublishedPort(80, Transport.TCP, "127.0.0.1", port)]
        with pytest.raises(OSError, match="in use"):
            listener(port)


def test_descriptors_reach_no_child_unasked() -> None:
    with bound(PortRequest(80)) as held:
        assert not os.get_inheritable(held.descriptors[0])


def test_closing_twice_is_no_error() -> None:
    with bound(PortRequest(80)) as held:
        held.close()


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (PortRequest(80, host_ip="192.0.2.1"), InvalidParameter),
        (PortRequest(80, host_ip="nonsense"), InvalidParameter),
        (PortRequest(80, host_ip="::1"), NotImplementedYet),
        (PortRequest(80, Transport.SCTP), NotImplementedYet),
    ],
)
def test_what_this_host_cannot_hold_is_refused(request_: PortRequest, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        result_of(LocalPublisher().bind("web", [request_]))
