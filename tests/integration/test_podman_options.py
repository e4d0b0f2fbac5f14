"""Each option of `podman run` by its effect inside the container."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apiserver.config.host import read_host
from apiserver.drivers.linux.cgroups import Cgroups
from tests.integration.conftest import load_busybox
from tests.support.image_archive import busybox_image, docker_archive
from tests.support.podman import Podman
from tests.support.service import Service


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


class Run:
    """`podman run --rm --network none OPTIONS busybox sh -c SCRIPT`, and what it printed."""

    def __init__(self, podman: Podman) -> None:
        self._podman = podman

    def __call__(self, *options: str, script: str, network: str = "none", image: str = "busybox") -> str:
        return self._podman.ok("run", "--rm", "--network", network, *options, image, "sh", "-c", script)


@pytest.fixture
def run(podman: Podman) -> Run:
    return Run(podman)


ACCOUNTS = "tail -n 1 /etc/passwd; tail -n 1 /etc/group; id -un; echo $HOME"
CAPABILITIES = "grep CapEff /proc/self/status | cut -f2"
CONFINED = "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | cut -f2 | tr '\\n' ' '"
SHM = "df -k /dev/shm | tail -1 | awk '{print $2}'"
TMPFS = "grep -o ' /t tmpfs [^ ]*' /proc/mounts"


@pytest.mark.parametrize(
    ("options", "script", "said"),
    [
        (["-e", "A=b c", "-w", "/sys/class"], "echo $A; pwd; echo $PATH | grep -c /bin", "b c\n/sys/class\n1"),
        (["--unsetenv", "container"], "echo ${container:-gone}", "gone"),
        ([], "echo $container", "podman"),
        (
            [],
            "grep -o engine /run/.containerenv; readlink /etc/mtab; test ! -e /.dockerenv",
            "engine\n/proc/mounts",
        ),
        (["--hostname", "db"], "hostname; cat /etc/hostname", "db\ndb"),
        (["-u", "1000:2000", "--group-add", "3000"], "id -u; id -g; id -G", "1000\n2000\n2000 3000"),
        (["-u", "4321"], ACCOUNTS, "4321:*:4321:0:container user:/:/bin/sh\n4321:x:4321:4321\n4321\n/"),
        (["-u", "4321", "--read-only"], ACCOUNTS, "4321:*:4321:0:container user:/:/bin/sh\n4321:x:4321:4321\n4321\n/"),
        (["-u", "4321:extra", "-w", "/tmp"], "tail -n 1 /etc/passwd", "4321:*:4321:2000:container user:/tmp:/bin/sh"),
        (["-u", "4321", "--passwd=false"], "grep 4321 /etc/passwd /etc/group; id -u", "4321"),
        (["-u", "4321", "--passwd-entry", "me:*:$UID:$GID:$NAME:/tmp:sh"], "id -un; echo $HOME", "me\n/tmp"),
        (["--umask", "077"], "umask; touch /f; stat -c %a /f", "0077\n600"),
        (["--tmpfs", "/t:size=1m,noexec"], TMPFS, "/t tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k"),
        (["--tmpfs", "/t"], TMPFS, "/t tmpfs rw,nosuid,nodev,relatime"),
        (["--mount", "type=tmpfs,dst=/t,tmpfs-size=2m"], TMPFS, "/t tmpfs rw,nosuid,nodev,relatime,size=2048k"),
        (["--cap-drop", "ALL"], CAPABILITIES, "0000000000000000"),
        (["--cap-drop", "all", "--cap-add", "chown"], CAPABILITIES, "0000000000000001"),
        ([], CONFINED, "0 2"),
        (["--security-opt", "no-new-privileges"], CONFINED, "1 2"),
        (["--security-opt", "seccomp=unconfined"], CONFINED, "0 0"),
        (["--read-only"], "touch /x 2>/dev/null || echo refused; touch /tmp/x && echo tmp", "refused\ntmp"),
        (
            ["--read-only", "--read-only-tmpfs=false"],
            "touch /x /tmp/x 2>/dev/null || echo refused; touch /dev/shm/x && echo shm",
            "refused\nshm",
        ),
        (["--security-opt", "mask=/proc/version"], "wc -c < /proc/version", "0"),
        (["--security-opt", "unmask=/proc/*"], "grep -c ' /proc/' /proc/mounts || true", "0"),
        (["--security-opt", "unmask=ALL"], "grep -E -c ' /(proc|sys/firmware)/' /proc/mounts || true", "0"),
        ([], SHM, "65536"),
        (["--shm-size", "8m"], SHM, "8192"),
        (["--cpuset-cpus", "0"], "grep Cpus_allowed_list /proc/self/status | cut -f2", "0"),
        (["--oom-score-adj", "500"], "cat /proc/self/oom_score_adj", "500"),
        (["--ulimit", "nofile=64:128"], "ulimit -Sn; ulimit -Hn", "64\n128"),
        (["--device", "/dev/null:/dev/mine:rw"], "echo x > /dev/mine; stat -c %t,%T /dev/mine", "1,3"),
        (["--tz", "Asia/Tokyo"], "date +%Z; head -c 4 /etc/localtime", "JST\nTZif"),
        (["--init"], "cat /proc/1/comm", "docker-init"),
        (["--systemd=false", "--entrypoint", "echo"], "x", "sh -c x"),
    ],
)
def test_an_option_acts_inside(run: Run, options: list[str], script: str, said: str) -> None:
    assert run(*options, script=script).strip() == said


def test_a_client_may_bring_the_init_process(podman: Podman, run: Run, tmp_path: Path) -> None:
    program = tmp_path / "init"
    program.write_text('#!/bin/sh\necho begun as $0; shift; exec "$@"\n')
    program.chmod(0o755)
    brought = ("--init-path", str(program))
    assert run("--init", *brought, script="echo ran") == "begun as /sbin/docker-init\nran"
    assert run(*brought, script="echo ran") == "ran"
    missing = podman("create", "--init", "--init-path", "/no/init", "busybox")
    words = "container-init binary not found on the host: stat /no/init: no such file or directory"
    assert (missing.code, words in missing.stderr) == (125, True)
    assert podman.ok("ps", "-aq") == ""


def test_the_pid_of_conmon_is_where_a_client_wants_it(podman: Podman, tmp_path: Path) -> None:
    wanted = tmp_path / "conmon"
    options = ("-d", "--name", "watched", "--network", "none", "--conmon-pidfile", str(wanted))
    podman.ok("run", *options, "busybox", "sleep", "100")
    said = podman.ok("inspect", "-f", "{{.ConmonPidFile}} {{.State.ConmonPid}}", "watched")
    assert said == f"{wanted} {wanted.read_text()}"
    assert Path(f"/proc/{wanted.read_text()}/comm").read_text() == "conmon\n"
    assert wanted.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir() if "conmon" in each.name] == ["conmon"]


def test_where_the_pid_of_conmon_cannot_be_written_nothing_runs(podman: Podman) -> None:
    refused = podman("run", "--name", "unwatched", "--network", "none", "--conmon-pidfile", "/no/x", "busybox", "true")
    assert refused.code != 0
    assert "the pid of conmon cannot be written: /no/x: No such file or directory" in refused.stderr
    assert podman.ok("inspect", "-f", "{{.State.Pid}} {{.State.Running}}", "unwatched") == "0 false"


def test_a_working_directory_that_a_client_asks_for_has_to_be_there(podman: Podman, run: Run, tmp_path: Path) -> None:
    refused = podman("run", "--rm", "--network", "none", "-w", "/made/here", "busybox", "true")
    assert refused.code == 126
    assert 'workdir "/made/here" does not exist on container' in refused.stderr
    (tmp_path / "there").mkdir()
    assert run("-v", f"{tmp_path}:/h", "-w", "/h/there", script="pwd") == "/h/there"


def test_the_working_directory_of_an_image_is_made(service: Service, run: Run) -> None:
    archive = docker_archive(busybox_image("localhost/works:latest", WorkingDir="/made/here"))
    assert service.request("POST", "/v5.0.0/libpod/images/load", archive)[0] == 200
    assert run(image="works", script="pwd") == "/made/here"


def test_a_container_is_killed_after_its_time_out(podman: Podman) -> None:
    said = podman("run", "--rm", "--network", "none", "--timeout", "1", "busybox", "sh", "-c", "echo up; sleep 1000")
    assert (said.stdout, said.code) == ("up\n", 255)
    podman.ok("create", "--name", "timed", "--timeout", "77", "busybox", "true")
    assert podman.ok("inspect", "-f", "{{.Config.Timeout}}", "timed") == "77"


def test_a_time_zone_that_is_none_is_refused(podman: Podman) -> None:
    for zone in ("Asia/Nowhere", "../shadow", "posixrules/.."):
        refused = podman("create", "--tz", zone, "busybox", "true")
        assert (refused.code, "timezone" in refused.stderr) == (125, True)


def test_the_zone_may_be_the_hosts_and_a_container_cannot_change_it(run: Run) -> None:
    host = Path("/etc/localtime").read_bytes()
    said = run("--tz", "local", script="md5sum < /etc/localtime; echo x > /etc/localtime; cat /etc/localtime")
    assert said.split() == [hashlib.md5(host).hexdigest(), "-", "x"]  # what busybox has
    assert Path("/etc/localtime").read_bytes() == host


def test_a_seccomp_profile_is_read_from_a_file_of_the_host(podman: Podman, run: Run, tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    rules = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}))
    option = f"seccomp={profile}"
    assert run("--security-opt", option, script="mkdir /d 2>/dev/null || echo refused") == "refused"
    podman.ok("create", "--name", "profiled", "--network", "none", "--security-opt", option, "busybox", "mkdir", "/d")
    profile.unlink()  # it was read once
    assert podman("start", "-a", "profiled").code == 1
    for path, words in ((profile, "no such file"), ("/dev/zero", "is no file"), ("/etc/hostname", "seccomp profile")):
        refused = podman("create", "--security-opt", f"seccomp={path}", "busybox", "true")
        assert (refused.code, words in refused.stderr) == (125, True), refused


def test_a_user_holds_the_capabilities_that_are_added_by_name(podman: Podman, run: Run) -> None:
    options = ["-u", "app", "--cap-add", "net_admin,chown"]
    assert run(*options, script=CAPABILITIES) == "0000000000001001"
    assert run("-u", "app", script=CAPABILITIES) == "0000000000000000"
    podman.ok("run", "-d", "--name", "box", "--network", "none", *options, "busybox", "sleep", "1000")
    script = ("sh", "-c", CAPABILITIES)
    assert podman.ok("exec", "box", *script) == "0000000000001001"
    assert podman.ok("exec", "-u", "1", "box", *script) == "0000000000000000"
    assert int(podman.ok("exec", "-u", "0", "box", *script), 16) & 0x1001 == 0x1001
    assert podman.ok("inspect", "--format", "{{.EffectiveCaps}}", "box") == "[CAP_CHOWN CAP_NET_ADMIN]"


def test_a_privileged_container_has_more_capabilities(run: Run) -> None:
    assert int(run("--privileged", script=CAPABILITIES), 16) > int(run(script=CAPABILITIES), 16)


def test_a_tmpfs_begins_with_what_the_image_has_there(run: Run) -> None:
    assert run("--tmpfs", "/bin", script="grep -c ' /bin tmpfs' /proc/mounts") == "1"
    empty = "find /t -type f | wc -l; echo here > /t/file; cat /t/file"
    assert run("--tmpfs", "/t:notmpcopyup", script=empty) == "0\nhere"


def test_a_bind_may_be_read_only_and_its_source_is_there(podman: Podman, run: Run, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("in\n")
    assert run("-v", f"{tmp_path}:/h", script="cat /h/file; echo out > /h/made") == "in"
    assert (tmp_path / "made").read_text() == "out\n"
    assert run("-v", f"{tmp_path}:/h:ro", script="touch /h/x 2>/dev/null || echo refused") == "refused"
    mount = f"type=bind,source={tmp_path},target=/h,readonly"
    assert run("--mount", mount, script="touch /h/x 2>/dev/null || cat /h/file") == "in"
    missing = podman("run", "--rm", "--network", "none", "-v", f"{tmp_path}/no:/h", "busybox", "true")
    assert missing.code in (125, 126)
    assert f"{tmp_path}/no" in missing.stderr


def test_a_device_that_is_none_is_refused_before_there_is_a_container(podman: Podman, service: Service) -> None:
    before = len(service.log())
    for device, words in (
        ("/dev/nothing-here", "stat /dev/nothing-here: no such file or directory"),
        ("/etc/hostname", "/etc/hostname is not a valid device: not a device node"),
    ):
        said = podman("run", "--name", "devices", "--network", "none", "--device", device, "busybox", "true")
        assert (said.code, words in said.stderr) == (125, True)
        assert podman("container", "exists", "devices").code == 1
    assert "Traceback" not in service.log()[before:]


def test_what_is_mounted_below_a_bind_comes_along_unless_asked_otherwise(run: Run) -> None:
    script = "grep -q ' /h/pts ' /proc/mounts && echo along || echo alone"
    assert run("-v", "/dev:/h", script=script) == "along"
    assert run("--mount", "type=bind,src=/dev,dst=/h,bind-nonrecursive", script=script) == "alone"


def test_volumes_keep_what_is_written(podman: Podman, run: Run) -> None:
    run("-v", "kept:/data", script="echo x > /data/file")
    assert run("--mount", "type=volume,source=kept,target=/data,ro", script="cat /data/file") == "x"
    podman.ok("volume", "rm", "kept")


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ("kept:/data", "nosuid,nodev"),
        ("kept:/data:suid,dev", ""),
        ("kept:/data:noexec", "nosuid,nodev,noexec"),
        ("/srv:/data:nosuid,noexec", "nosuid,noexec"),
    ],
)
def test_volumes_and_binds_are_mounted_with_flags(podman: Podman, run: Run, options: str, flags: str) -> None:
    script = "grep ' /data ' /proc/mounts | cut -d ' ' -f 4 | tr , '\\n' | grep -E '^no(suid|dev|exec)$' | tr '\\n' ,"
    assert run("-v", options, script=script).strip(",\n") == flags
    podman("volume", "rm", "kept")


def test_an_images_volumes_are_made_anonymous_or_in_memory_or_not_at_all(
    podman: Podman, run: Run, service: Service
) -> None:
    archive = docker_archive(busybox_image("localhost/voluminous:latest", Volumes={"/data": {}}))
    assert service.request("POST", "/images/load?quiet=1", archive)[0] == 200
    script = "grep ' /data ' /proc/mounts | cut -d ' ' -f 3 | grep tmpfs || grep -c ' /data ' /proc/mounts || true"
    assert run(script=script, image="localhost/voluminous") == "1"
    # Podman 4 calls the default `bind`, 5 knows `anonymous` alone.
    [default] = re.findall(r"--image-volume .*\(default \"(\w+)\"\)", podman.ok("run", "--help"))
    assert run("--image-volume", default, script=script, image="localhost/voluminous") == "1"
    assert run("--image-volume", "tmpfs", script=script, image="localhost/voluminous") == "tmpfs"
    assert run("--image-volume", "ignore", script=script, image="localhost/voluminous") == "0"
    assert podman.ok("volume", "ls", "-q") == ""


def test_a_new_volume_belongs_to_the_user_where_the_image_has_nothing(
    podman: Podman, run: Run, service: Service
) -> None:
    archive = docker_archive(busybox_image("localhost/voluminous:latest", Volumes={"/data": {}}, User="app"))
    assert service.request("POST", "/images/load?quiet=1", archive)[0] == 200
    owner = "touch {0}/mine 2>/dev/null; stat -c '%u %g %a' {0}"
    assert run(script=owner.format("/data"), image="localhost/voluminous") == "1000 1000 755"
    mine, theirs = ("-u", "1234:55", "-v", "own-for-tests:/own"), ("-u", "app", "-v", "own-for-tests:/own")
    assert run(*mine, script=owner.format("/own")) == "1234 55 755"
    assert run(*theirs, script=owner.format("/own")) == "1234 55 755", "it is not new any more"
    assert run("-u", "app", "-v", "/var", script=owner.format("/var")) == "0 0 755", "as the image has it"
    podman.ok("volume", "rm", "own-for-tests")


LIMITS = """
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then cd /sys/fs/cgroup; cat memory.max pids.max cpu.max
else cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max
     echo $(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us) $(cat /sys/fs/cgroup/cpu/cpu.cfs_period_us); fi
