"""Processes by descriptor: their end, and an identity that survives the reuse of process ids."""

from __future__ import annotations

import os
import signal

from twisted.internet.defer import Deferred

from apiserver.drivers.linux.readiness import Descriptor, Reactor


class Process:
    """A process that we hold by a pidfd, ours or anybody's; close it when done.

    Raises:
        ProcessLookupError: no such process (any more).
    """

    def __init__(self, reactor: Reactor, pid: int) -> None:
        self.pid = pid
        self._descriptor = Descriptor(reactor, os.pidfd_open(pid))
        self._waiters: list[Deferred[None]] = []
        self._watching = False

    @property
    def fd(self) -> int:
        """The pidfd; -1 after `close`."""
        return self._descriptor.fileno()

    def ended(self) -> Deferred[None]:
        """Fires when the process has ended (it may still be unreaped); each caller has its own Deferred.

        The exit code is not known here: only the parent may ask for it.
        """
        waiter: Deferred[None] = Deferred(self._waiters.remove)
        self._waiters.append(waiter)
        if not self._watching:
            self._watching = True
            self._descriptor.readable().addCallback(self._fire)
        return waiter

    def signal(self, number: int) -> None:
        """Send a signal to exactly this process.

        Raises:
            ProcessLookupError: it has ended and is reaped.
        """
        signal.pidfd_send_signal(self.fd, number)

    def close(self) -> None:
        """Let go; who still waits is told as if it had ended."""
        self._descriptor.close()

    def _fire(self, _: None) -> None:
        waiters, self._waiters = self._waiters, []
        self._watching = False
        for waiter in waiters:
            waiter.callback(None)


def start_time(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat, in clock ticks since boot; None when there is no such process, or only its zombie.

    With the pid it names a process for as long as the machine is up.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            text = stat.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, field 2, is in parentheses and may hold spaces and parentheses itself.
    fields = text[text.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
