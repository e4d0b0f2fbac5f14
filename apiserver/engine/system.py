"""What this service is and how much it has, for `info` and `version`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from apiserver import __version__
from apiserver.engine.containers.model import State
from apiserver.engine.containers.registry import Registry
from apiserver.engine.events.log import EventLog
from apiserver.engine.ports.host import HostFacts, HostFigures

DOCKER_VERSION = "28.5.2"
"""Of the Docker Engine whose behaviour we show: clients compare it, so it is plain digits."""

PODMAN_VERSION = "6.0.0"


class Info(Struct, frozen=True):
    """A look at the whole service.

    Attributes:
        stopped: every container that neither runs nor is paused.
        event_listeners: clients that read the stream of events.
    """

    host: HostFacts
    version: str
    now: datetime
    containers: int
    running: int
    paused: int
    stopped: int
    images: int
    event_listeners: int
    uris: tuple[str, ...] = ()
    figures: HostFigures = HostFigures()


class System:
    """Args:
    host: what the machine is, as far as it is known now.
    images: how many there are.
    uris: where the service listens.
    wall_clock: whose `seconds()` is the time of day.
    ask: has the host's programs say their versions, so that `host` has them; once, as a rule.
    measure: looks at the machine as it is at this moment.
    """

    def __init__(
        self,
        host: Callable[[], HostFacts],
        registry: Registry,
        images: Callable[[], Awaitable[int]],
        journal: EventLog,
        uris: Callable[[], Sequence[str]],
        wall_clock: IReactorTime,
        ask: Callable[[], Awaitable[object]] | None = None,
        measure: Callable[[], Awaitable[HostFigures]] | None = None,
    ) -> None:
        self._host = host
        self._facts: HostFacts | None = None
        self._ask = ask
        self._measure = measure
        self._registry = registry
        self._images = images
        self._journal = journal
        self._uris = uris
        self._clock = wall_clock

    @property
    def host(self) -> HostFacts:
        """As it was when its programs were last asked: every inspection looks here."""
        if self._facts is None:
            self._facts = self._host()
        return self._facts

    async def learn_versions(self) -> None:
        """From here on `host` has the versions of its programs."""
        if self._ask is not None:
            await self._ask()
        self._facts = None

    @property
    def version(self) -> str:
        """Our own."""
        return __version__

    async def info(self) -> Info:
        await self.learn_versions()
        states = Counter(container.state for container in self._registry.all())
        running, paused = states[State.RUNNING] + states[State.STOPPING], states[State.PAUSED]
        return Info(
            host=self.host,
            version=__version__,
            now=datetime.fromtimestamp(self._clock.seconds(), UTC),
            containers=states.total(),
            running=running,
            paused=paused,
            stopped=states.total() - running - paused,
            images=await self._images(),
            event_listeners=self._journal.subscribers,
            uris=tuple(self._uris()),
            figures=await self._measure() if self._measure is not None else HostFigures(),
        )
