"""The standard streams of processes in containers, and further processes in them: the port `Streams`."""

from __future__ import annotations

from apiserver.local.streams.service import LocalStreams

__all__ = ["LocalStreams"]
