"""The lines of JSON in which a Docker client is told how a long job goes on."""

from __future__ import annotations

from apiserver.jsonvalue import JsonObject


def status_line(status: str) -> JsonObject:
    return {"status": status}


def stream_line(text: str) -> JsonObject:
    """Text that the client prints as it is, so with its newline."""
    return {"stream": text}


def error_line(message: str, code: int = 0) -> JsonObject:
    """A failure after the answer has begun, when its status can no longer tell; `error` is for older clients."""
    detail: JsonObject = {"code": code, "message": message} if code else {"message": message}
    return {"errorDetail": detail, "error": message}
