"""What Go programs call a processor."""

from __future__ import annotations

from typing import Final

_GO_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def go_architecture(machine: str) -> str:
    """`amd64` for the kernel's `x86_64`."""
    return _GO_ARCHITECTURES.get(machine, machine)
