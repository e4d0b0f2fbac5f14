"""The first process of a container: what runs, as whom, where, and how it is stopped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    entrypoint: tuple[str, ...] | None = None
    """None keeps the image's; an empty tuple empties it, and then the image's command is not used either."""
    command: tuple[str, ...] | None = None
    """None keeps the image's, unless the client gave an entrypoint."""
    env: tuple[str, ...] = ()
    """`NAME=value`, in order, each name once after create."""
    working_dir: str = ""
    """Absolute after create ("/" where neither the client nor the image says)."""
    user: str = ""
    """`USER[:GROUP]`, names or numbers, as given; resolved in the container's own passwd and group at start."""
    terminal: bool = False
    stdin_open: bool = False
    stdin_once: bool = False
    """Standard input ends when the first attached client that has it leaves."""
    attach_stdin: bool = False
    attach_stdout: bool = True
    attach_stderr: bool = True
    stop_signal: str = ""
    """A name (`SIGTERM`) or a number as text; empty: the image's, else SIGTERM."""
    stop_timeout: float | None = None
    """Seconds from the stop signal to SIGKILL; None: 10."""
    console_size: tuple[int, int] | None = None
    """Height and width of the terminal at its start."""

    @property
    def argv(self) -> tuple[str, ...]:
        return (*(self.entrypoint or ()), *(self.command or ()))
