"""Seeing the connections out."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from apiserver.daemon.connections import Connections
from apiserver.daemon.drain import Drain
from apiserver.daemon.idle import IdleTracker
from apiserver.daemon.notify import Notifier
from apiserver.http.connection import Connection, Phase


class FakeListener:
    stopped = 0

    def stop(self) -> None:
        self.stopped += 1


class FakeLine:
    """What carries a connection; notes what it is told, in order."""

    def __init__(self, connection: Connection, told: list[str]) -> None:
        self._connection = connection
        self._told = told
        connection.attach(self, None)

    def close_when_idle(self) -> None:
        self._told.append("close when idle")

    def end_endless(self) -> None:
        self._told.append("end endless")

    def abort(self) -> None:
        self._told.append("abort")
        self._connection.become(Phase.CLOSED)


class RecordingNotifier(Notifier):
    def __init__(self) -> None:
        super().__init__(None)
        self.said: list[str] = []

    def send(self, *states: str) -> None:
        self.said.extend(states)


class Leaving:
    def __init__(self, limit: float = 10) -> None:
        self.clock = Clock()
        self.tracker = IdleTracker(self.clock, 0, lambda: None)
        self.connections = Connections(self.tracker)
        self.listener = FakeListener()
        self.notifier = RecordingNotifier()
        self.hurry: Deferred[None] = Deferred()
        self.told: list[str] = []
        self.drain = Drain(
            [self.listener],
            self.connections,
            self.notifier,
            self.clock,
            limit=limit,
            hurried=lambda: self.hurry,
        )

    def connection(self) -> Connection:
        connection = Connection("unix:///a")
        self.connections.opened(connection)
        FakeLine(connection, self.told)
        return connection

    def begin(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.drain.run())


def test_with_nobody_there_it_is_over_at_once_after_systemd_was_told() -> None:
    leaving = Leaving()
    assert leaving.begin().called
    assert (leaving.listener.stopped, leaving.notifier.said) == (1, ["STOPPING=1"])
    assert leaving.clock.getDelayedCalls() == []


def test_each_connection_is_asked_to_end_and_its_end_is_waited_for() -> None:
    leaving = Leaving()
    connection = leaving.connection()
    done = leaving.begin()
    assert leaving.told == ["close when idle", "end endless"]
    leaving.clock.advance(5)
    connection.become(Phase.SERVING)
    states = [done.called]
    connection.become(Phase.CLOSED)
    assert [*states, done.called] == [False, True]
    assert leaving.clock.getDelayedCalls() == []
    assert "abort" not in leaving.told


def test_systemd_hears_every_second_that_a_drain_takes_long() -> None:
    leaving = Leaving()
    leaving.connection()
    leaving.begin()
    leaving.clock.pump([1, 1, 1])
    assert leaving.notifier.said.count("EXTEND_TIMEOUT_USEC=5000000") == 4
    assert any(said.startswith("STATUS=leaving; 1 connections") for said in leaving.notifier.said)


def test_the_deadline_cuts_off_who_is_left_and_says_so() -> None:
    leaving = Leaving(limit=2)
    leaving.connection()
    with capturedLogs() as logged:
        done = leaving.begin()
        leaving.clock.advance(2)
    assert done.called
    assert leaving.told[-1] == "abort"
    assert any("cut off" in event["log_format"] for event in logged)


def test_a_second_signal_cuts_the_wait_short() -> None:
    leaving = Leaving()
    leaving.connection()
    done = leaving.begin()
    leaving.hurry.callback(None)
    assert done.called
    assert leaving.told[-1] == "abort"
    assert leaving.clock.getDelayedCalls() == []


def test_a_hijacked_connection_is_counted_until_it_is_closed() -> None:
    leaving = Leaving()
    connection = leaving.connection()
    connection.become(Phase.HIJACKED)
    assert (leaving.tracker.active, leaving.tracker.hijacked) == (1, 1)
    connection.become(Phase.CLOSED)
    assert (leaving.tracker.active, leaving.tracker.hijacked) == (0, 0)
