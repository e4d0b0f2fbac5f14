"""The daemon's life: lock and state, then listening, then ready; idle exit; and all of it back in reverse."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from apiserver.daemon.connections import Connections, CountingFactory
from apiserver.daemon.drain import Drain
from apiserver.daemon.endpoints import Endpoint
from apiserver.daemon.environment import Invocation
from apiserver.daemon.idle import IdleTracker
from apiserver.daemon.listen import Listener, listen
from apiserver.daemon.listeners_file import remove_listeners, write_listeners
from apiserver.daemon.notify import Notifier, StatusLine
from apiserver.daemon.options import Options
from apiserver.daemon.shutdown import Shutdown
from apiserver.daemon.sockets import ListenError, refuse_twice
from apiserver.deferreds import first_of
from apiserver.errors import EngineError

log = Logger()

ENGINE_STOP_LIMIT = 30.0  # seconds to finish writing state
BACKGROUND_LIMIT = 10.0  # seconds to clear up what clients have left
DRAIN_MARGIN = 5.0  # seconds for a drain to notice its own deadline
BINDING_LIMIT = 10.0  # seconds for a start under way to end, before it is undone


class Engine(Protocol):
    """What the daemon asks of the engine: to be there before anybody can connect, and to end after all have left."""

    async def start(self) -> None:
        """Lock the root, open the state, reconcile.

        Raises:
            EngineError: it cannot; for the lock, the message names who holds it.
        """

    def hurry(self) -> None:
        """A start that still waits for somebody else need not go on: it fails at once."""

    async def stop(self) -> None:
        """Write what is left and let go of the root; also called after a start that failed halfway."""


class Daemon:
    """One service in one process.

    Attributes:
        shutdown: its end; `exit_status` is the process's.
        tracker: who keeps it from leaving.
    """

    def __init__(
        self,
        options: Options,
        endpoints: Sequence[Endpoint],
        invocation: Invocation,
        reactor: Any,
    ) -> None:
        """
        Args:
            endpoints: where to listen, at least one.
        """
        self._options = options
        self._endpoints = endpoints
        self._invocation = invocation
        self._reactor = reactor
        self._notifier = Notifier(invocation.notify_socket)
        self._listeners: list[Listener] = []
        self._starting: Deferred[None] | None = None
        self._engine: Engine | None = None
        self._make_http: Callable[[str], IProtocolFactory] | None = None
        self.shutdown = Shutdown(reactor, reactor.stop, idle_window=options.idle_timeout)
        self.tracker = IdleTracker(reactor, options.idle_timeout, self._leave_if_idle)
        self._connections = Connections(self.tracker)
        self._status = StatusLine(self._notifier, self.tracker.counts, reactor)
        self.tracker.changed = self._status.changed

    @property
    def uris(self) -> tuple[str, ...]:
        """Where it listens now."""
        return tuple(listener.uri for listener in self._listeners)

    def hold(self, what: str) -> AbstractContextManager[None]:
        """Background work, which keeps the service from leaving while it is in this context."""
        return self.tracker.hold(what)

    def serve(self, engine: Engine, make_http: Callable[[str], IProtocolFactory]) -> None:
        """Start as soon as the reactor runs, and end with it.

        Args:
            make_http: the HTTP factory for a listener's URI; its protocols have a `connection`.
        """
        self._engine = engine
        self._make_http = make_http
        self._reactor.addSystemEventTrigger("before", "shutdown", self.shutdown.run)
        self._reactor.callWhenRunning(self._start)

    def signalled(self, name: str) -> None:
        """The first asks it to stop, a second not to wait for clients.

        A terminal that goes away sends SIGHUP twice, by the shell and by the kernel: it means the first alone.
        """
        log.info("{name} received", name=name)
        if not self.shutdown.begin(halt=True) and name != "SIGHUP":
            self.shutdown.hurry()

    def _start(self) -> None:
        self._starting = Deferred.fromCoroutine(self._bring_up())

    async def _bring_up(self) -> None:
        try:
            await self._bring_up_in_order()
        except (ListenError, EngineError, OSError) as error:
            log.error("cannot start: {error}", error=error)
            self.shutdown.begin(halt=True)
        except Exception:  # noqa: BLE001 - whatever it is, it ends the process with a line in the log
            log.failure("cannot start")
            self.shutdown.begin(halt=True)

    async def _bring_up_in_order(self) -> None:
        assert self._engine is not None
        assert self._make_http is not None
        self.shutdown.register("engine", self._engine.stop, ENGINE_STOP_LIMIT)
        self.shutdown.register("start", self._start_has_ended, BINDING_LIMIT)
        await self._engine.start()
        if self.shutdown.halt is not None:
            return  # told to stop meanwhile: what began is undone by the steps
        if self._options.pid_file is not None:
            # Not before the root is ours: the file may be that of the service which has it.
            self._write_pid(self._options.pid_file)
        drain = Drain(
            self._listeners,
            self._connections,
            self._notifier,
            self._reactor,
            limit=self._options.drain_limit,
            hurried=self.shutdown.hurried,
        )
        self.shutdown.register("background", self._background_has_ended, BACKGROUND_LIMIT + DRAIN_MARGIN)
        self.shutdown.register("connections", drain.run, self._options.drain_limit + DRAIN_MARGIN)
        self.shutdown.register("idle tracker", self._stop_counting)
        refuse_twice(self._endpoints, self._invocation.passed)
        for endpoint in self._endpoints:
            self._listeners.append(listen(endpoint, self._invocation.passed, self._make_factory, self._reactor))
        write_listeners(self._options.runroot, self.uris)
        self.shutdown.register("listeners file", lambda: remove_listeners(self._options.runroot))
        self.tracker.start()
        self.shutdown.served = True
        self._notifier.ready()
        self._status.changed()

    def _make_factory(self, uri: str) -> IProtocolFactory:
        assert self._make_http is not None
        return CountingFactory(self._make_http(uri), self._connections)

    def _start_has_ended(self) -> Deferred[None] | None:
        assert self._engine is not None
        self._engine.hurry()
        return self._starting

    async def _background_has_ended(self) -> None:
        """What those were about who were cut off is cleared up: a pull has files, and credentials, below the root."""
        limit: Deferred[None] = Deferred()
        timer = self._reactor.callLater(BACKGROUND_LIMIT, limit.callback, None)
        await first_of(self.tracker.no_work(), self.shutdown.hurried(), limit)
        if timer.active():
            timer.cancel()
        if self.tracker.background:
            log.warn("left unfinished: {counts}", counts=self.tracker.counts())

    def _stop_counting(self) -> None:
        self.tracker.stop()
        self._status.stop()

    def _write_pid(self, file: Path) -> None:
        file.write_text(f"{os.getpid()}\n")
        self.shutdown.register("pid file", lambda: file.unlink(missing_ok=True))

    def _leave_if_idle(self) -> None:
        """The window is over. Until nobody was found waiting, it can be called off.

        All of this happens in one turn of the reactor: nobody is accepted in between. Who comes after the look
        at a passed socket stays in its queue, for the next process; on a socket of our own, closing it takes them in.
        """
        if self.shutdown.halt is not None:
            return
        for listener in self._listeners:
            listener.pause()
        if any(listener.waiting() for listener in self._listeners):
            log.debug("idle exit called off: somebody came in")
            for listener in self._listeners:
                listener.resume()
        else:
            self.tracker.stop()
            self.shutdown.begin(halt=False)
