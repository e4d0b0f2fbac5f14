"""Images that mean harm: their links, programs, files and labels act on nothing outside of their containers."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.docker import Docker
from tests.support.image_archive import (
    Entry,
    TestImage,
    busybox_entries,
    busybox_image,
    busybox_layer,
    docker_archive,
    layer,
)
from tests.support.service import Service

QUICKLY = 10.0


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory of the host that a container must neither see nor change."""
    place = tmp_path / "outside"
    place.mkdir(mode=0o777)
    (place / "secret").write_text("secret of the host\n")
    before = picture(place)
    yield place
    assert picture(place) == before


def picture(place: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(place)): (path.lstat().st_mode, b"" if path.is_dir() else path.read_bytes())
        for path in place.rglob("*")
    }


def load(service: Service, image: TestImage) -> None:
    status, body = service.request("POST", "/images/load?quiet=1", docker_archive(image))
    assert status == 200, body


@pytest.fixture
def linked(service: Service, outside: Path) -> Callable[..., None]:
    """Loads the image `trap`, in which paths are links to `outside`, or to what is below it."""

    def make(links: dict[str, str], **config: Any) -> None:
        entries = [entry for entry in busybox_entries() if entry.path.rstrip("/") not in links]
        entries = [entry for entry in entries if not any(entry.path.startswith(f"{path}/") for path in links)]
        tar = layer([*entries, *(Entry(path, link=target) for path, target in links.items())])
        load(service, TestImage((tar,), ("trap:latest",), {"Cmd": ["sh"], "Env": ["PATH=/bin"], **config}))

    return make


RUN = ("run", "--rm", "--network", "none")


# set-up follows no link of the image


def test_a_working_directory_behind_a_link_is_made_inside(
    docker: Docker, linked: Callable[..., None], outside: Path
) -> None:
    linked({"work": str(outside), "up": f"../../../../../../../../..{outside}"}, WorkingDir="/work/from/image")
    assert docker.ok(*RUN, "trap", "pwd").endswith("from/image")
    for path in ("/work/made", "/up/made", "/work/../up/made"):
        docker.ok(*RUN, "-w", path, "trap", "true")


def test_mounts_on_links_stay_inside(
    docker: Docker, linked: Callable[..., None], outside: Path, tmp_path: Path
) -> None:
    linked({"mnt": str(outside), "deep": f"..{outside}/deep/er", "file": f"{outside}/file"})
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_text("mounted\n")
    options = (
        *("-v", f"{data}:/mnt/bind", "-v", f"{data / 'file'}:/file", "-v", "/deep/anonymous"),
        *("--tmpfs", "/mnt/tmpfs", "--mount", f"type=bind,source={data / 'file'},target=/mnt/new/file"),
    )
    said = docker.ok(
        *RUN, *options, "trap", "sh", "-c", "cat /mnt/bind/file /file /mnt/new/file; echo > /deep/anonymous/x"
    )
    assert said.split() == ["mounted"] * 3


def test_our_own_files_behind_links_stay_inside(docker: Docker, linked: Callable[..., None], outside: Path) -> None:
    links = {f"etc/{name}": f"{outside}/{name}" for name in ("hosts", "hostname", "resolv.conf", "mtab")}
    linked({**links, "run": f"{outside}/run"})
    assert "localhost" in docker.ok(*RUN, "trap", "cat", "/etc/hosts")
    linked({"etc": str(outside)})
    assert "localhost" in docker.ok(*RUN, "trap", "cat", "/etc/hosts")


def test_a_read_only_container_follows_no_link_either(
    docker: Docker, linked: Callable[..., None], outside: Path
) -> None:
    linked({"work": str(outside), "etc": str(outside)})
    assert docker.ok(*RUN, "--read-only", "--tmpfs", "/work/tmp", "-w", "/work", "trap", "echo", "fine") == "fine"


@pytest.mark.parametrize("path", ["dev", "proc", "sys"])
def test_kernel_file_systems_on_links_are_refused(
    docker: Docker, linked: Callable[..., None], outside: Path, path: str
) -> None:
    linked({path: str(outside)})
    said = docker(*RUN, "trap", "true")
    assert said.code == 125
    assert f"/{path} is not a directory" in said.stderr


def test_nothing_is_mounted_over_proc(docker: Docker, linked: Callable[..., None], tmp_path: Path) -> None:
    linked({"sneaky": "/proc", "sneakier": "/proc/self/attr"})
    for target in ("/proc", "/proc/", "/proc/self/fd", "/x/../proc/sys", "/", "/sneaky", "/sneaky/1", "/sneakier"):
        for option in (("-v", f"{tmp_path}:{target}"), ("--tmpfs", target), ("-v", target)):
            said = docker(*RUN, *option, "trap", "echo", "ran")
            assert said.code == 125, (option, said)


