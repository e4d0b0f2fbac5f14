"""From what a handler returned or raised to what the client gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from apiserver.errors import Declined, EngineError, HostError, RegistryError, RuntimeRefused
from apiserver.http import middleware
from apiserver.http.errors import ClientGone, status_of
from apiserver.http.reply import reply_error

if TYPE_CHECKING:
    from apiserver.http.request import Request

log = Logger()


class Moved(Exception):
    """The path must be asked for in its clean form.

    Attributes:
        location: path and query.
    """

    def __init__(self, location: bytes) -> None:
        super().__init__(location)
        self.location = location


def whole(request: Request, body: bytes) -> None:
    """Send `body` with its length, in one write."""
    if request.gone or request.finished:
        return
    if request.settings.trace:
        middleware.trace_response_body(request, body)
    if request.code not in (204, 304):
        request.setHeader(b"Content-Length", b"%d" % len(body))
    request.write(body)
    request.finish()


def preflight(request: Request) -> bytes:
    """The answer to OPTIONS on a known path where CORS is configured; the headers are on every answer."""
    request.setResponseCode(204)
    return b""


def later(request: Request, result: Any) -> None:
    """Answer when `result`, a Deferred or what a handler returned, is there."""
    if isinstance(result, Deferred):
        request.handling = result
        result.addCallbacks(_handled, _failed, callbackArgs=(request,), errbackArgs=(request,))
        result.addErrback(_lost, request)
        return
    try:
        _handled(result, request)
    except Exception as error:  # noqa: BLE001  # as of a Deferred
        fail(request, error)


def _handled(result: Any, request: Request) -> None:
    if request.hijacked is not None:
        request.hijacked.close()
    elif request.stream is not None:
        request.stream.finish()
    elif isinstance(result, bytes):
        whole(request, result)
    elif not request.gone and not request.finished:
        raise TypeError(f"the handler of {request.route} returned {type(result).__name__} and not bytes")


def _failed(failure: Failure, request: Request) -> None:
    assert failure.value is not None
    fail(request, failure.value, failure)


def _lost(failure: Failure, request: Request) -> None:
    assert failure.value is not None
    fail(request, failure.value, failure)


def fail(request: Request, error: BaseException, failure: Failure | None = None) -> None:
    """Answer with what `error` is; once an answer has begun the connection is dropped instead."""
    if isinstance(error, Moved) and not request.startedWriting:
        request.setResponseCode(301)
        request.setHeader(b"Location", error.location)
        whole(request, b"")
        return
    left = request.gone or request.finished
    if request.hijacked is not None and isinstance(error, CancelledError):
        request.hijacked.close()  # only a client that leaves, or the end of the service, cancels it
        left = True
    if left or isinstance(error, ClientGone):
        _left(request, error, failure)
        return
    status = status_of(error)
    if status == 500:
        _log(request, error, failure)
    if request.hijacked is not None:
        request.hijacked.close()
    elif request.startedWriting:
        log.info(
            "{reference_id} dropped after its answer had begun: {error}",
            reference_id=request.reference_id,
            error=str(error),
        )
        request.abandon()
    else:
        request.responseHeaders.removeHeader(b"Content-Length")
        whole(request, reply_error(request, error))


def _log(request: Request, error: BaseException, failure: Failure | None) -> None:
    """One line for what others did not do, and a traceback for what must be our own fault."""
    fields: dict[str, Any] = {
        "reference_id": request.reference_id,
        "method": request.method.decode("ascii", "replace"),
        "uri": middleware.shown_uri(request.uri),
        "error": str(error),
    }
    if isinstance(error, Declined):
        return
    if isinstance(error, RegistryError):
        log.warn("{reference_id} a registry failed: {error}", **fields)
    elif isinstance(error, RuntimeRefused):
        log.warn("{reference_id} {method} {uri} failed: {error}", **fields)
    elif isinstance(error, HostError):
        log.error("{reference_id} {method} {uri} failed: {error}", **fields)
    else:
        log.failure("{reference_id} {method} {uri} failed", failure=failure or Failure(error), **fields)


def _left(request: Request, error: BaseException, failure: Failure | None) -> None:
    """Nobody reads an answer: a cancelled handler is as it should be, anything else is worth a line."""
    if isinstance(error, CancelledError | ClientGone):
        log.debug("{reference_id} left by its client", reference_id=request.reference_id)
    elif isinstance(error, EngineError):
        log.info("{reference_id} left by its client: {error}", reference_id=request.reference_id, error=str(error))
    else:
        log.failure(
            "{reference_id} failed after its client had left",
            failure=failure or Failure(error),
            reference_id=request.reference_id,
        )
    if isinstance(error, ClientGone) and not request.gone and not request.finished:
        request.abandon()
