"""The keys by which a client leaves a terminal without ending what runs there."""

from __future__ import annotations

from typing import Final

from apiserver.errors import InvalidParameter

DEFAULT: Final = b"\x10\x11"
"""ctrl-p, ctrl-q."""


def read_keys(text: str) -> bytes:
    """A sequence such as `ctrl-p,ctrl-q` or `ctrl-a,d`; empty for the default.

    Raises:
        InvalidParameter: a key that is none.
    """
    return bytes(_key(key) for key in text.split(",")) if text else DEFAULT


def _key(key: str) -> int:
    if len(key) == 1 and key.isascii():
        return ord(key)
    letter = key.removeprefix("ctrl-").lower()
    if key.startswith("ctrl-") and len(letter) == 1 and (letter in "@[\\]^_" or "a" <= letter <= "z"):
        return ord(letter.upper()) - ord("@")
    raise InvalidParameter(f"detachKeys: invalid detach keys provided: Unknown character: '{key[:20]}'")


class DetachScanner:
    """Looks for the sequence in what a client types; the beginning of one is held back until it is clear."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._matched = 0

    def scan(self, data: bytes) -> tuple[bytes, bool]:
        """What is to be passed on of `data`, and whether the sequence is complete; what follows it is dropped."""
        passed = bytearray()
        for byte in data:
            if byte != self._keys[self._matched]:
                passed += self._keys[: self._matched]
                self._matched = 0
            if byte == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    return bytes(passed), True
            else:
                passed.append(byte)
        return bytes(passed), False
