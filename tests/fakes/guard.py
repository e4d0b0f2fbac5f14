"""What a service was in the middle of, in memory."""

from __future__ import annotations

from collections.abc import Collection

from tests.fakes.machine import Machine


class FakeGuard:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def keep(self, container_ids: Collection[str]) -> None:
        assert self._machine.unsettled >= set(container_ids), "nobody would have finished what an earlier one began"
        self._machine.unsettled = set(container_ids)

    def begin(self, what: str) -> None:
        self._machine.unsettled.add(what)

    def attend(self) -> None:
        self._machine.guarded = True

    def done(self, what: str) -> None:
        self._machine.unsettled.discard(what)
