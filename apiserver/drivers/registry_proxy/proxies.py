"""Runs the proxies of one call of skopeo, and hears what they did not let through."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import socket
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from apiserver.drivers.process import Child, ProgramFailed, Programs
from apiserver.errors import HostError

log = Logger()

_PROGRAM = Path(__file__).with_name("program.py")
_DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
_MACHINE_ID = Path("/etc/machine-id")
_PORT = 5000
_BACKLOG = 64
_BROKEN = r"(?:EOF|(?:readfrom|read|write) tcp [^\"]*?: (?:connection reset by peer|broken pipe))"
"""What Go says of a connection that the proxy ends."""
_RECEIVE_BUFFER = 256 * 1024
"""Bytes: what a client has sent is not much more than what has gone on."""


class ProxiedRegistry(Struct, frozen=True):
    """A registry that is reached through a proxy.

    Attributes:
        name: as references have it.
        authority: `HOST[:PORT]` where it is.
        insecure: any certificate will do, and plain HTTP where it has no TLS.
    """

    name: str
    authority: str
    insecure: bool


class _Said(Struct, frozen=True):
    name: str
    what: Literal["refused", "unreachable", "reached"]
    text: str


class RegistryProxies:
    """
    Attributes:
        hosts: `127.0.0.1:PORT` by the name of the registry whose proxy it is.
        refused: what a registry wanted and did not get, by its name; nothing went through to it since then.
        unreachable: by its name, where a registry was not reached, as `SCHEME://HOST[:PORT]`, and why; the latest.
    """

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self.hosts = hosts
        self.refused: dict[str, str] = {}
        self.unreachable: dict[str, tuple[str, str]] = {}
        self._rest = b""
        self._ending: Deferred[None] = Deferred()
        self._running: Deferred[object] | None = None
        self._children: list[Child] = []

    async def begin(
        self, programs: Programs, told: bytes, sockets: Sequence[socket.socket], environment: Mapping[str, str]
    ) -> None:
        """
        Args:
            sockets: where they listen; as long as those are open nobody else can listen there, and be told secrets.

        Raises:
            HostError: they cannot be started.
        """

        def refuse(result: object) -> object:
            for each in sockets:
                # Else its port could be somebody else's as soon as it does not listen.
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
                each.shutdown(socket.SHUT_RDWR)
            return result

        async def until_the_end() -> AsyncGenerator[bytes, None]:
            yield told
            await self._ending

        run = programs.run(
            [*_DIES_WITH_US, sys.executable, "-IS", str(_PROGRAM)],
            stdin=until_the_end(),
            stdout=self._heard,
            time_limit=None,
            env=environment,
            pass_fds=[each.fileno() for each in sockets],
            started=self._children.append,
            heard=lambda text: log.error("the proxy of a registry: {text}", text=text.decode(errors="replace")),
        )
        running = Deferred.fromCoroutine(run).addBoth(refuse)
        if not self._children:
            await running
        self._running = running

    async def end(self) -> None:
        """Afterwards all that they said was heard; a second call does nothing.

        Raises:
            HostError: they did not work; why stands in the log.
        """
        if self._running is not None:
            if not self._ending.called:
                self._ending.callback(None)
            running, self._running = self._running, None
            try:
                await running
            except ProgramFailed as error:
                raise HostError(f"the proxy of a registry has failed: {error.why}") from error

    async def close(self) -> None:
        """They are gone, and their addresses are free again."""
        if self._running is not None:
            self._running.addErrback(lambda failure: failure.trap(CancelledError, ProgramFailed) and None)
            self._running.cancel()
        for child in self._children:
            await child.exited()

    def unmasked(self, text: str) -> str:
        """What skopeo says, with the registries' own names, and why they were not reached."""
        for name, host in self.hosts.items():
            if name in self.unreachable:
                text = _with_reason(text, host, *self.unreachable[name])
            text = text.replace(host, name)
        return text

    async def _heard(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            said = msgspec.json.decode(line, type=_Said)
            if said.what == "refused":
                self.refused[said.name] = said.text
            elif said.what == "unreachable":
                place, _, why = said.text.partition(" ")
                self.unreachable[said.name] = place, why
            else:
                del self.unreachable[said.name]


def _with_reason(text: str, host: str, place: str, why: str) -> str:
    broken = rf'"http://{re.escape(host)}(?:/-/[0-9]+)?(/[^"]*)": {_BROKEN}'
    return re.sub(broken, lambda found: f'"{place}{found[1]}": {why}', text)


@asynccontextmanager
async def registry_proxies(
    programs: Programs, registries: Sequence[ProxiedRegistry], environment: Mapping[str, str], word: str
) -> AsyncGenerator[RegistryProxies, None]:
    """Proxies on loopback, for our own children of one call alone; they are gone afterwards.

    Args:
        word: of the command lines of those children, and of no others.
        environment: names the proxies of the host (`HTTPS_PROXY` and so on).

    Raises:
        HostError: they cannot be started.
    """
    with ExitStack() as ours:
        try:
            sockets = [ours.enter_context(_listening(each)) for each in registries]
            hosts = ["{}:{}".format(*each.getsockname()) for each in sockets]
            listed = [
                {"descriptor": each.fileno(), **msgspec.structs.asdict(registry)}
                for each, registry in zip(sockets, registries, strict=True)
            ]
            proxies = RegistryProxies({each.name: host for each, host in zip(registries, hosts, strict=True)})
            line = json.dumps({"word": word, "registries": listed}).encode() + b"\n"
            await proxies.begin(programs, line, sockets, environment)
        except OSError as error:  # too many open files, most of all
            raise HostError(f"the proxy of a registry cannot be started: {error.strerror}") from error
        try:
            yield proxies
        finally:
            await proxies.close()


def _listening(registry: ProxiedRegistry) -> socket.socket:
    """At the same address for the same registry whenever that is free: skopeo remembers what a registry has by it.

    Elsewhere it is another one, or a registry could be given a name that has the address of a certain other one.
    """
    machine = _MACHINE_ID.read_bytes() if _MACHINE_ID.exists() else b""  # it lies in memory, and is short
    number = hashlib.sha256(machine + f"{registry}".encode()).digest()
    address = f"127.{64 + number[0] % 64}.{number[1]}.{1 + number[2] % 254}"
    try:
        return _listening_at(address, _PORT)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return _listening_at(address, 0)


def _listening_at(address: str, port: int) -> socket.socket:
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
