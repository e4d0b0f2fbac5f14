"""sd_notify(3): telling systemd how we are; a message that does not get through is logged, never fatal."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

log = Logger()

STATUS_INTERVAL = 1.0


class Notifier:
    """Sends states to the socket that systemd named, or nowhere."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    @property
    def heard(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._address)

    def ready(self) -> None:
        """We serve; under twistd or a wrapper our process may not be the one that systemd started."""
        self.send(f"MAINPID={os.getpid()}", "READY=1")

    def stopping(self) -> None:
        self.send("STOPPING=1")

    def extend(self, seconds: float) -> None:
        """Ask that the stop (or start) time-out be not before `seconds` from now."""
        self.send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def status(self, text: str) -> None:
        self.send(f"STATUS={text}")

    def send(self, *states: str) -> None:
        if not self._address:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
                notify.setblocking(False)
                notify.connect(name)
                notify.send("\n".join(states).encode())
        except OSError as error:
            log.warn("systemd was not told {states}: {error}", states=", ".join(states), error=error)


class StatusLine:
    """Keeps `systemctl status` up to date with the counts, at most once a second."""

    def __init__(self, notifier: Notifier, counts: Callable[[], str], clock: IReactorTime) -> None:
        self._notifier = notifier
        self._counts = counts
        self._clock = clock
        self._timer: IDelayedCall | None = None

    def changed(self) -> None:
        if self._timer is None and self._notifier.heard:
            self._timer = self._clock.callLater(STATUS_INTERVAL, self._send)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self) -> None:
        self._timer = None
        self._notifier.status(self._counts())
