"""The socket holder: keeps a listening descriptor, and starts the service whenever a connection is queued.

What a socket unit of systemd does, again and again; `systemd-socket-activate` shows only a first activation,
since it becomes the service.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

# LISTEN_PID has to be the service's own: only the process that becomes the service knows it.
_BECOME = (
    "import os, sys\n"
    "os.dup2(int(sys.argv[1]), 3)\n"
    "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='api')\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)

STOP_LIMIT = 20.0


class Holder:
    """Holds one unix socket; at most one service at a time is there for it.

    Attributes:
        statuses: exit status of each service that was started and ended, in order.
    """

    def __init__(self, path: Path, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None):
        """
        Args:
            command: what to start; its program by absolute path.
        """
        self.path = path
        self.statuses: list[int] = []
        self.service: subprocess.Popen[bytes] | None = None
        self._command = list(command)
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        self._listening.listen(socket.SOMAXCONN)
        self._wake, self._woken = os.pipe()
        self._sources: list[socket.socket | int] = [self._listening, self._wake]
        self._thread = threading.Thread(target=self._hold, name=f"holder of {path}")

    def __enter__(self) -> Holder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Start no more; the one that runs is told to end, and its status recorded."""
        os.close(self._woken)
        if self.service is not None and self.service.poll() is None:
            self.service.terminate()
        self._thread.join(STOP_LIMIT)
        if self.service is not None and self.service.poll() is None:
            self.service.kill()
            self._thread.join()
        os.close(self._wake)
        self._listening.close()

    @property
    def inode(self) -> int:
        """Of the socket file: the same for as long as nobody unlinks or binds it anew."""
        return self.path.stat().st_ino

    def listens(self) -> bool:
        """Whether the socket that is held has never been shut down."""
        return bool(self._listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))

    def _hold(self) -> None:
        while True:
            readable, _, _ = select.select(self._sources, [], [])
            if self._wake in readable:
                return
            self._serve_once()

    def _serve_once(self) -> None:
        number = self._listening.fileno()
        with self._log.open("ab") as log:
            self.service = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BECOME, str(number), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                pass_fds=[number],
            )
        self.statuses.append(self.service.wait())