"""


def test_memory_processes_and_processors_are_limited(run: Run) -> None:
    limits = run("-m", "64m", "--pids-limit", "50", "--cpus", "0.5", script=LIMITS).splitlines()
    assert limits == [str(64 << 20), "50", "50000 100000"]
    assert run(script=LIMITS).splitlines()[1] == "2048"
    assert run("--pids-limit", "-1", script=LIMITS).splitlines()[1] == "max"


def test_names_and_name_servers(run: Run) -> None:
    options = ["--dns", "10.9.8.7", "--dns-search", "example.org", "--dns-opt", "ndots:3"]
    said = run(
        *options, "--add-host", "extra:1.2.3.4", script="cat /etc/resolv.conf; grep extra /etc/hosts", network="bridge"
    )
    assert "nameserver 10.9.8.7" in said
    assert "search example.org" in said
    assert "ndots:3" in said
    assert re.search(r"1\.2\.3\.4\s+extra", said)
    assert run("--no-hosts", script="cat /etc/hosts 2>/dev/null || echo none", network="bridge") == "none"


@pytest.mark.parametrize("name", ["pid", "ipc", "uts"])
def test_a_namespace_of_the_host_is_the_hosts(run: Run, name: str) -> None:
    mine = str(Path(f"/proc/self/ns/{name}").readlink())
    assert run(f"--{name}", "host", script=f"readlink /proc/self/ns/{name}") == mine
    assert run(script=f"readlink /proc/self/ns/{name}") != mine


@pytest.mark.parametrize(("mode", "shown"), [("", "shareable"), ("private", "private"), ("none", "none")])
def test_ipc_of_its_own_may_come_without_shared_memory(podman: Podman, run: Run, mode: str, shown: str) -> None:
    asked = ["--ipc", mode] if mode else []
    assert run(*asked, script="ls -d /dev/shm 2>/dev/null || echo none") == ("none" if mode == "none" else "/dev/shm")
    podman.ok("create", "--name", "ipc", "--network", "none", *asked, "busybox", "true")
    assert podman.ok("inspect", "--format", "{{.HostConfig.IpcMode}}", "ipc") == shown


def test_a_cgroup_may_lie_elsewhere_but_in_no_slice(podman: Podman) -> None:
    cgroups = Cgroups(read_host().hierarchies)
    try:
        options = ("--name", "box", "--network", "none", "--cgroup-parent", "/for-tests/podman")
        box = podman.ok("run", "-d", *options, "busybox", "sleep", "1000")
        assert cgroups.pids(f"/for-tests/podman/{box}")
        assert podman.ok("inspect", "--format", "{{.HostConfig.CgroupParent}}", "box") == "/for-tests/podman"
        assert podman.ok("inspect", "--format", "{{.State.CgroupPath}}", "box") == f"/for-tests/podman/{box}"
        podman.ok("rm", "-f", "-t", "0", "box")
    finally:
        cgroups.remove("/for-tests")
    refused = podman("create", "--network", "none", "--cgroup-parent", "x.slice", "busybox", "true")
    assert (refused.code, "systemd slice received as cgroup parent" in refused.stderr) == (125, True)


def test_volumes_of_another_container_come_along(podman: Podman, run: Run) -> None:
    command = ("busybox", "sh", "-c", "echo kept > /data/file")
    podman.ok("run", "--name", "first", "--network", "none", "-v", "named-for-tests:/data", *command)
    script = "cat /data/file; touch /data/x 2>/dev/null || echo refused"
    assert run("--volumes-from", "first", script=script) == "kept"
    assert run("--volumes-from", "first:ro", script=script) == "kept\nrefused"
    podman.ok("create", "--name", "second", "--network", "none", "--volumes-from", "first", "busybox", "true")
    assert json.loads(podman.ok("inspect", "second"))[0]["HostConfig"]["VolumesFrom"] == ["first"]
    refused = podman("create", "--volumes-from", "nobody", "busybox", "true")
    words = (
        'looking up container "nobody" for volumes-from: no container with name or ID "nobody" found: no such container'
    )
    assert (refused.code, words in refused.stderr) == (125, True)
    podman.ok("rm", "first", "second")
    podman.ok("volume", "rm", "named-for-tests")


def test_variables_of_the_image_go_into_those_of_the_client(podman: Podman, run: Run) -> None:
    merged = ("--env-merge", "PATH=${PATH}:/more", "--env-merge", "A=${A:-none}-$PATH", "-e", "B=client")
    said = run(*merged, "--env-merge", "B=$PATH", script="echo $PATH; echo $A; echo $B").split()
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/more"
    assert said == [path, f"none-{path}", "client"]
    refused = podman("create", "--network", "none", "--env-merge", "A", "busybox", "true")
    assert (refused.code, "missing `=` for --env-merge substitution A" in refused.stderr) == (125, True)


def test_the_network_may_be_the_hosts(run: Run) -> None:
    assert run(script="readlink /proc/self/ns/net", network="host") == str(Path("/proc/self/ns/net").readlink())


def test_kernel_parameters_are_set(podman: Podman, run: Run) -> None:
    script = "cat /proc/sys/net/ipv4/ip_default_ttl"
    assert run("--sysctl", "net.ipv4.ip_default_ttl=77", script=script, network="bridge") == "77"
    refused = podman("run", "--rm", "--network", "host", "--sysctl", "net.ipv4.ip_forward=1", "busybox", "true")
    assert (refused.code, "net.ipv4.ip_forward" in refused.stderr) == (125, True)


def test_the_stop_signal_and_its_time(podman: Podman) -> None:
    script = "trap 'echo got it; exit 5' INT; echo up; while :; do sleep 0.1; done"
    plain = ["run", "-d", "--network", "none"]
    podman.ok(*plain, "--name", "polite", "--stop-signal", "INT", "busybox", "sh", "-c", script)
    while not podman.ok("logs", "polite"):
        pass
    podman.ok("stop", "polite")
    assert podman.ok("logs", "polite") == "up\ngot it"
    podman.ok(*plain, "--name", "deaf", "--stop-timeout", "1", "busybox", "sleep", "100")
    podman.ok("stop", "deaf")
    assert podman.ok("inspect", "-f", "{{.State.ExitCode}}", "deaf") == "137"


def test_a_log_is_not_kept_without_a_driver(podman: Podman) -> None:
    said = podman("run", "--name", "silent", "--network", "none", "--log-driver", "none", "busybox", "echo", "x")
    assert (said.stdout, said.code) == ("x\n", 0)
    assert podman.ok("inspect", "-f", "{{.HostConfig.LogConfig.Type}}", "silent") == "none"


def test_a_published_port_is_reached_from_the_host(podman: Podman) -> None:
    serve = "while :; do echo hello | nc -l -p 80; done"
    podman.ok("run", "-d", "--name", "web", "-p", "127.0.0.1::80", "busybox", "sh", "-c", serve)
    host, port = podman.ok("port", "web", "80").split(":")
    assert host == "127.0.0.1"
    limit = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection((host, int(port)), 5) as connection:
                assert connection.recv(100) == b"hello\n"
                break
        except OSError:
            assert time.monotonic() < limit
            time.sleep(0.1)


def test_proxies_of_the_service_are_the_containers_unless_it_wants_none(
    make_service: Callable[..., Service], tmp_path: Path
) -> None:
    service = make_service("--idle-timeout", "0")
    service.start(environment={"http_proxy": "http://proxy.example:1", "NO_PROXY": "inside"})
    load_busybox(service)
    run = Run(Podman(service.host, tmp_path))
    script = "env | grep -i _proxy= | sort"
    assert run(script=script) == "NO_PROXY=inside\nhttp_proxy=http://proxy.example:1"
    assert run("-e", "http_proxy=mine", "--unsetenv", "NO_PROXY", script=script) == "http_proxy=mine"
    assert run("--http-proxy=false", script=f"{script}; echo none") == "none"


@pytest.mark.parametrize(
    ("option", "named"),
    [
        (["--userns", "auto"], "userns=auto"),
        (["--log-opt", "tag=x"], "log_configuration.options.tag"),
        (["--cgroups", "disabled"], "cgroups_mode=disabled"),
        (["--pod", "x"], "pod"),
    ],
)
def test_an_option_that_is_not_built_is_refused_by_name(podman: Podman, option: list[str], named: str) -> None:
    refused = podman("create", *option, "busybox", "true")
    assert (refused.code, named in refused.stderr) == (125, True), refused
