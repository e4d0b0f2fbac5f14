"""Clients at the standard streams of a container, also before it is started."""

from __future__ import annotations

from apiserver.engine.containers.attached import AttachedStreams
from apiserver.engine.containers.failures import MarkedForRemoval, not_running, paused
from apiserver.engine.containers.ledger import Ledger
from apiserver.engine.containers.logs import Logs
from apiserver.engine.containers.model import Container, State
from apiserver.engine.events.model import Action
from apiserver.engine.ports.runs import NotRunning
from apiserver.engine.ports.streams import ProcessStreams, Stream, Streams
from apiserver.jsonvalue import JsonObject


class Attach:
    def __init__(self, ledger: Ledger, streams: Streams, logs: Logs) -> None:
        self._ledger = ledger
        self._streams = streams
        self._logs = logs
        self._waiting: dict[str, list[AttachedStreams]] = {}
        self._created: dict[str, JsonObject] = {}
        """Plans of runs that can be connected to, though the state does not say so yet."""
        self._sizes: dict[str, tuple[int, int]] = {}
        """Height and width that the terminals of waiting clients have."""

    async def attach(
        self,
        name_or_id: str,
        *,
        stdin: bool = False,
        stdout: bool = False,
        stderr: bool = False,
        stream: bool = True,
        logs: bool = False,
    ) -> ProcessStreams:
        """Streams of the container's run, or of its next one: reading waits for it, and nothing is lost.

        Only the wanted streams deliver. `close` it in any case. What is said between the log's replay and the
        connection may come twice, but never not at all.

        Args:
            stream: False, or none of the three wanted: the log alone (`logs`), then the end.
            logs: what it has said so far comes first.

        Raises:
            ContainerPaused, MarkedForRemoval
            LogsNotReadable: `logs` of a container that keeps none.
        """
        container = self._ledger.registry.get(name_or_id)
        if container.state is State.PAUSED:
            raise paused(container, "attach")
        if container.state is State.REMOVING:
            raise MarkedForRemoval(f"container {container.id} is being removed")
        session = self._session(container, stdin and stream, stdout, stderr, logs)
        if not (stream and (stdin or stdout or stderr)):
            session.end()
        elif (plan := self.plan(container)) is not None:
            try:
                session.connect(await self._streams.attach(plan))
            except NotRunning:
                session.close()
                raise not_running(container) from None
            except BaseException:
                session.close()
                raise
        else:
            self._waiting.setdefault(container.id, []).append(session)
        self._ledger.tell(self._ledger.event(container, Action.ATTACH))
        return session

    def detached(self, container_id: str) -> None:
        """A client has left by the keys for it."""
        if container := self._ledger.registry.find(container_id):
            self._ledger.tell(self._ledger.event(container, Action.DETACH))

    async def connect(self, container_id: str, plan: JsonObject) -> None:
        """A run is created and will be started: connect who waits for it, and from now on who comes.

        Raises:
            HostError, NotRunning
        """
        self._created[container_id] = plan
        size = self._sizes.pop(container_id, None)
        if size is not None:
            await self._streams.resize(plan, *size)
        waiting = self._waiting.get(container_id, [])
        while waiting:
            streams = await self._streams.attach(plan)
            if waiting:
                waiting.pop(0).connect(streams)
            else:
                streams.close()  # the last one left in between
        self._waiting.pop(container_id, None)

    def resize_at_start(self, container: Container, size: tuple[int, int]) -> bool:
        """Remember the size of a terminal that a client waits at; False if none does."""
        if container.id not in self._waiting or not container.options.process.terminal:
            return False
        self._sizes[container.id] = size
        return True

    def gone(self, container_id: str) -> None:
        """A run has ended: who comes now waits for the next one."""
        self._created.pop(container_id, None)

    def end(self, container_id: str) -> None:
        """The start failed, or the container is removed: who waits gets the end of the streams."""
        self.gone(container_id)
        self._sizes.pop(container_id, None)
        for session in self._waiting.pop(container_id, []):
            session.end()

    def plan(self, container: Container) -> JsonObject | None:
        """Of the run that can be connected to; None where it has yet to be made."""
        if container.alive and container.run is not None:
            return container.run.plan
        return self._created.get(container.id)

    def _session(self, container: Container, stdin: bool, stdout: bool, stderr: bool, logs: bool) -> AttachedStreams:
        process = container.options.process
        wanted = {stream for stream, asked in ((Stream.STDOUT, stdout), (Stream.STDERR, stderr)) if asked}
        replay = self._logs.read(container.id, stdout=stdout, stderr=stderr) if logs else None
        stdin = stdin and process.stdin_open
        return AttachedStreams(
            frozenset(wanted),
            stdin=stdin,
            stdin_once=stdin and process.stdin_once,
            replay=replay,
            line_end=b"\r\n" if process.terminal else b"\n",
            leave=lambda session: self._left(container.id, session),
        )

    def _left(self, container_id: str, session: AttachedStreams) -> None:
        waiting = self._waiting.get(container_id, [])
        if session in waiting:
            waiting.remove(session)
            if not waiting:
                del self._waiting[container_id]
                self._sizes.pop(container_id, None)
