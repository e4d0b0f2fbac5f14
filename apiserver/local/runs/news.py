"""Which runs have ended: told once for each, as soon as the kernel knows."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from apiserver.drivers.linux.pidfd import Process
from apiserver.drivers.linux.readiness import Reactor
from apiserver.engine.ports.runs import RunKey

log = Logger()

Listener = Callable[[RunKey], object]


class News:
    """Watches first processes by pidfd: that costs one descriptor for each running container, and no polling."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._listeners: list[Listener] = []
        self._watched: dict[RunKey, Process] = {}

    def tell(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def watch(self, key: RunKey, pid: int) -> None:
        """Begin to watch; a process that is gone already is news too, though not before this returns."""
        if key in self._watched:
            return
        try:
            process = Process(self._reactor, pid)
        except ProcessLookupError:
            self._reactor.callLater(0, self._announce, key)
            return
        self._watched[key] = process
        process.ended().addCallback(lambda _: self._ended(key, process))

    def process(self, key: RunKey) -> Process | None:
        """The first process of a watched run; None where it is gone, or not watched."""
        return self._watched.get(key)

    def forget(self, key: RunKey) -> None:
        """Watch it no longer: whoever asks undoes the run."""
        process = self._watched.pop(key, None)
        if process is not None:
            process.close()

    def close(self) -> None:
        for key in list(self._watched):
            self.forget(key)

    def _ended(self, key: RunKey, process: Process) -> None:
        if self._watched.get(key) is not process:
            return  # forgotten: closing wakes whoever waits
        del self._watched[key]
        process.close()
        self._announce(key)

    def _announce(self, key: RunKey) -> None:
        for listener in self._listeners:
            try:
                listener(key)
            except Exception:  # noqa: BLE001  # one listener's fault must not keep the news from the next
                log.failure("a listener failed at the end of {key}", key=key)
