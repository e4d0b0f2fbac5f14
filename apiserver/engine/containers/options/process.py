"""The first process of a container: what runs, as whom, where, and how it is stopped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from apiserver.engine.containers.signals import signal_number
from apiserver.errors import InvalidParameter, NotImplementedYet

_USER = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]*[$]?")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,64}(?:/[A-Za-z0-9_+-]{1,64}){0,3}")
_NUMBER = re.compile(r"0|[1-9][0-9]*")
LONGEST_PATH = 4095
"""Bytes, the kernel's own limit. A runtime that complains of a longer one (over 64 KiB of it) and conmon wait for
each other."""
LONGEST_NAME = 255
"""Bytes of one component of a path, NAME_MAX of every file system that holds containers."""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where neither the client nor the image says one."""
_INITS = ("/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init")
LARGEST_ID = 2**31 - 1
"""Docker's own limit: the kernel's -1 (4,294,967,295) means "no change" and must never get there."""


class Process(Struct, frozen=True):
    entrypoint: tuple[str, ...] | None = None
    """None keeps the image's; an empty tuple empties it, and `("",)` the image's command as well."""
    command: tuple[str, ...] | None = None
    """None keeps the image's, unless the client gave an entrypoint."""
    env: tuple[str, ...] = ()
    """`NAME=value`, in order, each name once after create."""
    default_env: tuple[str, ...] = ()
    """What the image's and the client's environment go over; empty after create, as it is in `env` then."""
    env_merge: tuple[str, ...] = ()
    """`NAME=value` with variables of what is below the client's in it, which they go over; empty after create."""
    image_env: bool = True
    """False: of the image's environment, and of the default one, nothing is taken."""
    working_dir: str = ""
    """Absolute after create ("/" where neither the client nor the image says)."""
    create_working_dir: bool = True
    """False: a start fails where it is missing."""
    user: str = ""
    """`USER[:GROUP]`, names or numbers, as given; resolved in the container's own passwd and group at start."""
    adds_accounts: bool = False
    """A user that is a number and not in the container's passwd gets a line there, and one in group, at start."""
    passwd_entry: str = ""
    """The client's own line for passwd, with `$USERNAME`, `$UID`, `$GID`, `$NAME`, `$HOME`; empty: the usual one."""
    group_entry: str = ""
    """As `passwd_entry`, for group, with `$GROUPNAME`, `$GID`, `$USERLIST`."""
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
    umask: int = 0o022
    timezone: str = ""
    """Empty: what the image has; `local`: the host's; else a zone's name (`Europe/Berlin`)."""
    systemd: bool = False
    """An init of a machine (systemd) as the command would want to be run as one: refused while that is not built."""

    @property
    def argv(self) -> tuple[str, ...]:
        return (*(self.entrypoint or ()), *(self.command or ()))


def validated(process: Process) -> Process:
    """The options as they will act.

    Raises:
        InvalidParameter: the message names the field.
        NotImplementedYet: see `Process.systemd`.
    """
    for field, words in (("Cmd", process.command), ("Entrypoint", process.entrypoint)):
        if any("\0" in word for word in words or ()):
            raise InvalidParameter(f"{field}: a word holds NUL")
    if not process.argv or not process.argv[0]:
        raise InvalidParameter("no command specified")
    if too_long(process.argv[0]):
        raise InvalidParameter(f"Cmd: the name of a program has at most {LONGEST_PATH} bytes")
    check_user(process.user)
    check_working_dir(process.working_dir)
    if process.stop_signal:
        signal_number(process.stop_signal)
    if not 0 <= process.umask <= 0o777:
        raise InvalidParameter(f"invalid umask: {process.umask:o}")
    if process.timezone and not _ZONE.fullmatch(process.timezone):
        raise InvalidParameter(f"invalid timezone: {process.timezone[:100]!r}")
    if process.systemd and _is_init(process.argv):
        raise NotImplementedYet("the option systemd (--systemd) with an init as the command")
    env = check_env(process.env, complete=True)
    return replace(process, env=env, working_dir=process.working_dir or "/")


def _is_init(argv: Sequence[str]) -> bool:
    """Podman's rule: one of the usual paths, or anything called systemd, also by way of `sh -c`."""
    if len(argv) > 2 and argv[0].endswith("/sh") and argv[1] == "-c":
        argv = argv[2:]
    return argv[0] in _INITS or argv[0].rpartition("/")[2] == "systemd"


def check_env(env: Sequence[str], *, complete: bool) -> tuple[str, ...]:
    """Look at an environment; a value may hold anything but NUL, also newlines, as certificates do.

    Args:
        complete: `NAME` alone, which means "take it out" to a merge, is dropped: it never means the service's own.

    Raises:
        InvalidParameter
    """
    for entry in env:
        name, _, value = entry.partition("=")
        if not name:
            raise InvalidParameter(f"invalid environment variable: {entry}")
        if "\0" in entry or any(c in name for c in "\n\r"):
            raise InvalidParameter(f"invalid environment variable name in Env: {name!r}")
        if name == "HOME" and "\n" in value:
            # It stands in a line of passwd for some programs (CVE-2022-4318).
            raise InvalidParameter("invalid environment variable HOME in Env: it holds a newline")
    return tuple(entry for entry in env if "=" in entry) if complete else tuple(env)


def check_user(user: str, field: str = "User") -> None:
    """`[USER][:[GROUP]]`, each a name or a decimal number from 0 to 2,147,483,647; `field` is for the refusal.

    Raises:
        InvalidParameter
    """
    name, _, group = user.partition(":")
    for part in filter(None, (name, group)):
        if not _USER.fullmatch(part) or part[:2] in ("0x", "0X"):
            raise InvalidParameter(f"invalid {field}: {user!r}")
        if part.isdecimal() and (not _NUMBER.fullmatch(part) or int(part) > LARGEST_ID):
            raise InvalidParameter(f"invalid {field}: {user!r}: ids are decimal numbers from 0 to {LARGEST_ID}")


def too_long(path: str) -> bool:
    return len(path.encode(errors="surrogatepass")) > LONGEST_PATH


def check_names(path: str, field: str) -> None:
    """Refuse a path with a component that no file system can have; `field` is for the refusal.

    Raises:
        InvalidParameter
    """
    if any(len(name.encode(errors="surrogatepass")) > LONGEST_NAME for name in path.split("/")):
        raise InvalidParameter(f"invalid {field}: a name in the path has more than {LONGEST_NAME} bytes")


def check_working_dir(path: str) -> None:
    """Raises: InvalidParameter."""
    if not path:
        return
    if not path.startswith("/"):
        raise InvalidParameter(f"the working directory '{path}' is invalid, it needs to be an absolute path")
    if too_long(path):
        raise InvalidParameter(f"invalid WorkingDir: it has more than {LONGEST_PATH} bytes")
    check_names(path, "WorkingDir")
    if any(c in path for c in "\0\n"):
        raise InvalidParameter(f"invalid WorkingDir: {path!r}")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if parts[:1] == ["proc"] and "fd" in parts:
        # The runtime would enter a directory of the host through its own descriptors (CVE-2024-21626).
        raise InvalidParameter(f"invalid WorkingDir: {path}: descriptors of a process are no directories to work in")
