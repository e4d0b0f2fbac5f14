"""The options of `apiserver serve`, from command line and file, for both ways to run it; no Twisted here."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from apiserver.config.daemon_toml import BadConfiguration, read_daemon_toml
from apiserver.daemon.endpoints import Endpoint, TlsEndpoint, parse_endpoint

DEFAULT_ROOT = Path("/var/lib/apiserver")
DEFAULT_RUNROOT = Path("/run/apiserver")
DEFAULT_LISTEN = "unix:/run/apiserver/apiserver.sock"
DEFAULT_IDLE_TIMEOUT = 300.0

UMASK = 0o022  # before anything is made or served

LOG_LEVELS = ("error", "warning", "info", "debug", "trace")
LOG_FORMATS = ("text", "json")

_HOST_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class Options(Struct, frozen=True):
    """What the daemon was told.

    Attributes:
        listen: empty where nothing was said: passed descriptors, or else the default socket.
        idle_timeout: seconds without connection or work before it leaves; 0 = never.
        drain_timeout: seconds that a halt waits for finite requests; None = the idle window, 1 s where that is 0.
        registry_timeout: seconds without a byte after which a registry is given up; None for the default.
        cors: the origin that browsers may come from, `*` for any.
        allowed_host: names in lower case that clients on TCP may call us by; `*.` in front is for any one label.
    """

    root: Path = DEFAULT_ROOT
    runroot: Path = DEFAULT_RUNROOT
    listen: tuple[Endpoint, ...] = ()
    idle_timeout: float = DEFAULT_IDLE_TIMEOUT
    drain_timeout: float | None = None
    registry_timeout: float | None = None
    cors: str | None = None
    allowed_host: tuple[str, ...] = ()
    log_level: str = "info"
    log_format: str = "text"
    pid_file: Path | None = None

    @property
    def needs_tls(self) -> bool:
        return any(isinstance(endpoint, TlsEndpoint) for endpoint in self.listen)

    @property
    def drain_limit(self) -> float:
        """Seconds that a halt waits for finite requests."""
        if self.drain_timeout is not None:
            return self.drain_timeout
        return self.idle_timeout or 1.0


def seconds(text: str) -> float:
    """A length of time; a fraction is fine, a negative or infinite one is not.

    Raises:
        ValueError: it is neither.
    """
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{text!r} is not a length of time in seconds")
    return value


def absolute(text: str) -> Path:
    """A path made absolute now: the working directory may be another one later."""
    if not text:
        raise ValueError("the path is empty")
    return Path(text).absolute()


def host_name(text: str) -> str:
    """A name for a host, as certificates have it too: in lower case, without a port.

    Raises:
        ValueError: it is none.
    """
    name = text.lower().removesuffix(".")
    if not _HOST_NAME.fullmatch(name):
        raise ValueError(f"{text!r} is not the name of a host (without a port; `*.` may stand in front)")
    return name


def one_of(*choices: str) -> Callable[[str], str]:
    def choose(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return choose


def not_here(text: str) -> str:
    raise ValueError(f"the profiler ({text!r}) is not available in this version")


class _Option(Struct, frozen=True):
    read: Callable[[str], Any]
    metavar: str
    help: str
    repeated: bool = False


_PLACES = {
    "root": _Option(absolute, "DIR", f"state and images (default {DEFAULT_ROOT})"),
    "runroot": _Option(absolute, "DIR", f"what a reboot may lose (default {DEFAULT_RUNROOT})"),
}
_SERVE = {
    **_PLACES,
    "listen": _Option(
        parse_endpoint,
        "ENDPOINT",
        "unix:PATH[:mode=660][:group=NAME], tcp:PORT[:interface=ADDRESS], "
        "ssl:PORT:privateKey=FILE:certKey=FILE or systemd:domain=UNIX:index=0; may be repeated "
        f"(default: the descriptors that were passed, or else {DEFAULT_LISTEN})",
        repeated=True,
    ),
    "idle-timeout": _Option(seconds, "SECONDS", "leave when nobody needed us for this long; 0 = never (default 300)"),
    "drain-timeout": _Option(
        seconds, "SECONDS", "wait this long for requests under way when told to stop (default: the idle time-out, or 1)"
    ),
    "registry-timeout": _Option(seconds, "SECONDS", "give up a registry that sends nothing for this long (default 60)"),
    "cors": _Option(str, "ORIGIN", "let pages of this origin call the API (default: none may)"),
    "allowed-host": _Option(
        host_name,
        "NAME",
        "let clients on TCP call us by this name, besides addresses, localhost and, with TLS, the names in the "
        "certificate; may be repeated",
        repeated=True,
    ),
    "pprof": _Option(not_here, "ADDRESS", "serve profiles there (not available in this version)"),
    "log-level": _Option(one_of(*LOG_LEVELS), "LEVEL", f"{'|'.join(LOG_LEVELS)} (default info)"),
    "log-format": _Option(one_of(*LOG_FORMATS), "FORMAT", f"{'|'.join(LOG_FORMATS)} (default text)"),
    "pid-file": _Option(absolute, "FILE", "write the process id there while it runs"),
}


def _in_our_words(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Hand the reason of a bad value through argparse, which would otherwise name only our function."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def serve_parser(prog: str) -> argparse.ArgumentParser:
    """The command line of `serve`; only `read_options` understands what it parses to."""
    parser = _parser(prog, "Serve the API until it is idle or told to stop.", _SERVE)
    parser.add_argument("--config", metavar="FILE", help="TOML file whose keys are these options' names")
    return parser


def places_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """The command line of a subcommand that only asks where things are."""
    return _parser(prog, description, _PLACES)


def _parser(prog: str, description: str, options: dict[str, _Option]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog, description=description, allow_abbrev=False, argument_default=argparse.SUPPRESS
    )
    for name, option in options.items():
        parser.add_argument(
            f"--{name}",
            type=_in_our_words(option.read),
            metavar=option.metavar,
            help=option.help,
            action="append" if option.repeated else "store",
        )
    return parser


def read_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Options:
    """Parse a command line, and the file that it names; the command line beats the file.

    Ends the process with status 2 and a message where either is wrong, as argparse does.
    """
    given = vars(parser.parse_args(list(arguments)))
    config = given.pop("config", None)
    try:
        values = _from_file(Path(config)) if config is not None else {}
    except BadConfiguration as error:
        parser.error(str(error))
    values.update(given)
    for name in ("listen", "allowed_host"):
        if name in values:
            values[name] = tuple(values[name])
    return Options(**values)


def _from_file(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, words in read_daemon_toml(path, _SERVE.keys()).items():
        option = _SERVE[key]
        if not option.repeated and len(words) != 1:
            raise BadConfiguration(f"configuration file {path}: {key} must be one value")
        try:
            read = [option.read(word) for word in words]
        except ValueError as error:
            raise BadConfiguration(f"configuration file {path}: {key}: {error}") from error
        values[key.replace("-", "_")] = read if option.repeated else read[0]
    return values
