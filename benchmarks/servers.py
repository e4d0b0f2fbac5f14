"""A server that is compared: started on a socket of its own, watched and ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.client import Connection
from benchmarks.kinds import Kind
from benchmarks.places import Cgroups, Place, children
from benchmarks.registry import HOST

POLL_SECONDS = 0.001
START_SECONDS = 120
END_SECONDS = 30

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
REGISTRIES = f'[[registry]]\nlocation = "{HOST}"\ninsecure = true\n'

FIRST_ANSWER = "/containers/json"
SETTLE_SECONDS = 1.0


class Server:
    """One service with storage of its own below `folder`, in a place of its own."""

    def __init__(self, name: str, kind: Kind, folder: Path, root: Path = Path("/")) -> None:
        self.name = name
        self.kind = kind
        self.folder = folder
        self.root = root
        self.socket = folder / "s"
        self.log = folder / "log"
        self.endless_log = kind.endless_log
        self.place: Place | None = None
        self._cgroups = Cgroups(kind.cgroup) if kind.cgroup else None
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        folder.mkdir()

    def start(self, path: str = FIRST_ANSWER) -> float:
        """Start it; the seconds until it answered a GET of `path`, which is asked for every millisecond."""
        if self.place is None:
            self.place = Place(self.root)
        registries = self.folder / "registries.conf"
        registries.write_text(REGISTRIES)
        environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "CONTAINERS_REGISTRIES_CONF": str(registries)}
        self._pid = 0
        command = [*self.place.entering(), *self.kind.command(self.folder, self.socket, self.root)]
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            began = time.perf_counter()
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        while True:
            try:
                connection = Connection(self.socket)
                connection.call("GET", path)
            except (FileNotFoundError, ConnectionError):
                if self._process.poll() is not None or time.perf_counter() - began > START_SECONDS:
                    raise RuntimeError(f"{self.name} does not serve:\n{self.tail()}") from None
                time.sleep(POLL_SECONDS)
            else:
                took = time.perf_counter() - began
                connection.close()
                self._pid = children(self._process.pid)[0]
                return took

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def pids(self) -> list[int]:
        """Its own and those of all that it has started, but for what has left it, as conmon does."""
        found = [self.pid]
        for pid in found:
            found.extend(children(pid))
        return found

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def in_its_network(self) -> list[str]:
        """What to put in front of a command that shall listen on its loopback."""
        assert self.place is not None
        return self.place.entering("net")

    def versions(self) -> dict[str, str]:
        """What it says of itself, and which programs are below it."""
        with self.connection() as connection:
            said, info = connection.call("GET", "/version"), connection.call("GET", "/info")
        found = {"answers": f"{said['Version']} (API {said['ApiVersion']})"}
        found["storage"] = info["Driver"]
        found["cgroups"] = f"v{info['CgroupVersion']}, {info['CgroupDriver']}"
        if self.place is not None:
            found |= {name: self.place.says(*command) for name, command in self.kind.versions.items()}
        return found

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        connection = Connection(self.socket)
        try:
            yield connection
        finally:
            connection.close()

    def end(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            if self._pid:
                os.kill(self._pid, number)
            else:  # it never answered
                os.killpg(self._process.pid, number)

    def forget(self) -> None:
        """End it and all that it started, and take its storage away."""
        self.end()
        if self.place is not None:
            self.place.close()  # with the last process its mounts go too
            if self._cgroups is not None:
                self._cgroups.remove()
        shutil.rmtree(self.folder)


class Given(Server):
    """A service that runs already, somewhere: only asked, never started or ended."""

    def __init__(self, name: str, kind: Kind, folder: Path, path: Path) -> None:
        super().__init__(name, kind, folder)
        self.socket = path

    def start(self, path: str = FIRST_ANSWER) -> float:
        raise RuntimeError(f"{self.name} is not ours to start")

    @property
    def pid(self) -> int:
        """Of the process that made the socket, as the kernel tells every client."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.socket))
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid: int = struct.unpack("3i", credentials)[0]
        return pid

    def in_its_network(self) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--net", "--"]

    def end(self) -> None:
        """It is not ours to end."""
