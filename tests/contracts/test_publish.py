"""What every `PortPublisher` does, the fake and this machine's."""

from __future__ import annotations

import pytest

from apiserver.engine.ports.publish import PortPublisher, PortRequest, Transport
from apiserver.errors import PortInUse
from apiserver.local.publish import LocalPublisher
from tests.fakes.publish import FakePublisher
from tests.support.results import result_of


@pytest.fixture(params=[FakePublisher, LocalPublisher])
def publisher(request: pytest.FixtureRequest) -> PortPublisher:
    made: PortPublisher = request.param()
    return made


def test_each_request_has_a_true_port_and_an_address(publisher: PortPublisher) -> None:
    held = result_of(publisher.bind("web", [PortRequest(80), PortRequest(53, Transport.UDP, "127.0.0.1")]))
    try:
        assert [(port.container_port, str(port.transport), port.host_ip) for port in held.ports] == [
            (80, "tcp", "0.0.0.0"),
            (53, "udp", "127.0.0.1"),
        ]
        assert all(port.host_port > 0 for port in held.ports)
    finally:
        held.close()


def test_a_port_that_is_held_is_in_use_until_it_is_given_up(publisher: PortPublisher) -> None:
    held = result_of(publisher.bind("web", [PortRequest(80)]))
    port = held.ports[0].host_port
    with pytest.raises(PortInUse, match=f"Bind for 0.0.0.0:{port} failed: port is already allocated"):
        result_of(publisher.bind("other", [PortRequest(80, Transport.TCP, "", port, port)]))
    held.close()
    held.close()
    result_of(publisher.bind("other", [PortRequest(80, Transport.TCP, "", port, port)])).close()


def test_all_or_nothing(publisher: PortPublisher) -> None:
    held = result_of(publisher.bind("web", [PortRequest(80), PortRequest(81)]))
    first, second = (port.host_port for port in held.ports)
    held.close()
    blocker = result_of(publisher.bind("blocker", [PortRequest(81, Transport.TCP, "", second, second)]))
    wanted = [PortRequest(80, Transport.TCP, "", first, first), PortRequest(81, Transport.TCP, "", second, second)]
    with pytest.raises(PortInUse):
        result_of(publisher.bind("web", wanted))
    blocker.close()
    result_of(publisher.bind("web", wanted)).close()
