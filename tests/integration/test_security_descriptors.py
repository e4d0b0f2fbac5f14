"""Processes of containers hold descriptors 0, 1 and 2, and cannot reach the programs that drive them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.service import Service

RUN = ("run", "--rm")
NO_NETWORK = ("--network", "none")
OPEN = "ls -l /proc/1/fd; echo -; ls /proc/self/fd"


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


def own(listed: str) -> list[str]:
    """What `ls /proc/self/fd` says, without the descriptor that it reads the directory by."""
    return listed.split()[:-1]


@pytest.mark.parametrize(
    "options", [NO_NETWORK, (*NO_NETWORK, "-i"), ("-p", "127.0.0.1::80"), (*NO_NETWORK, "-v", "/tmp:/x:ro")]
)
def test_a_run_has_three(docker: Docker, options: tuple[str, ...]) -> None:
    first, _, listed = docker.ok(*RUN, *options, "busybox", "sh", "-c", OPEN).partition("\n-\n")
    assert [line.split()[-3] for line in first.splitlines() if "->" in line] == ["0", "1", "2"]
    assert own(listed) == ["0", "1", "2"]
    targets = {line.rpartition("-> ")[2] for line in first.splitlines() if "->" in line}
    assert all(target.startswith(("pipe:", "/dev/null", "/dev/pts", "socket:")) for target in targets)


def test_an_exec_has_three_whichever_way_it_is_attached(docker: Docker) -> None:
    container = docker.ok("run", "-d", "--network", "none", "busybox", "sleep", "100")
    assert own(docker.ok("exec", container, "ls", "/proc/self/fd")) == ["0", "1", "2"]
    assert own(docker.ok("exec", "-i", container, "ls", "/proc/self/fd")) == ["0", "1", "2"]
    docker.ok("exec", "-d", container, "sh", "-c", "ls /proc/self/fd > /listed; mv /listed /done")
    docker.ok("exec", container, "sh", "-c", "while [ ! -e /done ]; do sleep 0.05; done")
    assert own(docker.ok("exec", container, "cat", "/done")) == ["0", "1", "2"]


def test_no_descriptor_of_the_service_is_in_conmon(service: Service, docker: Docker) -> None:
    """No listener, no lock, no state file: the service could not be started again while containers run."""
    container = docker.ok("run", "-d", "-p", "127.0.0.1::80", "busybox", "sleep", "100")
    (conmon,) = [
        process
        for process in Path("/proc").glob("[0-9]*")
        if _words(process)[:1] and _words(process)[0].endswith("conmon") and container in _words(process)
    ]
    held = [os.readlink(link) for link in (conmon / "fd").iterdir()]
    assert not [name for name in held if name.startswith(str(service.root)) and not name.endswith("ctr.log")]
    listeners = {
        line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines() if str(service.socket) in line
    }
    assert not {f"socket:[{inode}]" for inode in listeners} & set(held)


def _words(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def test_the_programs_that_drive_a_container_cannot_be_written_from_inside(docker: Docker) -> None:
    """CVE-2019-5736: the runtime that joins a container is seen there as `/proc/PID/exe`."""
    programs = [Path(path) for path in ("/usr/bin/conmon", "/usr/bin/crun", "/usr/sbin/runc", "/usr/bin/runc")]
    before = {path: path.read_bytes() for path in programs if path.exists()}
    script = (
        "while :; do for exe in /proc/[0-9]*/exe; do"
        " case $(readlink $exe) in *busybox*) ;; *) (echo evil > $exe) 2>/dev/null ;; esac; done; done"
    )
    container = docker.ok("run", "-d", "--network", "none", "busybox", "sh", "-c", script)
    for _ in range(5):
        docker.ok("exec", container, "true")
    docker.ok("kill", container)
    assert {path: path.read_bytes() for path in before} == before


def test_a_bind_of_the_hosts_proc_is_the_clients_own_choice_and_hides_what_is_masked(docker: Docker) -> None:
    script = (
        "cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; grep -c ' /proc/sys proc ro,' /proc/mounts"
    )
    assert docker.ok(*RUN, *NO_NETWORK, "-v", "/proc:/host/proc:ro", "busybox", "sh", "-c", script).split() == [
        "0",
        "1",
    ]


def test_what_is_masked_cannot_be_unmounted_or_written(docker: Docker) -> None:
    script = r"""
    umount /proc/kcore 2>/dev/null && echo unmounted
    mount -o remount,rw /proc/sys 2>/dev/null && echo remounted
    mount -t proc none /mnt 2>/dev/null && echo mounted
    for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper \
        /proc/irq/default_smp_affinity
    do (echo x > $file) 2>/dev/null && echo wrote $file; done
    (echo 1 > /sys/fs/cgroup/memory/memory.limit_in_bytes) 2>/dev/null && echo wrote cgroup
    mkdir /sys/fs/cgroup/x /sys/fs/cgroup/memory/x 2>/dev/null && echo made
    for release in $(find /sys/fs/cgroup -name release_agent 2>/dev/null)
    do (echo x > $release) 2>/dev/null && echo wrote $release; done
    mknod /sda b 8 0 2>/dev/null && (cat /sda > /dev/null) 2>/dev/null && echo read
    echo end"""
    assert docker.ok(*RUN, *NO_NETWORK, "busybox", "sh", "-c", script) == "end"
