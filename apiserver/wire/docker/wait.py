"""How a container ended, as `wait` tells it."""

from __future__ import annotations

from apiserver.engine.containers.wait import WaitResult
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.status import UNKNOWN_EXIT


def wait_json(result: WaitResult) -> JsonObject:
    """`Error` is null in the good case, not an empty object or text: clients take anything else for a failure."""
    code = UNKNOWN_EXIT if result.code is None else result.code
    return {"StatusCode": code, "Error": {"Message": result.error} if result.error else None}
