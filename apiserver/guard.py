"""What is left of the service when it is killed: `guard ROOT RUNROOT`, one for each root, while containers run.

It sleeps until the service, or whoever else has the root, is gone. Then it sees that somebody finishes what that was in
the middle of (a file in `RUNROOT/unsettled` for each container), and that an end is settled which no monitor lived to
tell of: it watches first processes, and their monitors after them. It does nothing of that itself, but runs the exit
program. It leaves when nothing is left to watch.

Like that program it is a copy under the root, run with `-IS`: standard library alone, and little of it. What it looks
at is an interface between versions of the service: `ROOT/lock` (the owner's PID), `ROOT/libexec/exited`,
`RUNROOT/unsettled/ID`, and in `RUNROOT/runs/ID/RUN` the files `identity` (PID and start time) and `conmon.pid`. Through
the fifo `RUNROOT/guard` it is told that somebody has the root again; who finds nobody reading there starts another one.
"""

import os
import select
import sys
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock

TYPE_CHECKING = False  # `typing` would cost its import
if TYPE_CHECKING:
    from collections.abc import Callable

TICK = 30.0
"""Seconds between two looks at what nobody tells of, such as a process that there was no descriptor for."""

STARTING = 0.05
"""Seconds until the owner of a lock that has just been taken has written its PID, or so."""


class Guard:
    def __init__(self, root: str, runroot: str, fifo: int) -> None:
        self._root = root
        self._runroot = runroot
        self._fifo = fifo
        self._tried: set[tuple[str, str]] = set()

    def run(self) -> None:
        while True:
            while self._owned():
                self._tried.clear()
                self._wait_for_owner()
            if self._finish():
                continue
            watched, pending = self._watched()
            if pending:
                for descriptor in watched:
                    os.close(descriptor)
                for run in pending:
                    self._tell(*run)
                continue
            if not watched and self._may_leave():
                return
            try:
                _wait([*watched, self._fifo], TICK)
            finally:
                for descriptor in watched:
                    os.close(descriptor)
            if self._drain():
                self._tried.clear()  # somebody had the root, and has begun and perhaps finished something

    # --- who has the root ---

    def _owned(self) -> bool:
        try:
            with open(f"{self._root}/lock", "rb") as file:
                flock(file, LOCK_SH | LOCK_NB)  # let go of with the file: who starts tries again
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _wait_for_owner(self) -> None:
        """Until the owner has ended; it may let go of the root a little earlier, and end then."""
        descriptor = -1
        try:
            with open(f"{self._root}/lock", "rb") as file:
                descriptor = os.pidfd_open(int(file.read()))
        except (OSError, ValueError):
            _wait([self._fifo], STARTING)
            self._drain()
            return
        try:
            # An older owner's PID may still stand there: so not for ever.
            _wait([descriptor, self._fifo], TICK)
        finally:
            os.close(descriptor)
        self._drain()

    # --- what is to be done ---

    def _finish(self) -> bool:
        """Have finished what was begun; whether there was anything that was not tried yet."""
        begun = {(name, "0") for name in _listed(f"{self._runroot}/unsettled")} - self._tried
        if not begun:
            return False
        # One settles all. No run is numbered 0, so that nobody takes its absence for an end of the work.
        self._tell(*min(begun))
        self._tried |= begun
        return True

    def _watched(self) -> tuple[list[int], list[tuple[str, str]]]:
        """Descriptors of all that is to be waited for, and the runs that nobody settles."""
        descriptors: list[int] = []
        pending = []
        for container in _listed(f"{self._runroot}/runs"):
            for run in _listed(f"{self._runroot}/runs/{container}"):
                if (container, run) in self._tried:
                    continue
                directory = f"{self._runroot}/runs/{container}/{run}"
                try:
                    found = _first_process(directory)
                    if found is None:
                        found = _monitor(directory)
                except OSError:  # no descriptor is left: it is looked at again later
                    continue
                if found is not None:
                    descriptors.append(found)
                elif os.path.exists(directory):
                    pending.append((container, run))
        return descriptors, pending

    def _tell(self, container: str, run: str) -> None:
        """Run the exit program, once for each run: what it cannot do is the next start's."""
        self._tried.add((container, run))
        program = f"{self._root}/libexec/exited"
        try:
            child = os.posix_spawn(program, [program, self._root, self._runroot, container, run], os.environ)
        except OSError as error:
            print(f"guard: {program} cannot be run: {error}", file=sys.stderr)
            return
        os.waitpid(child, 0)
        self._drain()  # what we had done told us of itself

    # --- its own life ---

    def _may_leave(self) -> bool:
        """Take our fifo away; somebody who wrote into it before has the root, and relies upon us."""
        try:
            os.unlink(f"{self._runroot}/guard")
        except OSError:
            return True  # with the whole run root
        if not self._drain():
            return True
        os.close(self._fifo)
        fifo = _fifo(self._runroot)
        if fifo is None:
            return True
        self._fifo = fifo
        return False

    def _drain(self) -> bool:
        """Whether we were told that somebody has the root."""
        told = False
        try:
            while os.read(self._fifo, 4096):
                told = True
        except BlockingIOError:
            pass
        return told


def _wait(descriptors: list[int], seconds: float) -> None:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    poll.poll(seconds * 1000)


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _first_process(directory: str) -> int | None:
    """A descriptor of a run's first process; None where it is gone, or is not known."""
    try:
        with open(f"{directory}/identity", "rb") as file:
            pid, started = map(int, file.read().split())
    except (OSError, ValueError):
        return None
    return _held(pid, lambda: _start_time(pid) == started)


def _monitor(directory: str) -> int | None:
    """A descriptor of a run's conmon; None where it is gone."""
    path = f"{directory}/conmon.pid"
    try:
        with open(path, "rb") as file:
            pid = int(file.read())
    except (OSError, ValueError):
        return None
    return _held(pid, lambda: path.encode() in _command(pid))


def _held(pid: int, is_it: "Callable[[], bool]") -> int | None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if is_it():
        return descriptor
    os.close(descriptor)
    return None


def _start_time(pid: int) -> int:
    """In clock ticks since boot; 0 where it is gone, or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def _command(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _fifo(runroot: str) -> int | None:
    """Our end of the fifo; None where another guard has it."""
    path = f"{runroot}/guard"
    if not os.path.exists(path):  # an earlier guard may have left it
        os.mkfifo(path, 0o600)
    # Also for writing: else it would be at its end whenever nobody writes.
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def main(arguments: list[str]) -> int:
    if len(arguments) != 3:
        print("usage: guard ROOT RUNROOT", file=sys.stderr)
        return 2
    root, runroot = arguments[1:]
    try:
        fifo = _fifo(runroot)
    except OSError as error:
        print(f"guard: {error}", file=sys.stderr)
        return 1
    if fifo is not None:
        Guard(root, runroot, fifo).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
