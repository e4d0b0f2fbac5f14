"""What `wait` waits for, and what it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from apiserver.engine.containers.model import Container, State
from apiserver.engine.containers.wait import WaitResult
from apiserver.errors import InvalidParameter
from apiserver.wire.libpod.status import UNKNOWN_EXIT, exit_code

TEXT: Final = "text/plain; charset=us-ascii"

_STATES: Final[Mapping[str, frozenset[State]]] = {
    "configured": frozenset({State.CONFIGURED}),
    "created": frozenset({State.CONFIGURED}),
    "initialized": frozenset({State.INITIALIZED}),
    "running": frozenset({State.RUNNING}),
    "paused": frozenset({State.PAUSED}),
    "pausing": frozenset({State.PAUSED}),  # it is either running or paused here
    "stopping": frozenset({State.STOPPING}),
    "removing": frozenset({State.REMOVING}),
    "unknown": frozenset(),  # no container ever is
}
_ENDS: Final = ("stopped", "exited")
_HEALTH: Final = ("healthy", "unhealthy")
_OVER: Final = frozenset({State.STOPPED, State.EXITED, State.REMOVING})


class Conditions(Struct, frozen=True):
    """Any of them is enough.

    Attributes:
        given: whether the client named any; without, it waits for the end.
        health: the first that is of a health check; empty without one.
    """

    given: bool
    end: bool
    states: frozenset[State]
    health: str


def read_conditions(words: Sequence[str]) -> Conditions:
    """
    Raises:
        InvalidParameter: one is no condition.
    """
    for word in words:
        if word not in _STATES and word not in _ENDS and word not in _HEALTH:
            raise InvalidParameter(f'unknown container state: "{word[:64]}"')
    return Conditions(
        given=bool(words),
        end=not words or any(word in _ENDS for word in words),
        states=frozenset(state for word in words for state in _STATES.get(word, ())),
        health=next((word for word in words if word in _HEALTH), ""),
    )


def met_text(met: WaitResult | Container, wanted: Conditions) -> bytes:
    """The exit code where the end was waited for and is there; else -1, as the condition is none that has a code."""
    if isinstance(met, WaitResult):
        return exit_text(met.code)
    ended = met.run is not None and met.run.ended and met.state in _OVER
    return exit_text(exit_code(met) if wanted.end and ended else None)


def exit_text(code: int | None) -> bytes:
    """The code in decimal with a newline; -1 where it is unknown."""
    return b"%d\n" % (UNKNOWN_EXIT if code is None else code)
