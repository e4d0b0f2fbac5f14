"""`apiserver reconcile`: the reconcile of a start-up with no listener, for containers that end while nobody serves.

Whatever a container's monitor runs at its end may call this; root, run root and the exit status are an
interface between versions. 0: done. 1: it could not, and the next start of the service does it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from apiserver.daemon.clocks import keep_time
from apiserver.daemon.environment import take_invocation
from apiserver.daemon.lean import import_lean
from apiserver.daemon.options import UMASK, places_parser, read_options

STDERR = 2


def main(arguments: Sequence[str]) -> int:
    parser = places_parser("apiserver reconcile", "Clean up after containers that ended while no service was there.")
    options = read_options(parser, arguments)
    os.umask(UMASK)
    take_invocation()
    _keep_from_children()
    import_lean(tls=False)

    from twisted.internet import reactor

    from apiserver.daemon.assembly import build_engine
    from apiserver.daemon.logging import begin_logging
    from apiserver.daemon.once import run_once

    keep_time(reactor)
    begin_logging(options.log_level, options.log_format)
    return run_once(build_engine(options, reactor), reactor)


def _keep_from_children() -> None:
    """What we were given to hold for our own life, the exit program's turn, must end with us."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the one that listed them
            if int(name) > STDERR:
                os.set_inheritable(int(name), False)
