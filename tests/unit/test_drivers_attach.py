"""conmon's attach socket, with the test at conmon's end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from apiserver.drivers.conmon.attach import Attachment, Stream
from apiserver.drivers.linux.seqpacket import PacketSocket
from tests.support.hand_reactor import HandReactor


@pytest.fixture
def hand() -> HandReactor:
    return HandReactor()


@pytest.fixture
def ends(hand: HandReactor) -> Iterator[tuple[Attachment, socket.socket]]:
    ours, conmon = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    attachment = Attachment(PacketSocket(hand, ours))
    yield attachment, conmon
    attachment.close()
    conmon.close()


def now(work: Any) -> Any:
    got: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(got.append)
    assert got, "it still waits"
    return got[0]


def test_packets_of_one_stream_that_are_there_are_joined(ends: tuple[Attachment, socket.socket]) -> None:
    attachment, conmon = ends
    for packet in (b"\x02one ", b"\x02two", b"\x03err", b"\x02three"):
        conmon.send(packet)
    assert now(attachment.read()) == (Stream.STDOUT, b"one two")
    assert now(attachment.read()) == (Stream.STDERR, b"err")
    assert now(attachment.read()) == (Stream.STDOUT, b"three")


def test_a_piece_has_a_limit(ends: tuple[Attachment, socket.socket]) -> None:
    attachment, conmon = ends
    for _ in range(12):
        conmon.send(b"\x02" + bytes(8192))
    sizes = [len(now(attachment.read())[1]) for _ in range(2)]
    assert sizes == [65536, 32768]


def test_the_end_comes_after_what_was_joined_and_stays(ends: tuple[Attachment, socket.socket]) -> None:
    attachment, conmon = ends
    conmon.send(b"\x02last")
    conmon.close()
    assert now(attachment.read()) == (Stream.STDOUT, b"last")
    assert now(attachment.read()) is None
    assert now(attachment.read()) is None


def test_output_is_whole_where_stdin_was_not_read_to_its_end(ends: tuple[Attachment, socket.socket]) -> None:
    attachment, conmon = ends
    conmon.send(b"\x02said")
    conmon.send(b"\x03and more")
    now(attachment.write(b"nobody reads this"))
    conmon.close()  # the kernel tells us of a reset, and before what is queued
    assert now(attachment.read()) == (Stream.STDOUT, b"said")
    assert now(attachment.read()) == (Stream.STDERR, b"and more")
    assert now(attachment.read()) is None


def test_stdin_goes_in_packets_that_conmon_takes_whole(ends: tuple[Attachment, socket.socket]) -> None:
    attachment, conmon = ends
    now(attachment.write(bytes(70_000)))
    assert [len(conmon.recv(1 << 20)) for _ in range(3)] == [32768, 32768, 4464]
    attachment.close_write()
    assert conmon.recv(10) == b""


def test_a_reader_that_waits_hears_of_the_close(ends: tuple[Attachment, socket.socket]) -> None:
    attachment, _ = ends
    reading = Deferred.fromCoroutine(attachment.read())
    attachment.close()
    got: list[Any] = []
    reading.addBoth(got.append)
    assert got == [None]


def test_who_leaves_ends_its_input_first_and_takes_what_still_comes_for_a_moment(
    hand: HandReactor, ends: tuple[Attachment, socket.socket]
) -> None:
    attachment, conmon = ends
    attachment.close()
    assert now(attachment.read()) is None
    assert conmon.recv(10) == b"", "conmon sees the end of the input,"
    for _ in range(3):
        conmon.send(b"\x02" + bytes(8192))
        hand.turn()  # and what it writes meanwhile does not fail
    hand.advance(1)
    with pytest.raises(BrokenPipeError):
        conmon.send(b"\x02")
    assert hand.readers == []


def test_who_leaves_after_the_end_leaves_nothing_behind(
    hand: HandReactor, ends: tuple[Attachment, socket.socket]
) -> None:
    attachment, conmon = ends
    attachment.close()
    conmon.close()
    hand.turn()
    assert (hand.readers, hand.getDelayedCalls()) == ([], [])
    attachment.close()
