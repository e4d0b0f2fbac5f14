"""What a service's root and this machine hold, read without asking the service: it may be dead."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.support import leftovers
from tests.support.service import Service


def until(holds: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Wait until something holds that nobody tells us of."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def dead(service: Service) -> Generator[None, None, None]:
    """The service is killed, and dead while this lasts; it is started again, and answers, afterwards."""
    service.kill()
    try:
        yield
    finally:
        service.start()


class Outside:
    """One service's things, seen from outside."""

    def __init__(self, service: Service) -> None:
        self._service = service

    # --- the state file ---

    def containers(self) -> list[dict[str, Any]]:
        return self._rows("SELECT body FROM container")

    def container(self, name: str) -> dict[str, Any]:
        [found] = [each for each in self.containers() if each["name"] == name]
        return found

    def deaths(self, container_id: str) -> list[dict[str, Any]]:
        """The events by which its ends were told, in order."""
        events = self._rows("SELECT body FROM event ORDER BY serial")
        return [each for each in events if each["subject"] == container_id and each["action"] == "died"]

    def _rows(self, query: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self._service.root}/state.sqlite?mode=ro", uri=True)) as state:
            return [json.loads(body) for (body,) in state.execute(query)]

    # --- the machine ---

    def things(self, container_id: str) -> set[str]:
        """All that a run of a container has outside of the state: processes, mounts, namespaces, records, cgroups."""
        found = {str(left) for left in self._left() if container_id in left.name}
        for base in leftovers.service_cgroups():
            for name in (container_id, f"conmon-{container_id}"):
                if (base / name).is_dir():
                    found.add(f"cgroup {base / name}")
        runroot = self._service.runroot
        for path in (runroot / "runs" / container_id, *runroot.glob(f"runtime/*/{container_id}")):
            if path.exists():
                found.add(f"record {path}")
        found |= {f"namespace file {path}" for path in runroot.glob(f"netns/{container_id}-*")}
        return found

    def _left(self) -> set[leftovers.Left]:
        return leftovers.processes(self._service.folder) | leftovers.mounts(self._service.folder)

    def conmon(self, container_id: str) -> int:
        """The pid of the conmon of a container's only run."""
        [file] = self._service.runroot.glob(f"runs/{container_id}/*/conmon.pid")
        return int(file.read_text())


def rules_of(address: str) -> set[str]:
    """The packet filter's rules that know an address, whichever of both programs wrote them."""
    said = ""
    for command in (["iptables-save"], ["nft", "list", "ruleset"]):
        said += subprocess.run(command, capture_output=True, text=True, check=False).stdout
    whole = re.compile(rf"(?<![\d.]){re.escape(address)}(?![\d.])")
    return {line.strip() for line in said.splitlines() if whole.search(line)}


def answer_at(port: int, seconds: float = 2) -> bytes:
    """What is said to who connects to a published port."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        said = b""
        while part := connection.recv(1000):
            said += part
        return said
