"""`twistd apiserver`: the options and the service that the plugin names."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.logger import ILogObserver
from twisted.python import usage

from apiserver.daemon.clocks import keep_time
from apiserver.daemon.environment import take_invocation
from apiserver.daemon.logging import observer
from apiserver.daemon.options import UMASK, read_options, serve_parser
from apiserver.daemon.options import Options as ServeOptions
from apiserver.daemon.service import Daemon
from apiserver.daemon.signals import exit_on, heed, heeded_signals


class Options(usage.Options):
    """The command line of `apiserver serve`, by the same parser."""

    serve: ServeOptions

    def parseOptions(self, options: Sequence[str] | None = None) -> None:  # noqa: N802 - Twisted's name
        self.serve = read_options(serve_parser("twistd apiserver"), list(options or ()))


class ApiService(Service):
    """Brings the daemon to twistd's application, and its exit status to the process."""

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._signals = heeded_signals()
        exit_on(self._signals)
        self._invocation = take_invocation()  # before twistd may fork: the descriptors are meant for this PID

    def setServiceParent(self, parent: Any) -> None:  # noqa: N802 - Twisted's name
        # twistd asks the application for a log observer: ours, as in `apiserver serve`.
        log_observer = observer(sys.stderr, self._options.log_level, self._options.log_format)
        parent.setComponent(ILogObserver, log_observer)
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        super().startService()  # type: ignore[no-untyped-call]
        from twisted.internet import reactor as global_reactor

        from apiserver.daemon.assembly import build, where_to_listen

        reactor: Any = global_reactor
        keep_time(reactor)
        os.umask(UMASK)  # twistd has chosen one if it became a daemon
        endpoints = where_to_listen(self._options, self._invocation)
        # Before the daemon's own start, which is the next to be called.
        reactor.callWhenRunning(lambda: heed(self._signals, reactor.callFromThread, daemon.signalled))
        daemon: Daemon = build(self._options, endpoints, invocation=self._invocation, reactor=reactor)
        atexit.register(_end_with, lambda: daemon.shutdown.exit_status)


def makeService(options: Options) -> ApiService:  # noqa: N802 - twistd's name
    return ApiService(options.serve)


def _end_with(status: Callable[[], int]) -> None:
    """Be the last to run, after twistd has removed its pid file, and end with our status instead of its own."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed as we were started
            with suppress(OSError):  # a terminal that is gone, perhaps: our status counts all the same
                stream.flush()
    os._exit(status())
