"""All services of containers, built with their collaborators."""

from __future__ import annotations

from dataclasses import dataclass

from apiserver.engine.containers.attach import Attach
from apiserver.engine.containers.create import Create
from apiserver.engine.containers.execs import Execs
from apiserver.engine.containers.kill import Kill
from apiserver.engine.containers.logs import Logs
from apiserver.engine.containers.reconcile import Reconcile
from apiserver.engine.containers.registry import Registry
from apiserver.engine.containers.remove import Remove
from apiserver.engine.containers.resize import Resize
from apiserver.engine.containers.restart import Restart
from apiserver.engine.containers.start import Start
from apiserver.engine.containers.stop import Stop
from apiserver.engine.containers.wait import Wait


@dataclass(frozen=True, slots=True)
class Containers:
    """Names or ids are taken as clients write them, everywhere."""

    registry: Registry
    create: Create
    start: Start
    stop: Stop
    kill: Kill
    restart: Restart
    remove: Remove
    wait: Wait
    logs: Logs
    attach: Attach
    resize: Resize
    execs: Execs
    reconcile: Reconcile
