"""Domain objects to the bytes of a row, and back.

A row holds the object as JSON: a field that a newer version adds has a default, so that older rows can still be read,
and one that it drops is ignored.
"""

from __future__ import annotations

from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import msgspec

_ADDRESSES = (IPv4Address, IPv4Network)


def _plain(value: object) -> str:
    if isinstance(value, _ADDRESSES):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in a record")


def _rich(kind: type[Any], value: object) -> object:
    if kind in _ADDRESSES and isinstance(value, str):
        return kind(value)
    raise TypeError(f"{kind.__name__} has no form in a record")


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def encoded(value: object) -> bytes:
    return _encoder.encode(value)


class Decoder:
    """Rows of one kind back to objects.

    Raises:
        msgspec.ValidationError: the row is not of this kind.
    """

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        # Not before there is a row: looking through all types of a container takes 4 ms.
        return msgspec.json.Decoder(self._kind, dec_hook=_rich)

    def __call__(self, row: bytes) -> Any:
        return self._decoder.decode(row)
