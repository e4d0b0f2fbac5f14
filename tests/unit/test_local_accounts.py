"""The lines of passwd and group for a user that an image does not have."""

from __future__ import annotations

import pytest

from apiserver.errors import InvalidParameter
from apiserver.local.runs.spec.accounts import group_line, passwd_line, to_append

PASSWD = b"root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1000::/home/bob:/bin/sh\n"
GROUP = b"root:x:0:\nwheel:x:10:bob\n"
HOST = b"root:x:0:0:root:/root:/bin/bash\ngames:x:5:60:Games, room 5:/usr/games:/usr/sbin/nologin\n"


@pytest.mark.parametrize(
    ("user", "passwd", "group"),
    [
        ("555", "555:*:555:0:container user:/work:/bin/sh\n", "555:x:555:555\n"),
        ("555:77", "555:*:555:77:container user:/work:/bin/sh\n", "77:x:77:555\n"),
        ("555:wheel", "555:*:555:10:container user:/work:/bin/sh\n", ""),
        ("555:10", "555:*:555:10:container user:/work:/bin/sh\n", ""),
        ("5", "games:*:5:0:Games:/work:/bin/sh\n", "5:x:5:5\n"),
        ("bob:77", "", "77:x:77:bob\n"),
        ("1000", "", "1000:x:1000:1000\n"),
        ("bob", "", ""),
        ("nobody", "", ""),
        ("0", "", ""),
        ("", "", ""),
        (":77", "", "77:x:77:\n"),
    ],
)
def test_a_number_that_a_file_does_not_have_gets_a_line(user: str, passwd: str, group: str) -> None:
    assert passwd_line(user, PASSWD, GROUP, home="/work", host_passwd=HOST) == passwd
    assert group_line(user, GROUP) == group


def test_a_client_may_bring_the_line() -> None:
    entry = "$USERNAME-$UID-$GID-$NAME-$HOME-$OTHER"
    assert passwd_line("5:77", PASSWD, GROUP, home="/w", entry=entry, host_passwd=HOST) == (
        "5-5-77-container user-/w-$OTHER\n"
    )
    assert passwd_line("bob", PASSWD, GROUP, home="/w", entry=entry) == ""
    assert group_line("5:77", GROUP, entry="x$GROUPNAME:$GID:$USERLIST") == "x:77:\n"
    assert group_line("", GROUP, entry="x") == ""


def test_an_unknown_group_or_a_number_that_is_no_id_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="unable to find group nosuch"):
        passwd_line("555:nosuch", PASSWD, GROUP, home="/")
    with pytest.raises(InvalidParameter, match="uids and gids must be in range"):
        group_line("0555", GROUP)


@pytest.mark.parametrize(
    ("file", "line", "appended"),
    [(b"", "a\n", b"a\n"), (b"x\n", "a\n", b"a\n"), (b"x", "a\n", b"\na\n"), (b"x", "", b"")],
)
def test_a_line_is_one_of_its_own(file: bytes, line: str, appended: bytes) -> None:
    assert to_append(file, line) == appended
