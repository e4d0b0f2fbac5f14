"""The recorded output of containers: the port `LogSource` over conmon's k8s-file."""

from __future__ import annotations

from apiserver.local.logs.service import LocalLogs

__all__ = ["LocalLogs"]
