"""The lines of passwd and group that a container gets for a numeric user that its image does not have."""

from __future__ import annotations

from apiserver.local.runs.spec import users


def passwd_line(user: str, passwd: bytes, group: bytes, *, home: str, entry: str = "", host_passwd: bytes = b"") -> str:
    """The line for a user in Podman's shape, with its newline; empty where none is added.

    Args:
        user: `USER[:GROUP]`. Only a number that passwd does not have gets a line.
        passwd, group: what the container's files hold.
        home: the working directory of the container's first process.
        entry: the client's own line, with `$USERNAME`, `$UID`, `$GID`, `$NAME` and `$HOME` in it.
        host_passwd: the host's file, where the user may have a name.

    Raises:
        InvalidParameter: what `users.resolve` refuses too.
    """
    name, _, group_name = user.partition(":")
    uid = users.numeric_id(name) if name else None
    if uid is None or any(known.uid == uid for known in users.passwd_entries(passwd)):
        return ""
    gid = users.group_id(group_name, users.group_entries(group)) if group_name else 0
    if entry:
        values = {"USERNAME": str(uid), "UID": str(uid), "GID": str(gid), "NAME": "container user", "HOME": home}
        return _filled_in(entry, values)
    on_host = next((known for known in users.passwd_entries(host_passwd) if known.uid == uid), None)
    called, full_name = (on_host.name, on_host.full_name) if on_host is not None else (str(uid), "container user")
    return f"{called}:*:{uid}:{gid}:{full_name}:{home}:/bin/sh\n"


def group_line(user: str, group: bytes, *, entry: str = "") -> str:
    """The line for the group of a user, as `passwd_line`; without a group it is the user's own number that counts.

    Args:
        entry: the client's own line, with `$GROUPNAME`, `$GID` and `$USERLIST` in it. As with Podman, the first and
            the last are empty: there is no such group to have a name or members.

    Raises:
        InvalidParameter: the number is no id.
    """
    name, colon, group_name = user.partition(":")
    number = group_name if colon else name
    gid = users.numeric_id(number) if number else None
    if gid is None or any(known.gid == gid for known in users.group_entries(group)):
        return ""
    if entry:
        return _filled_in(entry, {"GROUPNAME": "", "GID": str(gid), "USERLIST": ""})
    return f"{gid}:x:{gid}:{name}\n"


def to_append(file: bytes, line: str) -> bytes:
    """A line as it goes to the end of a file, whose last line may have no end of its own."""
    begun = b"\n" if file and not file.endswith(b"\n") else b""
    return begun + line.encode(errors="surrogateescape") if line else b""


def _filled_in(entry: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        entry = entry.replace(f"${name}", value)
    return f"{entry}\n"
