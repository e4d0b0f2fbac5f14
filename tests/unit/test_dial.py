"""How long is waited for each of the places where a server may be."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from apiserver.drivers.registry_proxy import dial
from apiserver.drivers.registry_proxy.connections import Trust, Unreachable, connect
from apiserver.drivers.registry_proxy.dial import first_reached
from apiserver.drivers.registry_proxy.origins import Origin
from apiserver.drivers.registry_proxy.server import Proxy, Registry
from apiserver.drivers.registry_proxy.upstream import Upstream


class Waiting:
    """Time that goes on by attempts alone, each of which takes all that it may unless `takes` has it for its place."""

    def __init__(self, **takes: float) -> None:
        self.takes = takes
        self.now = 100.0
        self.waited: list[tuple[str, float]] = []

    def attempt(self, place: str, limit: float) -> str:
        takes = self.takes.get(place, limit)
        self.waited.append((place, limit))
        self.now += min(takes, limit)
        if takes >= limit:
            raise TimeoutError(place)
        if place.startswith("refuses"):
            raise ConnectionRefusedError(place)
        return place

    def first(self, *places: str, limit: float = 30.0) -> str:
        return first_reached(places, limit, self.attempt, now=lambda: self.now)


def test_one_limit_is_shared_out_over_all_places() -> None:
    time = Waiting()
    with pytest.raises(TimeoutError, match="c"):
        time.first("a", "b", "c")
    assert (time.waited, time.now) == ([("a", 10.0), ("b", 10.0), ("c", 10.0)], 130.0)


def test_what_one_does_not_need_is_for_the_others() -> None:
    time = Waiting(refuses=3.0, c=1.0)
    assert time.first("refuses", "b", "c", "d") == "c"
    assert time.waited == [("refuses", 7.5), ("b", 9.0), ("c", 9.0)]


def test_one_place_may_have_it_all() -> None:
    assert Waiting(a=29.0).first("a") == "a"


def test_a_share_is_of_two_seconds_at_least_and_some_are_then_not_tried() -> None:
    time = Waiting()
    with pytest.raises(TimeoutError, match="c"):
        time.first("a", "b", "c", "d", "e", limit=5.0)
    assert time.waited == [("a", 2.0), ("b", 2.0), ("c", 1.0)]


def test_of_several_failures_it_is_the_last() -> None:
    with pytest.raises(ConnectionRefusedError, match="refuses_too"):
        Waiting(refuses=0.0, refuses_too=0.0).first("refuses", "refuses_too")


def test_where_no_time_is_left_nothing_is_tried() -> None:
    time = Waiting()
    with pytest.raises(TimeoutError):
        time.first("a", limit=-1.0)
    assert time.waited == []


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Of the attempts at the three addresses of any name, where nobody answers, without a wait."""
    seen: list[float] = []

    def attempt(_: Any, limit: float) -> socket.socket:
        seen.append(limit)
        raise TimeoutError

    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{each}", 443)) for each in (1, 2, 3)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    monkeypatch.setattr(dial, "_connected", attempt)
    return seen


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_addresses_of_a_server_share_thirty_seconds(limits: list[float], scheme: str) -> None:
    with pytest.raises(Unreachable, match="i/o timeout"):
        connect(Origin(scheme, "m.example", 443), Trust(True, "", "m.example"), {})
    assert [each <= most for each, most in zip(limits, (10, 15, 30), strict=True)] == [True, True, True]


def test_plain_http_is_tried_within_them_too_where_a_registry_may_have_no_tls(limits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Proxy(listening, Registry("m", "m.example", True), {}, lambda _: True, lambda *_: None)
        with pytest.raises(Unreachable, match=r"^dial tcp m.example:80: i/o timeout$"):
            proxy.places(Upstream(proxy.trust, {}))
    assert [each <= most for each, most in zip(limits, (5, 7.5, 15, 10, 15, 30), strict=True)] == [True] * 6
