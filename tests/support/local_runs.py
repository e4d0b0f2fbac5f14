"""Runs on this machine without an engine: a busybox root as the image, real conmon and runtime."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred

from apiserver.config.host import Host, read_host
from apiserver.drivers.process import Programs
from apiserver.engine.containers.options import ContainerOptions, Mounts, Network, Process
from apiserver.engine.containers.options.mounts import Mount
from apiserver.engine.ports.runs import RunEnd, RunKey, RunSpec
from apiserver.jsonvalue import JsonObject
from apiserver.local.logs import LocalLogs
from apiserver.local.paths import Paths
from apiserver.local.runs.service import LocalRuns
from apiserver.local.streams import LocalStreams
from tests.support.image_archive import Entry, busybox_entries

IMAGE = "f" * 64
NONE = Network(mode="none")


def unpack(directory: Path, entries: Sequence[Entry]) -> Path:
    """The entries as files, as a layer's directory has them."""
    for entry in entries:
        path = directory / entry.path.rstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.link:
            path.symlink_to(entry.link)
        elif entry.path.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(entry.data)
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
        if not entry.link:
            path.chmod(entry.mode if not entry.path.endswith("/") or entry.mode != 0o644 else 0o755)
    return directory


@dataclass
class PlainLayers:
    """An image whose layers are directories, the nearest first."""

    directories: list[Path]

    async def lower_directories(self, image_id: str) -> Sequence[Path]:
        return self.directories


@dataclass
class Ran:
    end: RunEnd
    out: bytes
    err: bytes

    @property
    def code(self) -> int | None:
        return self.end.exit_code

    @property
    def text(self) -> str:
        return self.out.decode()


@dataclass
class Made:
    """A run that was created, and what it is known by."""

    spec: RunSpec
    plan: JsonObject

    @property
    def key(self) -> RunKey:
        return self.spec.key


def shell(script: str, **changes: Any) -> ContainerOptions:
    """A container with no network that runs a line of shell; other concerns by name, changes of `process` as a dict."""
    return options_for(Process(command=("/bin/sh", "-c", script), working_dir="/"), **changes)


def options_for(first: Process, **changes: Any) -> ContainerOptions:
    more = changes.pop("process", {})
    return ContainerOptions(process=replace(first, **more), network=changes.pop("network", NONE), **changes)


def mounted(*mounts: Mount, **settings: Any) -> Mounts:
    return Mounts(mounts=mounts, **settings)


class Rig:
    """All that runs on this machine need, below one directory."""

    def __init__(self, reactor: Any, directory: Path, host: Host | None = None) -> None:
        self.reactor = reactor
        self.paths = Paths(directory / "root", directory / "run")
        self.paths.prepare()
        self.host = host or read_host()
        self.layers = PlainLayers([unpack(directory / "image", busybox_entries())])
        self.programs = Programs(reactor)
        self.ended: list[RunKey] = []
        self.made: list[Made] = []
        self._waiting: dict[RunKey, Deferred[None]] = {}
        self.start_service()

    def start_service(self) -> None:
        """As after a start of the daemon: nothing but the disk is known."""
        self.runs = LocalRuns(
            reactor=self.reactor, paths=self.paths, host=self.host, programs=self.programs, layers=self.layers
        )
        self.runs.news(self._heard)
        self.streams = LocalStreams(self.reactor, self.runs)
        self.logs = LocalLogs(self.reactor, self.paths)

    def _heard(self, key: RunKey) -> None:
        self.ended.append(key)
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            waiting.callback(None)

    async def create(
        self, options: ContainerOptions, *, spec: dict[str, Any] | None = None, container_id: str | None = None
    ) -> Made:
        runtime = self.runs.choose_runtime(options.runtime)
        number = 1 + sum(1 for made in self.made if made.key.container_id == container_id)
        key = RunKey(container_id or secrets.token_hex(32), number)
        plan = self.runs.plan(key, options, runtime)
        made = Made(RunSpec(key, "name", IMAGE, options, runtime, **(spec or {})), plan)
        self.made.append(made)
        await self.runs.create(made.spec, plan, None)
        return made

    async def over(self, made: Made) -> RunEnd:
        """Wait for the end of a run."""
        if made.key not in self.ended:
            self._waiting[made.key] = Deferred()
            await self._waiting[made.key]
        return await self.runs.end(made.plan)

    async def run(self, options: ContainerOptions, stdin: bytes | None = None, **more: Any) -> Ran:
        """Create, attach, start, wait and discard."""
        made = await self.create(options, **more)
        streams = await self.streams.attach(made.plan)
        await self.runs.start(made.plan)
        if stdin is not None:
            await streams.write(stdin)
            streams.close_write()
        out: dict[int, bytes] = {1: b"", 2: b""}
        while piece := await streams.read():
            out[piece[0]] += piece[1]
        end = await self.over(made)
        streams.close()
        await self.runs.discard(made.plan)
        return Ran(end, out[1], out[2])

    async def clear(self) -> None:
        for made in self.made:
            await self.runs.discard(made.plan)
            await self.runs.forget(made.key.container_id)
        self.runs.close()
        for directory in (self.paths.root, self.paths.runroot):
            with suppress(FileNotFoundError):
                shutil.rmtree(directory)
