"""Users and groups as the container's own passwd and group files know them (moby/sys/user, GetExecUser)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from apiserver.errors import InvalidParameter

ID_MAX = (1 << 31) - 1
_NUMBER = re.compile(r"0|[1-9][0-9]*")
_LOOKS_NUMERIC = re.compile(r"[-+]?[0-9]+")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


class User(Struct, frozen=True):
    """Who a process runs as.

    Attributes:
        groups: all supplementary groups, the primary one among them (CVE-2022-36109), each once.
    """

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = (0,)
    home: str = "/"


class PasswdEntry(Struct, frozen=True):
    name: str
    uid: int
    gid: int
    full_name: str
    home: str


class GroupEntry(Struct, frozen=True):
    name: str
    gid: int
    members: tuple[str, ...]


def resolve(text: str, more_groups: Sequence[str], passwd: bytes, group: bytes) -> User:
    """The user that `USER[:GROUP]` means.

    Args:
        text: names or numbers; an empty user is root, an empty group the user's own. A number always means an id,
            whether or not passwd has it.
        more_groups: names or numbers of supplementary groups, as given.
        passwd, group: what the container's files hold; empty where it has none.

    Raises:
        InvalidParameter: an unknown name, or no number from 0 to 2147483647 in its plain form.
    """
    if _CONTROL.search(text):
        raise InvalidParameter(f"invalid user: {text!r}")
    user_part, _, group_part = text.partition(":")
    if ":" in group_part:
        raise InvalidParameter(f"invalid user: {text!r}")
    number = numeric_id(user_part) if user_part else 0
    entry = next(
        (e for e in passwd_entries(passwd) if (e.uid == number if number is not None else e.name == user_part)), None
    )
    if entry is None and number is None:
        raise InvalidParameter(f"unable to find user {user_part}: no matching entries in passwd file")
    uid = entry.uid if entry else number or 0
    gid = entry.gid if entry else 0
    groups = list(group_entries(group))
    supplementary: list[int] = []
    if group_part:
        gid = group_id(group_part, groups)
    elif entry is not None:
        supplementary = [g.gid for g in groups if entry.name in g.members]
    supplementary += [group_id(name, groups) for name in more_groups]
    home = entry.home if entry else "/"
    return User(uid, gid, tuple(dict.fromkeys((gid, *supplementary))), home)


def user_names(passwd: bytes) -> dict[int, str]:
    """Who has an id; the first entry counts, and a name that is no plain text does not."""
    return _first_names((entry.uid, entry.name) for entry in passwd_entries(passwd))


def group_names(group: bytes) -> dict[int, str]:
    """As `user_names`, of groups."""
    return _first_names((entry.gid, entry.name) for entry in group_entries(group))


def _first_names(entries: Iterable[tuple[int, str]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for number, name in entries:
        if name and name.isprintable() and not _CONTROL.search(name):
            names.setdefault(number, name)
    return names


def group_id(text: str, groups: Iterable[GroupEntry]) -> int:
    if _CONTROL.search(text) or not text:
        raise InvalidParameter(f"invalid group: {text!r}")
    number = numeric_id(text)
    if number is not None:
        return number
    found = next((g.gid for g in groups if g.name == text), None)
    if found is None:
        raise InvalidParameter(f"unable to find group {text}: no matching entries in group file")
    return found


def numeric_id(text: str) -> int | None:
    """A plain decimal id; None for a name.

    What another parser could read as a number in its own way (`-1`, `01000`, `4294967296`) is refused: one that
    wraps around would be root.
    """
    if not _LOOKS_NUMERIC.fullmatch(text):
        return None
    if not _NUMBER.fullmatch(text) or len(text) > 10 or int(text) > ID_MAX:
        raise InvalidParameter(f"invalid id {text!r}: uids and gids must be in range 0-{ID_MAX}")
    return int(text)


def _lines(data: bytes) -> Iterator[list[str]]:
    for line in data.decode(errors="surrogateescape").split("\n"):
        if line and not line.startswith("#"):
            yield line.split(":")


def passwd_entries(data: bytes) -> Iterator[PasswdEntry]:
    for fields in _lines(data):
        if len(fields) < 4 or not (_plain(fields[2]) and _plain(fields[3])):
            continue
        home = fields[5] if len(fields) > 5 else ""
        # What is no path must not become one: it ends in the environment and in the engine's words.
        safe = home.startswith("/") and not _CONTROL.search(home) and home.isprintable()
        full_name = fields[4].partition(",")[0] if len(fields) > 4 else ""
        yield PasswdEntry(fields[0], int(fields[2]), int(fields[3]), full_name, home if safe else "/")


def group_entries(data: bytes) -> Iterator[GroupEntry]:
    for fields in _lines(data):
        if len(fields) < 3 or not _plain(fields[2]):
            continue
        members = fields[3].split(",") if len(fields) > 3 else []
        yield GroupEntry(fields[0], int(fields[2]), tuple(name for name in members if name))


def _plain(text: str) -> bool:
    return len(text) <= 10 and bool(_NUMBER.fullmatch(text)) and int(text) <= ID_MAX
