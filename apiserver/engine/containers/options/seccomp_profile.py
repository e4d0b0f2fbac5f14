"""The shape of a client's seccomp profile: Docker's form, of which OCI's is a part."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from apiserver.errors import InvalidParameter

_Uint: TypeAlias = Annotated[int, Meta(ge=0)]
_ACTIONS = frozenset(
    f"SCMP_ACT_{name}" for name in ("KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "ERRNO", "TRACE", "ALLOW", "LOG")
)
_OPERATORS = frozenset(f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"))


class _Argument(Struct, rename="camel"):
    index: Annotated[int, Meta(ge=0, le=5)]
    op: str
    value: _Uint = 0
    value_two: _Uint = 0


class _Filter(Struct, rename="camel"):
    arches: list[str] | None = None
    caps: list[str] | None = None
    min_kernel: str | None = None


class _Rule(Struct, rename="camel"):
    action: str
    names: list[str] | None = None
    name: str | None = None
    errno_ret: _Uint | None = None
    args: list[_Argument | None] | None = None
    includes: _Filter | None = None
    excludes: _Filter | None = None


class _Architectures(Struct, rename="camel"):
    architecture: str
    sub_architectures: list[str] | None = None


class _Profile(Struct, rename="camel"):
    default_action: str
    default_errno_ret: _Uint | None = None
    architectures: list[str] | None = None
    arch_map: list[_Architectures] | None = None
    flags: list[str] | None = None
    listener_path: str | None = None
    listener_metadata: str | None = None
    syscalls: list[_Rule] | None = None


def check_profile(text: str) -> None:
    """Refuse at the create what the runtime would refuse at each start.

    Raises:
        InvalidParameter: the message ends with the place, as a JSON path.
    """
    try:
        profile = msgspec.json.decode(text, type=_Profile)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidParameter(f"SecurityOpt: Decoding seccomp profile failed: {error}") from None
    rules = profile.syscalls or []
    for action in (profile.default_action, *(rule.action for rule in rules)):
        if action not in _ACTIONS:
            # With NOTIFY a process waits for a listener, which nobody is.
            raise InvalidParameter(f"invalid seccomp profile in SecurityOpt: action {action[:100]!r}")
    for at, rule in enumerate(rules):
        if not rule.names and not rule.name:
            raise InvalidParameter(f"invalid seccomp profile in SecurityOpt: no names at `$.syscalls[{at}]`")
        for argument in rule.args or ():
            if argument is None or argument.op not in _OPERATORS:
                op = argument and argument.op[:100]
                raise InvalidParameter(f"invalid seccomp profile in SecurityOpt: op {op!r} at `$.syscalls[{at}].args`")
