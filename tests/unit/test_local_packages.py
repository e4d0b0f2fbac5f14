"""Which package a program is from, by dpkg's records."""

from __future__ import annotations

from pathlib import Path

import pytest

from apiserver.local.packages import packages

STATUS = """\
Package: conmon-doc
Status: install ok installed
Architecture: all
Version: 9

Package: conmon
Status: install ok installed
Architecture: amd64
Depends: libc6
Version: 2.1.6+ds1-1
Description: text
 Version: 7

Package: nftables
Architecture: arm64
Version: 1:1.0

Package: broken
Version: 1
"""


@pytest.fixture
def dpkg(tmp_path: Path) -> Path:
    (tmp_path / "info").mkdir()
    (tmp_path / "status").write_text(STATUS)
    for name, file in (("conmon", "/usr/bin/conmon"), ("nftables:arm64", "/usr/sbin/nft"), ("broken", "/b")):
        (tmp_path / "info" / f"{name}.list").write_text(f"/.\n{file}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("program", "path", "package"),
    [
        ("conmon", "/usr/bin/conmon", "conmon_2.1.6+ds1-1_amd64"),
        ("conmon", "/usr/local/bin/conmon", None),  # somebody built it
        ("nft", "/usr/sbin/nft", "nftables_1:1.0_arm64"),
        ("crun", "/usr/bin/crun", None),
        ("broken", "/b", None),
    ],
)
def test_a_program_is_from_the_package_that_has_it_where_it_is(
    dpkg: Path, program: str, path: str, package: str | None
) -> None:
    assert packages({program: Path(path)}, dpkg) == ({program: package} if package else {})


def test_without_dpkg_nothing_is_from_a_package(tmp_path: Path) -> None:
    assert packages({"conmon": Path("/usr/bin/conmon")}, tmp_path) == {}
