"""The real service as a process of its own, on a unix socket, with a root and a run root of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support import leftovers

PROGRAM = Path(sys.executable).with_name("apiserver")

WITHOUT_UNIFIED = (
    *("unshare", "--mount", "--propagation", "private", "sh", "-c"),
    'umount /sys/fs/cgroup/unified 2>/dev/null || :; exec "$@"',
    "sh",
)
"""A `wrapper` in which crun works on a host with hybrid cgroups; the service's mounts are then seen there alone."""

ON_PURE_V2 = (
    *("unshare", "--mount", "--propagation", "private", "sh", "-c"),
    'umount --recursive /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"',
    "sh",
)
"""A `wrapper` in which the host has a unified hierarchy; the controllers that v1 has taken are missing in it."""

FOLDERS = Path(f"/tmp/a{os.getpid()}")
"""Where this run's services live. Short: a socket's path has at most 107 bytes."""

START_LIMIT = 30.0
STOP_LIMIT = 30.0


class UnixConnection(http.client.HTTPConnection):
    """Plain blocking HTTP over a unix socket, for preparing and clearing up."""

    def __init__(self, path: Path, timeout: float = 60) -> None:
        super().__init__("d", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Service:
    """One root, and at most one process serving it at a time.

    Args:
        options: of `apiserver serve`, in every start.
        wrapper: a command in front, which must exec the rest.
    """

    def __init__(self, *options: str, wrapper: Sequence[str] = (), program: Path = PROGRAM) -> None:
        FOLDERS.mkdir(mode=0o755, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="", dir=FOLDERS))
        self.folder.chmod(0o755)  # a container's user has to reach its root
        self.root = self.folder / "root"
        self.runroot = self.folder / "run"
        self.socket = self.folder / "s"
        self.log_path = self.folder / "log"
        self._before = leftovers.everything(self.folder)
        self._command = [
            *(*wrapper, str(program), "serve", "--root", str(self.root), "--runroot", str(self.runroot)),
            *("--listen", f"unix:{self.socket}"),
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    # --- its life ---

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def host(self) -> str:
        """As DOCKER_HOST has it."""
        return f"unix://{self.socket}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *options: str, environment: Mapping[str, str] | None = None, wait: bool = True) -> None:
        """Start it and wait until it answers.

        Raises:
            AssertionError: it ended instead, or never answered; the log's end is in the message.
        """
        assert not self.running
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # a Ctrl-C at the tests is not for it
            )
        if wait:
            self.wait_until_it_answers()

    def wait_until_it_answers(self, seconds: float = START_LIMIT) -> None:
        deadline = time.monotonic() + seconds
        while True:
            assert self.running, f"the service ended with {self.status()}:\n{self.log_tail()}"
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.request("GET", "/_ping", timeout=seconds)
                return
            assert time.monotonic() < deadline, f"no answer in {seconds} s:\n{self.log_tail()}"
            time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_LIMIT)

    def restart(self, *options: str) -> None:
        """Start it again, whether it was killed or has to be stopped first."""
        if self.running:
            assert self.terminate() == 0, self.log_tail()
        self.start(*options)

    def terminate(self, by: signal.Signals = signal.SIGTERM, seconds: float = STOP_LIMIT) -> int:
        """Ask it to end; its exit status."""
        assert self._process is not None
        self._process.send_signal(by)
        return self._process.wait(seconds)

    def status(self, seconds: float = STOP_LIMIT) -> int:
        """Its exit status, waited for: below 0 the signal that ended it."""
        assert self._process is not None
        return self._process.wait(seconds)

    # --- what is known of it ---

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log().splitlines()[-lines:])

    def request(self, method: str, path: str, body: object = None, timeout: float = 60) -> tuple[int, bytes]:
        """(status, body) of one blocking request; `body` is bytes (an archive), or sent as JSON."""
        connection = UnixConnection(self.socket, timeout)
        headers = {}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/x-tar"
        elif body is not None:
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def containers(self) -> list[dict[str, Any]]:
        status, body = self.request("GET", "/containers/json?all=1")
        assert status == 200, body
        listed: list[dict[str, Any]] = json.loads(body)
        return listed

    def remove_containers(self) -> None:
        """All of them, by force, with their anonymous volumes."""
        for container in self.containers():
            status, body = self.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")
            assert status in (204, 404), body

    # --- its end ---

    def close(self) -> None:
        """Remove all containers, stop it, take everything away; nothing where that was done, or it never ran.

        Raises:
            AssertionError: it did not stop with status 0, or something was left that no container needs any more.
        """
        if not self.folder.exists():
            return
        if self._process is None:
            self.discard()
            return
        try:
            if not self.running:
                self.start()
            self.remove_containers()
            status = self.terminate()
            left = leftovers.settled(lambda: leftovers.everything(self.folder), self._before)
            assert status == 0, f"exit status {status}:\n{self.log_tail()}"
            assert not left, "left behind: " + "; ".join(sorted(map(str, left))) + f"\n{self.log_tail()}"
        finally:
            self.discard()

    def discard(self) -> None:
        """Take everything away by force, whatever state it is in; for tests that broke it on purpose."""
        if self.running:
            self.kill()
        leftovers.clear(self.folder)
        shutil.rmtree(self.folder)
        with contextlib.suppress(OSError):  # other services of this run are still there
            FOLDERS.rmdir()


def start_with_registries_conf(make_service: Callable[..., Service], folder: Path, conf: str) -> Service:
    """A service on a host with this registries.conf, which is put into `folder`."""
    path = folder / "registries.conf"
    path.write_text(conf)
    service = make_service("--idle-timeout", "0")
    service.start(environment={"CONTAINERS_REGISTRIES_CONF": str(path)})
    return service
