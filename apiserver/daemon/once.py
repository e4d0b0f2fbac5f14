"""The engine's start-up and nothing else: for `apiserver reconcile`."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from apiserver.daemon.service import Engine
from apiserver.errors import EngineError

log = Logger()


def run_once(engine: Engine, reactor: Any) -> int:
    """Start the engine, which reconciles, and stop it again; 0 if both went well, otherwise 1 and a line in the log."""
    status = 1

    async def both() -> None:
        nonlocal status
        try:
            try:
                await engine.start()
            finally:
                await engine.stop()
            status = 0
        except (EngineError, OSError) as error:
            log.error("cannot reconcile: {error}", error=error)
        except Exception:  # noqa: BLE001 - the caller learns it by the status, the reader of the log by this
            log.failure("cannot reconcile")
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(both()))
    reactor.run()
    return status
