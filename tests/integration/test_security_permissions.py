"""Who on this machine may read or change what is the service's."""

from __future__ import annotations

import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.service import Service

NOBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(scope="module")
def busy(service: Service) -> Iterator[Service]:
    """With a container that runs, one that has ended, a volume, an exec session and a published port."""
    for path, body in (
        ("/containers/create?name=runs", {"Cmd": ["sleep", "100"], "HostConfig": {"PortBindings": {"80": [{}]}}}),
        (
            "/containers/create?name=ended",
            {"Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}, "Volumes": {"/v": {}}},
        ),
    ):
        status, answer = service.request("POST", path, {"Image": "busybox", **body})
        assert status == 201, answer
    for name in ("runs", "ended"):
        assert service.request("POST", f"/containers/{name}/start")[0] == 204
    status, answer = service.request("POST", "/containers/runs/exec", {"Cmd": ["sleep", "100"]})
    assert status == 201
    session = answer.decode().split('"')[3]
    assert service.request("POST", f"/exec/{session}/start", {"Detach": True})[0] == 200
    yield service
    service.remove_containers()


def test_the_roots_and_each_directory_in_them_are_for_root_alone(busy: Service) -> None:
    directories = [busy.root, busy.runroot]
    directories += [path for base in directories for path in base.iterdir() if path.is_dir()]
    assert {str(path): oct(mode(path)) for path in directories if mode(path) != 0o700} == {}
    assert all(path.stat().st_uid == 0 for path in directories)


def test_state_and_what_tells_of_containers_is_0600(busy: Service) -> None:
    assert {path.name: oct(mode(path)) for path in busy.root.glob("state.sqlite*")} == {
        path.name: "0o600" for path in busy.root.glob("state.sqlite*")
    }
    assert list(busy.root.glob("state.sqlite"))
    private = [
        path
        for name in ("config.json", "defaults.json", "process.json", "plan.json")
        for path in busy.runroot.rglob(name)
    ]
    private += list(busy.root.rglob("ctr.log"))
    assert len(private) >= 5
    assert {str(path): oct(mode(path)) for path in private if mode(path) & 0o077} == {}


def test_no_file_of_ours_can_be_written_by_others(busy: Service) -> None:
    """What containers own is below their own directories, which only root enters."""
    inside = ("overlay", "upper", "merged", "_data", "work")
    wrong = [
        str(path)
        for base in (busy.root, busy.runroot)
        for path in base.rglob("*")
        if not any(part in inside for part in path.relative_to(base).parts)
        and not path.is_symlink()
        and mode(path) & 0o022
        and not stat.S_ISSOCK(path.lstat().st_mode)
    ]
    assert wrong == []


def test_another_user_of_the_machine_reads_nothing(busy: Service) -> None:
    script = f"find {busy.root} {busy.runroot} -mindepth 1 2>/dev/null | head -1; cat {busy.root}/state.sqlite"
    said = subprocess.run(
        ["sh", "-c", script], capture_output=True, user=NOBODY, group=NOBODY, extra_groups=[], check=False
    )
    assert said.stdout == b""
    # To connect is to write.
    may = ["sh", "-c", f"test -e {busy.socket} && ! test -w {busy.socket}"]
    assert subprocess.run(may, user=NOBODY, group=NOBODY, extra_groups=[], check=False).returncode == 0


def test_inside_modes_are_as_a_container_needs_them(service: Service, docker: Docker) -> None:
    read = "cat /etc/hosts /etc/resolv.conf /etc/hostname >/dev/null && ls / >/dev/null"
    script = f"{read} && touch /tmp/x /dev/shm/x && echo fine"
    assert docker.ok("run", "--rm", "--network", "none", "-u", "app", "busybox", "sh", "-c", script) == "fine"


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077])
def test_the_umask_it_was_started_with_changes_none_of_it(make_service: Callable[..., Service], umask: int) -> None:
    service = make_service("--idle-timeout", "0", wrapper=("sh", "-c", f'umask {umask:03o}; exec "$@"', "sh"))
    service.start()
    assert mode(service.socket) == 0o660
    for base in (service.root, service.runroot):
        assert {mode(path) for path in (base, *base.iterdir()) if path.is_dir()} == {0o700}
    assert mode(service.root / "state.sqlite") == 0o600
    assert {mode(path) & 0o077 for path in (service.root / "libexec").iterdir()} == {0}


def test_roots_that_were_open_are_shut_at_the_start(make_service: Callable[..., Service]) -> None:
    service = make_service("--idle-timeout", "0")
    for base, names in ((service.root, ("volumes", "containers", "storage", "tmp")), (service.runroot, ("runs",))):
        for path in (base, *(base / name for name in names)):
            path.mkdir()
            path.chmod(0o777)
    service.start()
    for name in ("volumes", "containers", "storage", "tmp"):
        assert mode(service.root / name) == 0o700, name
    assert mode(service.runroot / "runs") == 0o700
    assert (mode(service.root), mode(service.runroot)) == (0o700, 0o700)


def test_the_socket_is_never_open_to_others_not_even_before_it_listens(make_service: Callable[..., Service]) -> None:
    service = make_service("--idle-timeout", "0", wrapper=("sh", "-c", 'umask 000; exec "$@"', "sh"))
    seen = set()
    for _ in range(3):
        service.start(wait=False)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                seen.add(mode(service.socket))
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(service.socket))
                break
            except OSError:
                continue
        service.wait_until_it_answers()
        seen.add(mode(service.socket))
        service.terminate()
    # Between bind(2) and chmod(2) it has what the umask leaves: nobody else may write, which connecting needs.
    assert {each & 0o002 for each in seen} == {0}
    assert {each & 0o020 for each in seen - {0o660}} <= {0}
    assert 0o660 in seen
