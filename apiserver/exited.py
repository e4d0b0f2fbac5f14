"""What conmon runs when a container has ended: `exited ROOT RUNROOT ID RUN`.

A service that listens sees the end by itself, or, where only a holder of its socket is there, is started by our
connection and looks at its start. If nobody accepts, or whoever does has not the lock on the root and so is no service
of it, this becomes the service's own `reconcile`. A copy of this file lies under the root,
outside of any virtual environment, and is run with `-IS` by the interpreter that the environment was made of: standard
library alone, and little of it. Its arguments and the paths that it looks at (`RUNROOT/listeners`, `ROOT/lock`,
`ROOT/libexec/interpreter`, and `RUNROOT/runs/ID/RUN`, which is gone once the end is settled) are an interface between
versions of the service.

Exit status: 0: a service knows, or the end is settled; 1: nobody could be reached or started, the next start of the
service does the rest; 2: wrong arguments. Else that of `apiserver reconcile`.
"""

import os
import sys
import time
from _socket import AF_INET, AF_INET6, AF_UNIX, SOCK_STREAM, socket
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock

# The public module `socket` costs 5 ms of the 15 that this may take, for names of constants.

LIMIT = 5.0
"""Seconds for a listener to accept."""

TAKING = 10.0
"""Seconds for a service that our connection has started to take the root."""

SETTLING = 30.0
"""Seconds for a service to settle an end; after that it has its own reasons, and tries again by itself."""


def accepts(uri: str) -> bool:
    """Whether somebody accepts a connection at `unix:///PATH`, `tcp://HOST:PORT` or `ssl://HOST:PORT`."""
    scheme, _, rest = uri.partition(":")
    place = rest[2:] if rest.startswith("//") else rest
    address: str | tuple[str, int] = place
    family = AF_UNIX
    if scheme != "unix":
        host, _, port = place.rpartition(":")
        if not port.isdecimal():
            return False
        host = host.strip("[]")
        # An address that stands for all of them is reached as the local one.
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        family = AF_INET6 if ":" in host else AF_INET
        address = (host, int(port))
    connection = socket(family, SOCK_STREAM)
    try:
        connection.settimeout(LIMIT)
        connection.connect(address)
    except (OSError, ValueError):
        return False
    finally:
        connection.close()
    return True


def listeners(runroot: str) -> list[str]:
    """Where the service said that it listens; nothing where it said so to nobody."""
    try:
        with open(f"{runroot}/listeners", encoding="utf-8") as file:
            return file.read().split("\n")
    except OSError:
        return []


def owned(root: str) -> bool:
    """Whether a service has the root, now or within the time that it needs to start.

    After a SIGKILL the addresses in the file are those of the dead: somebody else may listen there by now.
    """
    limit = time.monotonic() + TAKING
    while not _locked(f"{root}/lock"):
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)
    return True


def _locked(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            flock(file, LOCK_SH | LOCK_NB)  # let go of with the file: who starts tries again
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def served(root: str, runroot: str) -> bool:
    """Whether a service is there, and sees by itself what has ended."""
    return any(accepts(uri) for uri in listeners(runroot) if uri) and owned(root)


def dies_before(root: str, run: str) -> bool:
    """Whether the service lets go of the root before it has settled the end: it is killed in the middle, say."""
    limit = time.monotonic() + SETTLING
    while os.path.exists(run) and time.monotonic() < limit:
        if not _locked(f"{root}/lock"):
            return os.path.exists(run)
        time.sleep(0.1)
    return False


def main(arguments: list[str]) -> int:
    if len(arguments) != 4:
        print("usage: exited ROOT RUNROOT ID RUN", file=sys.stderr)
        return 2
    root, runroot = arguments[:2]
    run = f"{runroot}/runs/{arguments[2]}/{arguments[3]}"
    known = os.path.exists(run)  # where the run root was lost, its absence says nothing
    if served(root, runroot) and not (known and dies_before(root, run)):
        return 0
    try:
        with open(f"{root}/libexec/interpreter", encoding="utf-8") as file:
            # One at a time: a whole host's containers may end at one moment, and the first settles them all.
            flock(file, LOCK_EX)
            if (known and not os.path.exists(run)) or served(root, runroot):
                return 0
            interpreter = file.read().removesuffix("\n")
            os.set_inheritable(file.fileno(), True)  # the turn lasts until the reconcile ends
            os.execv(  # noqa: S606 - this program becomes the other
                interpreter,
                [interpreter, "-I", "-m", "apiserver", "reconcile", "--root", root, "--runroot", runroot],
            )
    except OSError as error:
        print(f"exited: the service's interpreter cannot be run: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