@pytest.mark.parametrize(
    ("links", "volumes"),
    [
        ({"d": "/dev"}, ["/d"]),
        ({"d": "/dev"}, ["/d/shm"]),
        ({"s": "/sys"}, ["/s"]),
        ({"s": "t", "t": "../../sys"}, ["/s/firmware"]),
        ({"data/d": "/dev"}, ["/data", "/data/d"]),
        ({"data/p": "/proc"}, ["/data", "/data/p/1"]),
        ({"data/d": "../../dev", "up": "data"}, ["/data", "/up/d"]),
        ({"data/a": "b", "data/b": "/sys"}, ["/data", "/data/a/x"]),
        ({}, ["/dev"]),
    ],
)
def test_an_image_alone_does_not_say_what_is_in_dev_and_sys(
    docker: Docker, linked: Callable[..., None], links: dict[str, str], volumes: list[str]
) -> None:
    """The runtime hides what is secret in /proc behind /dev/null, whatever that is."""
    linked({**links, "dev/null": "/proc/keys"}, Volumes={path: {} for path in volumes})
    said = docker(*RUN, "trap", "cat", "/proc/self/mounts")
    assert (said.code, said.stdout) == (125, "")
    assert "invalid mount target" in said.stderr
    assert "inside /" in said.stderr or "volume of an image" in said.stderr


@pytest.mark.parametrize("link", ["/dev", "/sys", "/sys/fs", "/proc", "/proc/1", "../dev"])
def test_a_link_in_a_bind_does_not_either(docker: Docker, tmp_path: Path, link: str) -> None:
    (tmp_path / "link").symlink_to(link)
    for options in (("-v", "/data/link"), ("--tmpfs", "/data/link/x"), ("-v", f"{tmp_path}:/data/link")):
        said = docker(*RUN, "-v", f"{tmp_path}:/data", *options, "busybox", "true")
        assert (said.code, "invalid mount target" in said.stderr) == (125, True), said


