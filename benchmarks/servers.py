"""The services that are compared: how each is started on a socket of its own, watched and ended."""

from __future__ import annotations

import contextlib
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.client import Connection
from tests.support import leftovers

HERE = Path(__file__).parent
POLL_SECONDS = 0.001

# The defaults ask for shared memory locks and for a journal, which are not everywhere.
PODMAN_CONF = """
[engine]
lock_type = "file"
events_logger = "file"
"""


def podman_limits() -> list[dict[str, Any]]:
    """HostConfig.Ulimits that it can give here: its defaults are above what some machines allow.

    It lowers its own limit of processes to the kernel's greatest pid, so no container may have more.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    pids = int(Path("/proc/sys/kernel/pid_max").read_text())
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = {"nofile": files, "nproc": pids if processes == resource.RLIM_INFINITY else min(processes, pids)}
    return [{"Name": name, "Soft": limit, "Hard": limit} for name, limit in most.items()]


def apiserver(folder: Path, path: Path) -> list[str]:
    program = str(Path(sys.executable).with_name("apiserver"))
    places = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]
    return [program, "serve", *places, "--idle-timeout", "0", "--listen", f"unix:{path}"]


def podman(folder: Path, path: Path) -> list[str]:
    conf = folder / "containers.conf"
    conf.write_text(PODMAN_CONF)
    store = ["--storage-driver", "overlay", "--root", str(folder / "root"), "--runroot", str(folder / "run")]
    rest = ["--tmpdir", str(folder / "tmp"), "--network-config-dir", str(folder / "net"), "--runtime", "crun"]
    service = ["--cgroup-manager", "cgroupfs", "system", "service", "--time", "0", f"unix://{path}"]
    return ["env", f"CONTAINERS_CONF={conf}", "podman", *store, *rest, *service]


def bare_twisted(folder: Path, path: Path) -> list[str]:
    return [sys.executable, str(HERE / "bare_twisted.py"), str(path)]


COMMANDS: dict[str, Callable[[Path, Path], list[str]]] = {
    "apiserver": apiserver,
    "podman": podman,
    "bare twisted.web": bare_twisted,
}


class Server:
    """One service with storage of its own below `folder`.

    Attributes:
        host_config: what it needs in every HostConfig on this machine.
        endless_log: the `max-size` for a log without an end; podman 4.3 knows no -1.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.socket = folder / "s"
        self.log = folder / "log"
        self.folder.mkdir()
        self.host_config: dict[str, Any] = {"Ulimits": podman_limits()} if name == "podman" else {}
        self.endless_log = "100g" if name == "podman" else "-1"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it; the seconds until it answered its first list of containers."""
        self.socket.unlink(missing_ok=True)
        command = COMMANDS[self.name](self.folder, self.socket)
        with self.log.open("ab") as log:
            began = time.perf_counter()
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while True:
            try:
                connection = Connection(self.socket)
                connection.call("GET", "/containers/json")
            except (FileNotFoundError, ConnectionError):
                if self._process.poll() is not None or time.perf_counter() - began > 60:
                    self.end()
                    raise RuntimeError(f"{self.name} does not serve:\n{self.log.read_text()[-2000:]}") from None
                time.sleep(POLL_SECONDS)
            else:
                connection.close()
                return time.perf_counter() - began

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        connection = Connection(self.socket)
        try:
            yield connection
        finally:
            connection.close()

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def forget(self) -> None:
        """End it and all that it started, and take its storage away."""
        self.end()
        leftovers.clear(self.folder)
        shutil.rmtree(self.folder)


class Given(Server):
    """A service that runs already, somewhere: only asked, never started or ended."""

    def __init__(self, name: str, folder: Path, path: Path) -> None:
        super().__init__(name, folder)
        self.socket = path

    def start(self) -> float:
        return 0.0

    @property
    def pid(self) -> int:
        """Of the process that made the socket, as the kernel tells every client."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.socket))
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid: int = struct.unpack("3i", credentials)[0]
        return pid

    def end(self) -> None:
        """It is not ours to end."""
