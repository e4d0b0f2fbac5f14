"""`apiserver serve`: the service in the foreground, with an exit status of our own.

The time from here to the first answer is a budget. The options are read before Twisted is imported, since
they decide whether OpenSSL is: Twisted imports it wherever it is installed, and it costs 60 to 130 ms.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from typing import Any

from apiserver.daemon.clocks import keep_time
from apiserver.daemon.environment import take_invocation
from apiserver.daemon.lean import import_lean
from apiserver.daemon.options import UMASK, read_options, serve_parser
from apiserver.daemon.signals import exit_on, heed, heeded_signals


def main(arguments: Sequence[str]) -> int:
    signals = heeded_signals()
    exit_on(signals)
    options = read_options(serve_parser("apiserver serve"), arguments)
    os.umask(UMASK)
    invocation = take_invocation()  # before Twisted, which takes a part of it away

    # Nearly all that is made while importing stays: looking through it for garbage is time lost, now and later.
    gc.disable()
    import_lean(tls=options.needs_tls)
    from twisted.internet import reactor as global_reactor

    from apiserver.daemon.assembly import build, where_to_listen
    from apiserver.daemon.logging import begin_logging
    from apiserver.daemon.service import Daemon

    reactor: Any = global_reactor
    keep_time(reactor)
    begin_logging(options.log_level, options.log_format)
    # Before the daemon's own start, which is the next to be called.
    reactor.callWhenRunning(lambda: heed(signals, reactor.callFromThread, daemon.signalled))
    daemon: Daemon = build(options, where_to_listen(options, invocation), invocation=invocation, reactor=reactor)

    gc.freeze()
    gc.enable()
    reactor.run()
    return daemon.shutdown.exit_status