def test_mounts_that_clients_ask_for_in_dev_and_sys_or_behind_links_go_on(
    docker: Docker, linked: Callable[..., None], tmp_path: Path
) -> None:
    links = {"var/run": "/run", "data": "srv/data", "short": "/data", "etc/alternatives/x": "/data"}
    linked(links, Volumes={"/data": {}, "/dev/shm": {}}, WorkingDir="/short/made")
    (tmp_path / "file").write_text("mounted\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "near").symlink_to("sub")
    file = tmp_path / "file"
    for options, looks in (
        (("-v", f"{file}:/dev/foo", "-v", f"{tmp_path}:/dev/more"), "cat /dev/foo /dev/more/file"),
        (("--tmpfs", "/dev/shm"), "grep -c ' /dev/shm tmpfs' /proc/mounts"),
        (("-v", "/dev/shm:/dev/shm"), "grep -c ' /dev/shm ' /proc/mounts"),
        (("-v", "/dev:/dev"), "test -c /dev/null"),
        (("-v", "/sys:/sys:ro"), "test -d /sys/class/net && test -e /sys/fs/cgroup"),
        (("-v", "/sys/fs/cgroup:/sys/fs/cgroup:ro"), "ls /sys/fs/cgroup"),
        (("-v", "/proc:/host/proc", "-v", "/sys:/host/sys:ro", "-v", "/:/rootfs:ro"), "cat /host/proc/uptime"),
        (("-v", f"{file}:/var/run/docker.sock"), "cat /run/docker.sock"),
        (("-v", f"{tmp_path}:/run", "-v", f"{file}:/var/run/sub/sock"), "cat /run/sub/sock"),
        (("--tmpfs", "/run", "-v", f"{file}:/var/run/sock"), "cat /run/sock"),
        (("-v", f"{tmp_path}:/host", "-v", f"{file}:/host/near/made"), "cat /host/sub/made"),
        (("-v", f"{tmp_path}:/etc/alternatives/x/deep"), "cat /srv/data/deep/file"),
        ((), "pwd; grep ' /srv/data ' /proc/mounts"),
    ):
        assert docker.ok(*RUN, *options, "trap", "sh", "-c", f"{looks} && pwd -P").endswith("/srv/data/made"), options


@pytest.mark.parametrize("path", ["/proc/self/fd/7", "/proc/self/fd/../cwd", "/proc/1/root", "/sneaky/self/fd/8"])
def test_no_descriptor_is_a_working_directory(docker: Docker, linked: Callable[..., None], path: str) -> None:
    linked({"sneaky": "/proc"})
    assert docker(*RUN, "-w", path, "trap", "true").code != 0
    container = docker.ok("run", "-d", "--network", "none", "trap", "sleep", "100")
    assert docker("exec", "-w", path, container, "true").code != 0


@pytest.mark.parametrize(
    ("links", "path"),
    [
        ({"data/p": "/proc/1"}, "/data/p/ns"),
        ({"data/x": "/proc/self/fd"}, "/data/x/7"),
        ({"data/x": "../way", "way": "/data/y", "data/y": "../../proc/self/fd"}, "/data/x/7"),
        ({}, "/dev/fd/7"),
        ({"data/x": "/dev/fd"}, "/data/x/7"),
    ],
)
def test_no_descriptor_behind_a_link_of_a_volume_either(
    docker: Docker, linked: Callable[..., None], links: dict[str, str], path: str
) -> None:
    """Class of CVE-2024-21626."""
    linked({"data/none": "nowhere", **links}, Volumes={"/data": {}}, WorkingDir=path)
    said = docker(*RUN, "trap", "true")
    assert said.code == 125
    assert f"invalid working directory: '{path}' is inside /proc" in said.stderr
    docker.ok(*RUN, "-w", "/proc", "trap", "test", "-d", "self/fd")


def test_no_descriptor_behind_the_hosts_own_proc(docker: Docker, linked: Callable[..., None]) -> None:
    linked({}, WorkingDir="/host/proc/self/fd/7")
    said = docker(*RUN, "-v", "/proc:/host/proc:ro", "trap", "true")
    assert said.code == 125
    assert "invalid working directory: '/host/proc/self/fd/7'" in said.stderr
    assert docker.ok(*RUN, "-v", "/proc:/host/proc:ro", "-w", "/host/proc/sys", "trap", "pwd") == "/host/proc/sys"


# its programs are never run outside


def test_no_program_or_library_of_an_image_runs_on_the_host(service: Service, docker: Docker, outside: Path) -> None:
    """Class of CVE-2026-41567 and CVE-2019-14271: helpers that were looked for below the image's root."""
    trojan = f"#!/bin/sh\ntouch {outside}/ran\n".encode()
    names = ("xz", "unxz", "pigz", "unpigz", "gzip", "zstd", "tar", "ps", "mount", "newuidmap", "nsenter", "conmon")
    traps = [Entry(f"usr/bin/{name}", trojan, mode=0o755) for name in names]
    traps += [Entry(f"lib/x86_64-linux-gnu/libnss_{name}.so.2", trojan, mode=0o755) for name in ("files", "compat")]
    traps.append(Entry("etc/nsswitch.conf", b"passwd: files\ngroup: files\n"))
    tar = busybox_layer(Entry("usr/bin/", mode=0o755), *traps)
    for number, packed in enumerate((gzip.compress(tar, 1), bz2.compress(tar, 1), lzma.compress(tar, preset=0), tar)):
        status, body = service.request("POST", f"/images/create?fromSrc=-&repo=trojan&tag=t{number}", packed)
        assert status == 200, body
    container = docker.ok("run", "-d", "--network", "none", "-u", "app:daemon", "trojan:t1", "/bin/sleep", "100")
    assert docker.ok("exec", "-u", "daemon", container, "id", "-un") == "daemon"
    docker.ok("stop", "-t", "0", container)
    docker.ok("logs", container)


# its account files are read with bounds


def accounts_layer(name: str, trap: str, outside: Path) -> bytes:
    """A busybox whose `/etc/NAME` is a trap."""
    out = io.BytesIO(layer(entry for entry in busybox_entries() if entry.path != f"etc/{name}"))
    with tarfile.open(fileobj=out, mode="a", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo(f"etc/{name}")
        data = b""
        if trap == "fifo":
            member.type = tarfile.FIFOTYPE
        elif trap == "device":
            member.type, member.devmajor, member.devminor = tarfile.CHRTYPE, 1, 5
        elif trap == "link":
            member.type, member.linkname = tarfile.SYMTYPE, f"{outside}/secret"
        else:
            data = b"x:x:0:0:\n" * 700_000
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("name", ["passwd", "group"])
@pytest.mark.parametrize("trap", ["fifo", "device", "large"])
def test_an_account_file_that_is_a_trap_is_refused_at_once(
    service: Service, docker: Docker, outside: Path, name: str, trap: str
) -> None:
    load(service, TestImage((accounts_layer(name, trap, outside),), ("trap:latest",), {"Cmd": ["/bin/true"]}))
    begin = time.monotonic()
    for user in (("-u", "app"), ("-u", "1000:1000"), ()):
        said = docker(*RUN, *user, "trap")
        assert said.code == 125
        assert f"/etc/{name} is" in said.stderr
    assert time.monotonic() - begin < QUICKLY


def test_an_account_file_is_not_read_from_the_host(service: Service, docker: Docker, outside: Path) -> None:
    load(service, TestImage((accounts_layer("passwd", "link", outside),), ("trap:latest",), {"Cmd": ["/bin/true"]}))
    said = docker(*RUN, "-u", "app", "trap")
    assert said.code == 125
    assert "no matching entries in passwd file" in said.stderr


@pytest.mark.parametrize(
    "change",
    [
        "mkfifo /etc/passwd",
        "ln -s /dev/zero /etc/passwd",
        "mkdir /etc/passwd",
        "ln -s /proc/1/root/etc/passwd /etc/passwd",
        "truncate -s 1G /etc/passwd",
    ],
)
def test_what_a_container_makes_of_its_passwd_holds_no_exec_up(docker: Docker, service: Service, change: str) -> None:
    container = docker.ok("run", "-d", "--network", "none", "busybox", "sleep", "100")
    docker.ok("exec", container, "sh", "-c", f"rm /etc/passwd; {change}")
    begin = time.monotonic()
    before = rss_kib(service.pid)
    assert docker("exec", "-u", "app", container, "id", timeout=20).code != 0
    docker("exec", "-u", "1000", container, "id", timeout=20)
    assert time.monotonic() - begin < QUICKLY
    assert rss_kib(service.pid) - before < 30 * 1024
    assert docker.ok("ps", "-q", "--no-trunc") == container


def rss_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])


