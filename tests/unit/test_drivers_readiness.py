"""Descriptors of ours on a reactor that is worked by hand."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from apiserver.drivers.linux.pipes import PipeReader, PipeWriter
from apiserver.drivers.linux.readiness import Descriptor
from apiserver.drivers.linux.seqpacket import PacketSocket
from tests.support.hand_reactor import HandReactor


@pytest.fixture
def hand() -> HandReactor:
    return HandReactor()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test closed it


def started(work: Any) -> Deferred[Any]:
    return Deferred.fromCoroutine(work)


def result(deferred: Deferred[Any]) -> Any:
    got: list[Any] = []
    deferred.addBoth(got.append)
    assert got, "it still waits"
    if isinstance(got[0], Failure):
        got[0].raiseException()
    return got[0]


def test_a_reader_waits_and_is_woken(hand: HandReactor, pipe: tuple[int, int]) -> None:
    reader = PipeReader(hand, os.dup(pipe[0]))
    reading = started(reader.read())
    assert not reading.called
    os.write(pipe[1], b"data")
    hand.turn()
    assert result(reading) == b"data"
    assert hand.readers == []
    reader.close()


def test_a_woken_reader_finds_nothing_and_waits_on(hand: HandReactor, pipe: tuple[int, int]) -> None:
    reader = PipeReader(hand, os.dup(pipe[0]))
    reading = started(reader.read())
    hand.turn()
    assert not reading.called
    assert len(hand.readers) == 1
    reader.close()
    assert result(reading) == b""


def test_one_descriptor_has_one_waiter_a_direction(hand: HandReactor, pipe: tuple[int, int]) -> None:
    descriptor = Descriptor(hand, os.dup(pipe[0]))
    waiting: list[Deferred[None]] = [descriptor.readable(), descriptor.writable()]
    for wait in (descriptor.readable, descriptor.writable):
        with pytest.raises(RuntimeError, match="somebody else"):
            wait()
    descriptor.close()
    for each in waiting:
        assert result(each) is None
    assert descriptor.fileno() == -1
    assert result(descriptor.readable()) is None
    assert result(descriptor.writable()) is None
    descriptor.close()


@pytest.mark.parametrize("direction", ["readable", "writable"])
def test_a_cancelled_waiter_leaves_the_reactor(hand: HandReactor, pipe: tuple[int, int], direction: str) -> None:
    descriptor = Descriptor(hand, os.dup(pipe[0]))
    wait: Callable[[], Deferred[None]] = getattr(descriptor, direction)
    first = wait()
    first.cancel()
    with pytest.raises(CancelledError):
        result(first)
    assert (hand.readers, hand.writers) == ([], [])
    wait()
    descriptor.close()


def test_a_hang_up_wakes_who_waits(hand: HandReactor, pipe: tuple[int, int]) -> None:
    reader = PipeReader(hand, os.dup(pipe[0]))
    reading = started(reader.read())
    os.close(pipe[1])
    hand.readers.pop().connectionLost(Failure(ConnectionDone()))
    assert result(reading) == b""
    reader.close()


def test_an_ending_pipe_is_at_its_end_when_empty(hand: HandReactor, pipe: tuple[int, int]) -> None:
    reader = PipeReader(hand, os.dup(pipe[0]))
    os.write(pipe[1], b"left")
    reader.end_when_empty()
    assert result(started(reader.read())) == b"left"
    assert result(started(reader.read())) == b""
    reader.close()


def test_a_busy_pipe_gives_the_reactor_its_turns(hand: HandReactor, pipe: tuple[int, int]) -> None:
    reader = PipeReader(hand, os.dup(pipe[0]))
    os.write(pipe[1], bytes(100))
    got = 0

    async def read_all() -> None:
        nonlocal got
        while got < 100:
            got += len(await reader.read(1))

    reading = started(read_all())
    assert got == 16
    while not reading.called:
        hand.turn()
    assert got == 100
    reader.close()


def test_a_writer_waits_for_room(hand: HandReactor, pipe: tuple[int, int]) -> None:
    writer = PipeWriter(hand, os.dup(pipe[1]))
    writing = started(writer.write(bytes(200_000)))
    assert not writing.called
    got = 0
    while got < 200_000:
        got += len(os.read(pipe[0], 65536))
        hand.turn()
    assert result(writing) is None
    writer.close()


def test_a_writer_hears_that_nobody_reads_or_that_it_is_closed(hand: HandReactor, pipe: tuple[int, int]) -> None:
    writer = PipeWriter(hand, os.dup(pipe[1]))
    writing = started(writer.write(bytes(200_000)))
    writer.close()
    with pytest.raises(BrokenPipeError):
        result(writing)
    os.close(pipe[0])
    other = PipeWriter(hand, os.dup(pipe[1]))
    with pytest.raises(BrokenPipeError):
        result(started(other.write(b"x")))
    other.close()


def test_packets_keep_their_boundaries(hand: HandReactor) -> None:
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours, theirs = (PacketSocket(hand, end) for end in pair)
    for packet in (b"a", b"bb", b"ccc"):
        result(started(ours.send(packet)))
    assert [result(started(theirs.receive())) for _ in range(3)] == [b"a", b"bb", b"ccc"]
    ours.close_write()
    assert result(started(theirs.receive())) == b""
    result(started(theirs.send(b"still")))
    assert result(started(ours.receive())) == b"still"
    ours.close()
    with pytest.raises(BrokenPipeError):
        result(started(ours.send(b"x")))
    assert result(started(ours.receive())) == b""
    ours.close_write()
    theirs.close()


def test_a_full_socket_holds_the_sender_back(hand: HandReactor) -> None:
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours, theirs = (PacketSocket(hand, end) for end in pair)

    async def flood() -> None:
        for _ in range(100):
            await ours.send(bytes(32768))

    sending = started(flood())
    assert not sending.called
    for _ in range(100):
        receiving = started(theirs.receive())
        while not receiving.called:
            hand.turn()
        assert len(result(receiving)) == 32768
        hand.turn()
    assert result(sending) is None
    ours.close()
    theirs.close()
