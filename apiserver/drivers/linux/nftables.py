"""A look at the kernel's nftables by a socket: the program `nft` would take longer than what it is asked before."""

from __future__ import annotations

import socket
import struct

from apiserver.errors import HostError

_NETLINK_NETFILTER = 12
_NEWCHAIN, _GETCHAIN = 0x0A03, 0x0A04  # of the subsystem nftables
_REQUEST = 1
_INET = 1
_TABLE, _NAME, _USE = 1, 3, 6
_MESSAGE = struct.Struct("=IHHIIBBH")  # nlmsghdr, nfgenmsg
_ATTRIBUTE = struct.Struct("=HH")
_ANSWER = 64 * 1024


def in_use(table: str, chain: str) -> bool:
    """Whether a table of the family inet has this chain, and rules are in it, or lead to it.

    It does not block. False also where the kernel says anything else than the chain.

    Raises:
        HostError: the kernel cannot be asked.
    """
    names = _string(_TABLE, table) + _string(_NAME, chain)
    request = _MESSAGE.pack(_MESSAGE.size + len(names), _GETCHAIN, _REQUEST, 0, 0, _INET, 0, 0) + names
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER) as asked:
            asked.sendto(request, (0, 0))
            answer = asked.recv(_ANSWER)  # there is one by now: the kernel answers in the call
    except OSError as error:
        raise HostError(f"no look at nftables: {error.strerror}") from error
    kind = _MESSAGE.unpack_from(answer)[1]
    return kind == _NEWCHAIN and _number(answer, _USE) > 0


def _string(kind: int, value: str) -> bytes:
    data = value.encode() + b"\0"
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(data), kind) + data + bytes(-len(data) % 4)


def _number(answer: bytes, wanted: int) -> int:
    """An attribute that is a number; 0 where it is not there."""
    place = _MESSAGE.size
    while place + _ATTRIBUTE.size <= len(answer):
        length, kind = _ATTRIBUTE.unpack_from(answer, place)
        if kind == wanted:
            return int.from_bytes(answer[place + _ATTRIBUTE.size : place + length], "big")
        place += max(length + -length % 4, _ATTRIBUTE.size)
    return 0