# what it says of itself steers nothing


def test_labels_and_annotations_of_an_image_reach_neither_runtime_nor_logs(service: Service, docker: Docker) -> None:
    labels = {
        "run.oci.hooks.stdout": "/tmp/hook",
        "run.oci.keep_original_groups": "1",
        "run.oci.handler": "wasm",
        "org.systemd.property.ExecStart": "'/bin/false'",
        "io.kubernetes.cri-o.Devices": "/dev/sda",
        "io.containerd.runtime-options": "x",
        "com.docker.log-driver": "syslog",
        "binary.path": "file:///bin/false",
        "evil\nlabel": "a\nb",
    }
    load(service, busybox_image("labelled:latest", Labels=labels))
    body = {
        "Image": "labelled",
        "Cmd": ["sleep", "99"],
        "HostConfig": {"NetworkMode": "none", "Annotations": {"run.oci.handler": "x"}},
    }
    status, answer = service.request("POST", "/containers/create?name=labelled", body)
    assert status == 201
    container = json.loads(answer)["Id"]
    docker.ok("start", container)
    (config,) = (service.runroot / "runs" / container).glob("*/config.json")
    found = json.loads(config.read_text())
    assert set(found.get("annotations", {})) <= {"org.systemd.property.nothing"}
    assert not {"hooks", "vm"} & found.keys()
    assert not any(word in config.read_text() for word in ("run.oci", "org.systemd", "cri-o", "binary.path"))
    assert docker.ok("inspect", "-f", "{{.HostConfig.LogConfig.Type}}", container) == "json-file"
    (conmon,) = [path for path in Path("/proc").glob("[0-9]*/cmdline") if says(path, b"conmon", container.encode())]
    assert b"run.oci" not in conmon.read_bytes()


def says(path: Path, *words: bytes) -> bool:
    try:
        text = path.read_bytes()
    except OSError:
        return False
    return text.startswith(b"/") and words[0] in text.partition(b"\0")[0] and all(word in text for word in words)


@pytest.mark.parametrize(
    "config",
    [
        {"Env": ["HOME=/root\nevil:x:0:0::/:/bin/sh"]},
        {"User": "root\n"},
        {"User": "4294967296"},
        {"WorkingDir": "/proc/self/fd/8"},
        {"WorkingDir": "/a\nb"},
        {"Volumes": {"/proc": {}}},
        {"Volumes": {"/": {}}},
    ],
)
def test_a_configuration_that_a_client_might_not_send_is_refused_of_an_image_too(
    service: Service, docker: Docker, config: dict[str, Any]
) -> None:
    load(service, busybox_image("odd:latest", **config))
    said = docker("create", "odd", "true")
    assert said.code != 0
    assert "Error response from daemon" in said.stderr
    assert service.containers() == []
    assert json.loads(service.request("GET", "/volumes")[1])["Volumes"] == []


def test_links_in_a_volume_are_removed_and_not_followed(docker: Docker, outside: Path) -> None:
    script = f"ln -s {outside} /v/link; mkdir /v/d; ln -s {outside}/secret /v/d/file; ln -s / /v/root"
    docker.ok(*RUN, "-v", "kept:/v", "busybox", "sh", "-c", script)
    assert docker(*RUN, "-v", "kept:/v", "busybox", "cat", "/v/d/file").code != 0
    docker.ok("volume", "rm", "kept")
