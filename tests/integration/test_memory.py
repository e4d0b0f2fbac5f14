"""What flows through the service does not stay in it: memory while much more than the bound goes by.

The scenarios are the benchmark's, where 1 GiB goes by. Here it is less, but far more than may stay: what kept even a
part of it would be seen.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from benchmarks import scenarios
from benchmarks.servers import Server
from tests.support.service import FOLDERS, Service

MOST = 30_000_000  # bytes that the service's memory may grow by
SIZE = 200 * scenarios.MIB

ON_TOP = f"""set -e
mount -t tmpfs tmpfs "$0"
mkdir -p "$0"/tmp/up "$0"/tmp/work "$0"/var-tmp/up "$0"/var-tmp/work "$0"/services
mount --rbind {FOLDERS} "$0"/services
mount -t overlay -o lowerdir=/tmp,upperdir="$0"/tmp/up,workdir="$0"/tmp/work overlay /tmp
mount -t overlay -o lowerdir=/var/tmp,upperdir="$0"/var-tmp/up,workdir="$0"/var-tmp/work overlay /var/tmp
mount --rbind "$0"/services {FOLDERS}
exec "$@"
"""
"""Run the rest with an empty layer over /tmp and /var/tmp, kept below $0, but for the services' own folders."""

Scenario = Callable[[Server, int], tuple[float, float]]


class Measured(Server):
    """The tests' own service, as the benchmark's scenarios ask for it."""

    def __init__(self, service: Service) -> None:
        self.name = "apiserver"
        self.service = service
        self.socket = service.socket
        self.endless_log = "-1"

    @property
    def pid(self) -> int:
        return self.service.pid


@contextmanager
def files_watched(*folders: Path) -> Iterator[set[Path]]:
    """All files that are seen in `folders`, again and again, while the context lasts."""
    seen: set[Path] = set()
    over = Event()

    def look() -> None:
        while not over.wait(0.02):
            for folder in folders:
                seen.update(folder.glob("*"))

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(look)
        try:
            yield seen
        finally:
            over.set()
            watching.result()


@pytest.mark.long
@pytest.mark.parametrize(
    ("scenario", "spooled"),
    [(scenarios.stdin, False), (scenarios.import_image, True), (scenarios.unread_log, False)],
    ids=["stdin of a container", "an imported archive", "a log that nobody reads"],
)
def test_what_goes_through_does_not_stay(service: Service, scenario: Scenario, spooled: bool) -> None:
    spool = service.root / "tmp"
    # the first time, modules are imported and pools filled
    scenario(Measured(service), scenarios.MIB)
    with files_watched(spool) as seen:
        _, grown = scenario(Measured(service), SIZE)
    assert grown < MOST
    assert bool(seen) == spooled
    assert list(spool.iterdir()) == []


def test_nothing_is_written_in_the_machines_tmp(make_service: Callable[..., Service]) -> None:
    aside = Path(tempfile.mkdtemp(dir="/run"))
    try:
        elsewhere = make_service("--idle-timeout", "0", wrapper=("unshare", "-m", "sh", "-c", ON_TOP, str(aside)))
        elsewhere.start()
        # what it and its programs write to either is here, and nothing that others write
        written = [Path(f"/proc/{elsewhere.pid}/root{aside}/{name}") for name in ("tmp/up", "var-tmp/up")]
        measured = Measured(elsewhere)
        with files_watched(elsewhere.root / "tmp", *written) as seen:
            scenarios.load_busybox(measured)
            scenarios.import_image(measured, 20 * scenarios.MIB)
            scenarios.whole_run(measured)
        assert {path.parent for path in seen} == {elsewhere.root / "tmp"}
        canary = ("nsenter", "-t", str(elsewhere.pid), "-m", "touch", "/tmp/canary", "/var/tmp/canary")
        subprocess.run(canary, check=True)
        assert all((layer / "canary").exists() for layer in written)
        elsewhere.close()
    finally:
        aside.rmdir()
