"""Between a taken-over connection and the standard streams of a process: attach and exec."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from apiserver.deferreds import to_the_end
from apiserver.engine.ports.runs import StartFailed
from apiserver.engine.ports.streams import ProcessStreams, Stream
from apiserver.errors import EngineError
from apiserver.http.errors import ClientGone
from apiserver.http.flavour import Flavour
from apiserver.http.hijack import Duplex
from apiserver.http.request import Request
from apiserver.wire.detach_keys import DetachScanner
from apiserver.wire.docker.versions import V1_42
from apiserver.wire.frames import MULTIPLEXED, RAW, frame

S = TypeVar("S", bound="ProcessStreams | None")

log = Logger()

_LIBPOD_4_7 = (4, 7)


def stream_type(request: Request, *, terminal: bool) -> str:
    """The content type of a hijack: told apart from 1.42 (libpod 4.7) on, by Docker only to who asks for an upgrade."""
    if request.flavour is Flavour.DOCKER:
        told = request.version >= V1_42 and request.getHeader(b"Upgrade") is not None
    else:
        told = request.version >= _LIBPOD_4_7
    return MULTIPLEXED if told and not terminal else RAW


async def opened(work: Coroutine[Any, Any, S]) -> S:
    """The streams that `work` opens; if the client has left by then, they are closed at once."""
    left = False

    async def open_them() -> S:
        streams = await work
        if left and streams is not None:
            streams.close()
        return streams

    try:
        return await to_the_end(open_them())
    except CancelledError:
        left = True
        raise


async def open_and_carry(
    duplex: Duplex,
    work: Coroutine[Any, Any, ProcessStreams | None],
    *,
    flavour: Flavour,
    terminal: bool,
    stdin: bool,
    detach_keys: bytes | None = None,
) -> bool:
    """As `carry`, with the streams that `work` opens; why they could not be is said in the place of output.

    Docker says so on standard output where it is the program's fault, Podman always on standard error, as an error.
    """
    try:
        streams = await opened(work)
    except EngineError as error:
        log.info("said in the stream: {error}", error=error)
        start = "Error: " if flavour is Flavour.LIBPOD else ""
        said = f"{start}{flavour.words(error)}\r\n".encode()
        as_output = flavour is Flavour.DOCKER and isinstance(error, StartFailed)
        await duplex.head_read()
        await duplex.write(said if terminal else frame(Stream.STDOUT if as_output else Stream.STDERR, said))
        return False
    if streams is None:
        return False
    return await carry(duplex, streams, terminal=terminal, stdin=stdin, detach_keys=detach_keys)


async def carry(
    duplex: Duplex, streams: ProcessStreams, *, terminal: bool, stdin: bool, detach_keys: bytes | None = None
) -> bool:
    """Carry bytes both ways until the output ends, the client leaves, or it types the detach keys.

    The end of what the client sends is the end of standard input alone. The streams are closed in any case.

    Args:
        terminal: output goes as it is; otherwise each piece is framed.
        stdin: what the client sends goes to the process; otherwise it is read and dropped.
        detach_keys: looked for in what the client sends, where there is a terminal.

    Returns:
        Whether it typed the detach keys.
    """
    scanner = DetachScanner(detach_keys) if detach_keys and terminal and stdin else None
    sending = Deferred.fromCoroutine(_send(duplex, streams, framed=not terminal))
    feeding = Deferred.fromCoroutine(_feed(duplex, streams if stdin else None, scanner))
    detached = False

    def fed(by_keys: bool) -> None:
        nonlocal detached
        detached = by_keys
        if by_keys:
            sending.cancel()

    feeding.addCallbacks(fed, _feeding_failed)
    try:
        await sending
    except CancelledError:
        if not detached:
            raise
    finally:
        feeding.cancel()
        streams.close()
    return detached


async def _send(duplex: Duplex, streams: ProcessStreams, *, framed: bool) -> None:
    await duplex.head_read()
    while (piece := await streams.read()) is not None:
        stream, data = piece
        await duplex.write(frame(stream, data) if framed else data)


async def _feed(duplex: Duplex, streams: ProcessStreams | None, scanner: DetachScanner | None) -> bool:
    """Whether it ended with the detach keys."""
    while data := await duplex.read():
        if streams is None:
            continue
        passed, detached = scanner.scan(data) if scanner is not None else (data, False)
        if passed:
            await streams.write(passed)
        if detached:
            return True
    if streams is not None:
        streams.close_write()
    return False


def _feeding_failed(failure: Failure) -> None:
    """The output tells how it ends: a process that no longer reads, or a client that left, is no failure of it."""
    if failure.check(CancelledError, ClientGone) is None:
        log.info("standard input ended: {reason}", reason=failure.getErrorMessage())
