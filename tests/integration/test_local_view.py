"""Where the paths of a container lead, by what is mounted in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from apiserver.local.runs.spec.mounts import Placed
from apiserver.local.runs.view import View


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "srv/data").mkdir(parents=True)
    (root / "data").symlink_to("srv/data")
    (root / "up").symlink_to("../../../../etc")
    (root / "srv/data/dev").symlink_to("/dev")
    (root / "srv/self").symlink_to("../loop")
    (root / "loop").symlink_to("srv/self")
    return root


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    place = tmp_path / "volume"
    (place / "sub").mkdir(parents=True)
    (place / "absolute").symlink_to("/data")
    (place / "beside").symlink_to("../other/x")
    (place / "own").symlink_to("sub/../sub/deep")
    (place / "file").write_text("")
    return place


def bound(target: str, source: Path) -> Placed:
    return Placed(target, "bind", str(source), ("rbind", "rw"))


def tmpfs(target: str, *options: str) -> Placed:
    return Placed(target, "tmpfs", "tmpfs", options)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", "/"),
        ("/srv/../../..//./srv/", "/srv"),
        ("/data/made/x", "/srv/data/made/x"),
        ("/data/../x", "/srv/x"),
        ("/missing/../x", "/x"),
        ("/up/passwd", "/etc/passwd"),
        ("/v/absolute/dev/null", "/dev/null"),
        ("/v/beside", "/other/x"),
        ("/v/own/deeper", "/v/sub/deep/deeper"),
        ("/v/own/../../../t/absolute", "/t/absolute"),
        ("/v/file/x", "/v/file/x"),
        ("/t/dev", "/t/dev"),
    ],
)
def test_a_path_leads_where_the_runtimes_find_it(rootfs: Path, volume: Path, path: str, found: str) -> None:
    with View(rootfs) as view:
        for mount in (bound("/v", volume), tmpfs("/t")):
            view.mount(mount)
        assert view.find(path).path == found


def test_a_loop_leads_nowhere(rootfs: Path) -> None:
    with View(rootfs) as view, pytest.raises(OSError, match="Too many levels"):
        view.find("/loop/x")


def test_a_mount_lies_where_its_target_leads_and_the_last_one_hides_the_others(rootfs: Path, volume: Path) -> None:
    with View(rootfs) as view:
        first, second, last = bound("/data/x", volume), bound("/srv/data", volume / "sub"), tmpfs("/v")
        assert (view.mount(first).path, view.find("/data/x/own").path) == ("/srv/data/x", "/srv/data/x/sub/deep")
        assert view.find("/srv/data/x/file").mount is first
        assert view.mount(second).mount is None
        place = view.find("/data/x/own")
        assert (place.path, place.mount, place.rest) == ("/srv/data/x/own", second, "/x/own")
        view.mount(bound("/v", volume))
        assert view.mount(last).rest == "/"
        assert view.find("/v/absolute").path == "/v/absolute"


def test_a_tmpfs_that_is_filled_from_the_image_has_its_links(rootfs: Path, volume: Path) -> None:
    with View(rootfs) as view:
        view.mount(tmpfs("/srv/data", "tmpcopyup"))
        assert view.find("/data/dev/null").path == "/dev/null"
        view.mount(bound("/v", volume))
        view.mount(tmpfs("/v/sub", "tmpcopyup"))
        view.mount(tmpfs("/t", "rw"))
        assert view.find("/v/sub/x").rest == "/x"
        assert view.find("/t/dev").path == "/t/dev"


def test_a_file_is_no_directory(rootfs: Path, volume: Path) -> None:
    with View(rootfs) as view:
        mount = bound("/f", volume / "file")
        view.mount(mount)
        assert view.directory(mount) is None
        assert view.find("/f/x").path == "/f/x"
