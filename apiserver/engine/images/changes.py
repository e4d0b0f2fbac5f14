"""Instructions that change the configuration of an image which is imported or committed.

The words are Dockerfile's; only the instructions that touch nothing but the configuration exist here.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from apiserver.engine.ports.images import ImageConfig
from apiserver.errors import InvalidParameter, NotImplementedYet

_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/([^/]*))?", re.ASCII)
_TRANSPORTS = ("tcp", "udp", "sctp")
_LARGEST_PORT = 65535
_SHELL = ("/bin/sh", "-c")
_ELSEWHERE = frozenset(["ADD", "ARG", "COPY", "FROM", "MAINTAINER", "RUN", "SHELL"])

_SINGLE = frozenset(["STOPSIGNAL", "USER", "WORKDIR"])


def apply_changes(config: ImageConfig, changes: Sequence[str]) -> ImageConfig:
    """The configuration after the instructions, one in each string, or several on lines of their own.

    Raises:
        InvalidParameter: an unknown instruction, or one that makes no sense.
    """
    for line in (line.strip() for change in changes for line in change.splitlines()):
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        instruction, rest = word.upper(), rest.strip()
        if instruction in _ELSEWHERE:
            raise InvalidParameter(f"{word} is not a valid change command")
        if instruction == "HEALTHCHECK":
            raise NotImplementedYet("HEALTHCHECK as a change")
        apply = _INSTRUCTIONS.get(instruction)
        if apply is None:
            raise InvalidParameter(f"{word} is not a valid change command")
        if not rest:
            least = "exactly" if instruction in _SINGLE else "at least"
            raise InvalidParameter(f"{instruction} requires {least} one argument")
        config = apply(config, rest)
    return config


def _cmd(config: ImageConfig, rest: str) -> ImageConfig:
    return replace(config, cmd=_arguments(rest))


def _entrypoint(config: ImageConfig, rest: str) -> ImageConfig:
    return replace(config, entrypoint=_arguments(rest))


def _env(config: ImageConfig, rest: str) -> ImageConfig:
    variables = dict(entry.partition("=")[::2] for entry in config.env) | _pairs("ENV", rest)
    return replace(config, env=tuple(f"{name}={value}" for name, value in variables.items()))


def _label(config: ImageConfig, rest: str) -> ImageConfig:
    return replace(config, labels={**config.labels, **_pairs("LABEL", rest)})


def _expose(config: ImageConfig, rest: str) -> ImageConfig:
    ports = set(config.exposed_ports)
    for word in rest.split():
        match = _PORT.fullmatch(word.lower())
        first = int(match[1]) if match else 0
        last = int(match[2] or match[1]) if match else 0
        if not match or not 1 <= first <= last <= _LARGEST_PORT:
            raise InvalidParameter(f"invalid containerPort: {word}")
        if match[3] and match[3] not in _TRANSPORTS:
            raise InvalidParameter(f"invalid proto: {match[3]}")
        ports |= {f"{port}/{match[3] or 'tcp'}" for port in range(first, last + 1)}
    return replace(config, exposed_ports=tuple(sorted(ports)))


def _user(config: ImageConfig, rest: str) -> ImageConfig:
    if len(rest.split()) != 1:
        raise InvalidParameter("USER requires exactly one argument")
    return replace(config, user=rest)


def _volume(config: ImageConfig, rest: str) -> ImageConfig:
    listed = _json_list(rest)
    paths = rest.split() if listed is None else listed
    if not paths or not all(path.strip() for path in paths):
        raise InvalidParameter("VOLUME specified can not be an empty string")
    return replace(config, volumes=tuple(sorted({*config.volumes, *paths})))


def _workdir(config: ImageConfig, rest: str) -> ImageConfig:
    return replace(config, working_dir=posixpath.normpath(posixpath.join("/", config.working_dir, rest)))


def _stop_signal(config: ImageConfig, rest: str) -> ImageConfig:
    if not re.fullmatch(r"(?:SIG)?[A-Z0-9+-]+", rest, re.IGNORECASE | re.ASCII):
        raise InvalidParameter(f"invalid signal: {rest}")
    return replace(config, stop_signal=rest)


def _on_build(config: ImageConfig, rest: str) -> ImageConfig:
    trigger = rest.split()[0].upper()
    if trigger in ("ONBUILD", "FROM", "MAINTAINER"):
        raise InvalidParameter(f"{trigger} isn't allowed as an ONBUILD trigger")
    return replace(config, on_build=(*config.on_build, rest))


_INSTRUCTIONS: dict[str, Callable[[ImageConfig, str], ImageConfig]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}


def _arguments(rest: str) -> tuple[str, ...]:
    """A JSON list is the arguments themselves, anything else a line for the shell."""
    listed = _json_list(rest)
    return (*_SHELL, rest) if listed is None else tuple(listed)


def _json_list(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None


def _pairs(instruction: str, rest: str) -> dict[str, str]:
    """`name=value name2="a b"`, or the older `name the rest of the line`."""
    name, space, value = rest.partition(" ")
    if "=" not in name:
        if not space:
            raise InvalidParameter(f"{instruction} must have two arguments")
        return {name: value.strip()}
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise InvalidParameter(f"{instruction}: {error}") from error
    pairs = {}
    for word in words:
        key, equals, content = word.partition("=")
        if not equals or not key:
            raise InvalidParameter(f"Syntax error - can't find = in {word!r}. Must be of the form: name=value")
        pairs[key] = content
    return pairs
