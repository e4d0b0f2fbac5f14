"""Each option of `docker run` by its effect inside the container."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from apiserver.config.host import read_host
from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.local.runs.machine import look
from tests.support.docker import Docker
from tests.support.image_archive import Entry, busybox_image, docker_archive
from tests.support.outside import until
from tests.support.service import Service


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


class Run:
    """`docker run --rm --network none OPTIONS busybox sh -c SCRIPT`, and what it printed."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker

    def __call__(self, *options: str, script: str, network: str = "none") -> str:
        return self._docker.ok("run", "--rm", "--network", network, *options, "busybox", "sh", "-c", script)


@pytest.fixture
def run(docker: Docker) -> Run:
    return Run(docker)


def test_environment_command_entrypoint_and_directory(docker: Docker, run: Run) -> None:
    assert (
        run("-e", "A=b c", "-w", "/made/here", script="echo $A; pwd; echo $PATH | grep -c /bin") == "b c\n/made/here\n1"
    )
    assert docker.ok("run", "--rm", "--network", "none", "--entrypoint", "echo", "busybox", "a", "b") == "a b"


def test_on_the_hosts_network_a_container_has_the_hosts_name_unless_it_asks_for_one(run: Run) -> None:
    own = os.uname().nodename
    assert run(network="host", script="hostname; cat /etc/hostname") == f"{own}\n{own}"
    assert run("--hostname", "db", network="host", script="hostname") == "db"


def test_host_name_and_domain(run: Run) -> None:
    assert run("--hostname", "db", script="hostname; cat /etc/hostname") == "db\ndb"
    assert run("--domainname", "example", script="cat /proc/sys/kernel/domainname") == "example"


def test_user_and_groups(run: Run) -> None:
    assert run("-u", "1000:2000", "--group-add", "3000", script="id -u; id -g; id -G") == "1000\n2000\n2000 3000"


def test_a_named_user_is_looked_up_in_the_container(docker: Docker) -> None:
    container = docker.ok("create", "--network", "none", "-u", "nobody-here", "busybox", "true")
    assert docker("start", "-a", container).code != 0


def test_a_bind_is_made_and_may_be_read_only(run: Run, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    source = tmp_path / "missing"
    run("-v", f"{source}:/h", script="echo in > /h/file")
    assert (source / "file").read_text() == "in\n"
    said = run("-v", f"{source}:/h:ro", script="cat /h/file; touch /h/x 2>/dev/null || echo refused")
    assert said == "in\nrefused"
    assert run("--mount", f"type=bind,source={source},target=/h,readonly", script="cat /h/file") == "in"


def test_what_is_mounted_below_a_bind_comes_along_unless_asked_otherwise(
    docker: Docker, run: Run, service: Service
) -> None:
    """Asked by the API: not every docker command has a word for it."""
    script = "grep -q ' /h/pts ' /proc/mounts && echo along || echo alone"
    bind = "type=bind,source=/dev,target=/h"
    assert run("--mount", bind, script=script) == "along"
    mount = {"Type": "bind", "Source": "/dev", "Target": "/h", "BindOptions": {"NonRecursive": True}}
    body = {"Image": "busybox", "Cmd": ["sh", "-c", script], "HostConfig": {"NetworkMode": "none", "Mounts": [mount]}}
    assert service.request("POST", "/containers/create?name=shown", body)[0] == 201
    assert docker.ok("start", "-a", "shown") == "alone"
    assert docker.ok("inspect", "-f", "{{(index .HostConfig.Mounts 0).BindOptions.NonRecursive}}", "shown") == "true"


def test_a_mount_object_does_not_make_its_source(docker: Docker, tmp_path: Path) -> None:
    said = docker("run", "--rm", "--mount", f"type=bind,source={tmp_path}/no,target=/h", "busybox", "true")
    assert said.code == 125
    assert "bind source path does not exist" in said.stderr


def test_volumes_keep_what_is_written_and_anonymous_ones_go(docker: Docker, run: Run) -> None:
    run("-v", "kept:/data", script="echo x > /data/file")
    assert run("--mount", "type=volume,source=kept,target=/data,readonly", script="cat /data/file") == "x"
    run("-v", "/anon", script="echo y > /anon/file")
    assert docker.ok("volume", "ls", "-q") == "kept"
    docker.ok("volume", "rm", "kept")


def test_tmpfs_has_its_options(run: Run) -> None:
    mounts = run("--tmpfs", "/t:size=1m,noexec", script="grep ' /t ' /proc/mounts")
    assert "tmpfs" in mounts
    assert "size=1024k" in mounts
    assert "noexec" in mounts
    mounts = run("--tmpfs", "/t:defaults,dirsync,uid=4294967294", script="grep ' /t ' /proc/mounts")
    assert "dirsync" in mounts
    assert "uid=4294967294" in mounts
    assert "size=2048k" in run("--mount", "type=tmpfs,target=/t,tmpfs-size=2m", script="grep ' /t ' /proc/mounts")


CAPABILITIES = "grep CapEff /proc/self/status | cut -f2"


def test_capabilities_are_added_and_dropped(run: Run) -> None:
    default = int(run(script=CAPABILITIES), 16)
    assert default & 1 << 0  # CHOWN
    assert not default & 1 << 12  # NET_ADMIN
    assert int(run("--cap-add", "NET_ADMIN", script=CAPABILITIES), 16) == default | 1 << 12
    assert int(run("--cap-drop", "ALL", script=CAPABILITIES), 16) == 0
    assert int(run("--cap-drop", "all", "--cap-add", "chown", script=CAPABILITIES), 16) == 1
    assert int(run("--privileged", script=CAPABILITIES), 16) > default


def test_no_new_privileges_and_seccomp(run: Run) -> None:
    status = "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | cut -f2 | tr '\\n' ' '"
    assert run(script=status).split() == ["0", "2"]
    assert run("--security-opt", "no-new-privileges", script=status).split() == ["1", "2"]
    assert run("--security-opt", "seccomp=unconfined", script=status).split() == ["0", "0"]


def test_the_root_may_be_read_only(run: Run) -> None:
    assert run("--read-only", script="touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo shm") == (
        "refused\nshm"
    )
    ours = "for f in /etc/hosts /etc/hostname /etc/resolv.conf; do (echo >> $f) 2>/dev/null && echo $f; done; echo done"
    assert run("--read-only", script=ours) == "done"
    assert run(script=ours) == "/etc/hosts\n/etc/hostname\n/etc/resolv.conf\ndone"


def test_masked_and_read_only_paths(run: Run) -> None:
    hidden = "cat /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /sys/firmware | wc -l"
    written = "echo 1 > /proc/sysrq-trigger 2>/dev/null || echo refused"
    assert run(script=f"{hidden}; {written}") == "0\n0\nrefused"
    assert "/sys/firmware" not in run("--security-opt", "systempaths=unconfined", script="cat /proc/mounts")


def test_shared_memory_has_its_size(run: Run) -> None:
    script = "df -k /dev/shm | tail -1 | awk '{print $2}'"
    assert run(script=script) == "65536"
    assert run("--shm-size", "8m", script=script) == "8192"


LIMITS = """
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then cd /sys/fs/cgroup; cat memory.max pids.max cpu.max
else cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max
     echo $(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us) $(cat /sys/fs/cgroup/cpu/cpu.cfs_period_us); fi
"""


def test_memory_processes_and_processors_are_limited(run: Run) -> None:
    limits = run("-m", "64m", "--pids-limit", "50", "--cpus", "0.5", script=LIMITS).splitlines()
    assert limits == [str(64 << 20), "50", "50000 100000"]
    assert run("--cpuset-cpus", "0", script="grep Cpus_allowed_list /proc/self/status | cut -f2") == "0"
    assert run("--oom-score-adj", "500", script="cat /proc/self/oom_score_adj") == "500"


def test_what_takes_more_memory_than_it_may_is_killed_and_said_to_be(docker: Docker) -> None:
    hog = "x=a; while :; do x=$x$x; done"
    said = docker("run", "--name", "hog", "--network", "none", "-m", "16m", "busybox", "sh", "-c", hog)
    assert said.code == 137
    assert docker.ok("inspect", "-f", "{{.State.OOMKilled}}", "hog") == "true"
    assert not Path("oom").exists(), "conmon's own note, in the directory that the service was started in"


def test_names_and_name_servers(run: Run) -> None:
    script = "cat /etc/resolv.conf; grep -E 'extra|gate' /etc/hosts"
    options = (
        "--dns",
        "10.9.8.7",
        "--dns-search",
        "example.org",
        "--dns-option",
        "ndots:3",
        "--add-host",
        "extra:1.2.3.4",
    )
    said = run(*options, "--add-host", "gate:host-gateway", script=script, network="bridge")
    assert "nameserver 10.9.8.7" in said
    assert re.search(r"search example\.org", said)
    assert "ndots:3" in said
    assert re.search(r"1\.2\.3\.4\s+extra", said)
    assert re.search(r"10\.\d+\.0\.1\s+gate", said)


def test_namespaces_of_the_host_are_the_hosts(run: Run) -> None:
    for name, option in (("pid", "--pid"), ("ipc", "--ipc"), ("uts", "--uts")):
        mine = str(Path(f"/proc/self/ns/{name}").readlink())
        assert run(option, "host", script=f"readlink /proc/self/ns/{name}") == mine
        assert run(script=f"readlink /proc/self/ns/{name}") != mine
    assert run(script="readlink /proc/self/ns/net", network="host") == str(Path("/proc/self/ns/net").readlink())


@pytest.mark.parametrize("mode", ["private", "shareable", "none"])
def test_ipc_of_its_own_may_come_without_shared_memory(docker: Docker, run: Run, mode: str) -> None:
    script = "readlink /proc/self/ns/ipc; ls -d /dev/shm 2>/dev/null; grep -c ' /dev/shm tmpfs ' /proc/mounts"
    namespace, *shared = run("--ipc", mode, script=f"{script}; true").split()
    assert namespace != str(Path("/proc/self/ns/ipc").readlink())
    assert shared == (["0"] if mode == "none" else ["/dev/shm", "1"])
    docker.ok("create", "--name", "ipc", "--network", "none", "--ipc", mode, "busybox")
    assert docker.ok("inspect", "-f", "{{.HostConfig.IpcMode}}", "ipc") == mode


@pytest.mark.parametrize("asked", ["/for-tests/deep", "for-tests"])
def test_a_cgroup_may_lie_elsewhere_below_the_root_and_only_what_was_there_before_stays(
    docker: Docker, asked: str
) -> None:
    cgroups = Cgroups(read_host().hierarchies)
    try:
        options = ("--name", "box", "--network", "none", "--cgroup-parent", asked, "--memory", "64m")
        box = docker.ok("run", "-d", *options, "busybox", "sleep", "1000")
        docker.ok("exec", "-d", "box", "sleep", "1001")
        place = f"/{asked.lstrip('/')}/{box}"
        pid = int(docker.ok("inspect", "-f", "{{.State.Pid}}", "box"))
        assert pid in cgroups.pids(place)
        assert len(cgroups.pids(place)) == 2
        assert not cgroups.exists(f"/apiserver/{box}")
        assert docker.ok("inspect", "-f", "{{.HostConfig.CgroupParent}}", "box") == asked
        assert f"{place}\n" in Path(f"/proc/{pid}/cgroup").read_text()
        docker.ok("rm", "-f", "box")
        assert (cgroups.exists(place), cgroups.exists(str(Path(place).parent))) == (False, True)
    finally:
        cgroups.remove("/for-tests")


def test_volumes_and_binds_of_another_container_come_along_and_stay_while_one_has_them(
    docker: Docker, run: Run, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("bound\n")
    options = ("-v", "/data", "-v", f"{tmp_path}:/bound:ro", "--tmpfs", "/memory")
    docker.ok("run", "--name", "first", "--network", "none", *options, "busybox", "sh", "-c", "echo kept > /data/file")
    from_first = ("--volumes-from", "first", "-v", "/data")
    script = "cat /data/file /bound/file; touch /bound/x || echo refused; ls -d /memory || echo none"
    assert run(*from_first, script=f"({script}) 2>/dev/null") == "kept\nbound\nrefused\nnone"
    read_only = ("--volumes-from", "first:ro", "-v", f"{tmp_path}:/bound")
    script = "touch /data/x || echo refused; touch /bound/made && echo made"
    assert run(*read_only, script=f"({script}) 2>/dev/null") == "refused\nmade"
    docker.ok("create", "--name", "second", "--network", "none", *from_first, "busybox", "cat", "/data/file")
    shown = json.loads(docker.ok("inspect", "second"))[0]
    assert (shown["HostConfig"]["VolumesFrom"], shown["HostConfig"]["Binds"]) == (["first"], None)
    points = {each["Destination"]: (each["Type"], each["Mode"], each["RW"]) for each in shown["Mounts"]}
    assert points == {"/data": ("volume", "", True), "/bound": ("bind", "", False)}
    docker.ok("rm", "-v", "first")
    assert docker.ok("start", "-a", "second") == "kept"
    missing = docker("create", "--volumes-from", "first", "busybox")
    assert (missing.code, "No such container: first" in missing.stderr) == (1, True)
    volume = next(each["Name"] for each in shown["Mounts"] if each["Type"] == "volume")
    docker.ok("rm", "-v", "second")
    assert volume not in docker.ok("volume", "ls", "-q").split()


def test_the_details_of_a_log_are_the_labels_the_environment_and_the_tag_that_were_asked_for(docker: Docker) -> None:
    asked = ("labels=c.d,none", "env=A", "tag={{.Name}}/{{ .ImageName }}")
    options = ("--label", "c.d=1 &2", "--label", "e=f", "-e", "A=x=y,z", "-e", "B=c", "--name", "told")
    logged = [word for each in asked for word in ("--log-opt", each)]
    docker.ok("run", "--network", "none", *options, *logged, "busybox", "echo", "hi")
    assert docker.ok("logs", "told") == "hi"
    assert docker.ok("logs", "--details", "told") == "A=x%3Dy%2Cz,c.d=1+%262,tag=told%2Fbusybox hi"
    matched = ("--log-opt", "labels-regex=^c", "--log-opt", "env-regex=^[AB]$", "--log-opt", "env=A")
    docker.ok("run", "--network", "none", *options[:-1], "matched", *matched, "busybox", "echo", "hi")
    assert docker.ok("logs", "--details", "matched") == "A=x%3Dy%2Cz,B=c,c.d=1+%262 hi"
    docker.ok("run", "--network", "none", "--name", "untold", "busybox", "echo", "hi")
    assert docker.binary("logs", "--details", "untold").stdout == b" hi\n"


def test_the_stop_signal_and_its_time(docker: Docker) -> None:
    script = "trap 'echo got it; exit 5' INT; echo ready; while :; do sleep 0.1; done"
    docker.ok(
        "run", "-d", "--name", "polite", "--network", "none", "--stop-signal", "INT", "busybox", "sh", "-c", script
    )
    until(lambda: docker.ok("logs", "polite") == "ready", "the signal is waited for")
    docker.ok("stop", "polite")
    assert docker.ok("logs", "polite") == "ready\ngot it"
    assert docker.ok("inspect", "-f", "{{.State.ExitCode}}", "polite") == "5"
    docker.ok("run", "-d", "--name", "deaf", "--network", "none", "--stop-timeout", "1", "busybox", "sleep", "100")
    begin = time.monotonic()
    docker.ok("stop", "deaf")
    assert 0.9 < time.monotonic() - begin < 8
    assert docker.ok("inspect", "-f", "{{.State.ExitCode}}", "deaf") == "137"


def test_a_log_is_bounded_or_not_kept(docker: Docker) -> None:
    lines = "i=0; while [ $i -lt 3000 ]; do echo $i 0123456789012345678901234567890123456789; i=$((i+1)); done"
    docker.ok("run", "--name", "short", "--network", "none", "--log-opt", "max-size=10k", "busybox", "sh", "-c", lines)
    kept = docker.ok("logs", "short").splitlines()
    assert 0 < len(kept) < 3000
    assert kept[-1].startswith("2999 ")
    assert (
        docker.ok("run", "--name", "silent", "--network", "none", "--log-driver", "none", "busybox", "echo", "x") == "x"
    )
    assert "does not support reading" in docker("logs", "silent").stderr


def test_labels_are_listed_by(docker: Docker) -> None:
    docker.ok("create", "--name", "labelled", "--network", "none", "-l", "a=b", "busybox")
    assert docker.ok("ps", "-a", "--filter", "label=a=b", "--format", "{{.Names}}") == "labelled"
    assert docker.ok("ps", "-a", "--filter", "label=a=c", "-q") == ""


def test_every_container_has_its_files(run: Run) -> None:
    script = (
        "ls /.dockerenv; cat /etc/hostname; hostname; grep -o localhost /etc/hosts | head -1; "
        "test -s /etc/resolv.conf; grep -q ' / ' /etc/mtab; test ! -e /run/.containerenv"
    )
    marker, file, name, local = run(script=script, network="bridge").splitlines()
    assert (marker, file, local) == ("/.dockerenv", name, "localhost")


def test_dockers_mark_is_empty_and_counts_nothing_and_what_an_image_has_there_stays(docker: Docker, run: Run) -> None:
    script = "stat -c '%s %a %u' /.dockerenv; readlink /etc/mtab"
    assert run("--read-only", script=script).splitlines() == ["0 755 0", "/proc/mounts"]
    docker.ok("run", "--name", "marked", "--network", "none", "busybox", "true")
    assert docker.ok("ps", "-asf", "name=marked", "--format", "{{.Size}}").startswith("0B ")
    mine = (Entry(".dockerenv", b"mine", mode=0o644), Entry("etc/mtab", b"mine too"))
    docker.ok("load", input=docker_archive(busybox_image("mine:1", more=mine)))
    assert docker.ok("run", "--rm", "--network", "none", "mine:1", "cat", "/.dockerenv", "/etc/mtab") == "minemine too"
    docker.ok("rm", "marked")
    docker.ok("rmi", "mine:1")


def test_a_published_port_is_reached_from_the_host_and_from_another_container(docker: Docker) -> None:
    serve = "while :; do echo hello | nc -l -p 80; done"
    docker.ok("run", "-d", "--name", "web", "-p", "127.0.0.1::80", "busybox", "sh", "-c", serve)
    host, port = docker.ok("port", "web", "80").split(":")
    assert host == "127.0.0.1"
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection((host, int(port)), 5) as connection:
                assert connection.recv(100) == b"hello\n"
                break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    address = docker.ok("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web")
    fetch = f"for i in 1 2 3 4 5 6 7 8 9; do nc -w 2 {address} 80 </dev/null && break; sleep 1; done"
    assert docker.ok("run", "--rm", "busybox", "sh", "-c", fetch) == "hello"


def test_a_port_in_use_is_told_at_start_and_given_back(docker: Docker) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = docker("run", "-d", "--name", "late", "-p", f"127.0.0.1:{port}:80", "busybox", "sleep", "100")
        assert said.code == 125
        assert "port is already allocated" in said.stderr or "address already in use" in said.stderr
    assert docker.ok("start", "late") == "late"


def test_kernel_parameters_are_set_in_a_network_of_the_service(docker: Docker, run: Run) -> None:
    options = ("--sysctl", "net.ipv4.ip_default_ttl=77", "--sysctl", "net.ipv4.conf.eth0.arp_notify=1")
    script = "cd /proc/sys/net/ipv4; cat ip_default_ttl conf/eth0/arp_notify"
    assert run(*options, script=script, network="bridge") == "77\n1"
    refused = docker("run", "--rm", "--network", "host", "--sysctl", "net.ipv4.ip_forward=1", "busybox", "true")
    assert refused.code == 125
    assert 'sysctl "net.ipv4.ip_forward" not allowed in host network namespace' in refused.stderr


def test_ulimits_hold_in_a_container_and_in_its_execs(docker: Docker) -> None:
    docker.ok("run", "-d", "--name", "few", "--network", "none", "--ulimit", "nofile=64:128", "busybox", "sleep", "60")
    script = "ulimit -Sn; ulimit -Hn"
    assert docker.ok("exec", "few", "sh", "-c", script) == "64\n128"
    assert docker.ok("inspect", "-f", "{{json .HostConfig.Ulimits}}", "few") == (
        '[{"Name":"nofile","Hard":128,"Soft":64}]'
    )


def test_a_ulimit_above_the_services_own_is_a_warning(docker: Docker) -> None:
    said = docker("run", "--rm", "--network", "none", "--ulimit", "nofile=99999999", "busybox", "sh", "-c", "ulimit -n")
    assert said.code == 0
    assert int(said.stdout) < 99_999_999
    assert "Ulimit clamped" in said.stderr


def test_a_profile_of_apparmor_that_cannot_confine_is_not_dropped_in_silence(docker: Docker) -> None:
    command = ("--network", "none", "--security-opt", "apparmor=nope", "busybox", "true")
    said = docker("run", "--name", "confined", *command)
    if look(read_host()).apparmor is not None:
        assert said.code == 125
        assert "apparmor profile 'nope' is not loaded" in said.stderr
        return
    assert said.code == 0
    assert "AppArmor is not enabled on this system. AppArmor profile nope discarded." in said.stderr
    shown = docker.ok("inspect", "-f", "{{json .AppArmorProfile}} {{json .HostConfig.SecurityOpt}}", "confined")
    assert shown == '"" ["apparmor=nope"]'  # none is in force; what was asked for stays to be seen


def test_devices_of_the_host_can_be_given(docker: Docker, run: Run) -> None:
    options = ("--device", "/dev/null:/dev/mine:rw", "--device-cgroup-rule", "c 1:5 r")
    assert run(*options, script="echo x > /dev/mine; stat -c %t,%T /dev/mine") == "1,3"
    missing = docker("run", "--rm", "--network", "none", "--device", "/dev/nothing-here", "busybox", "true")
    assert missing.code != 0
    assert (
        'error gathering device information while adding custom device "/dev/nothing-here": no such file or directory'
        in missing.stderr
    )


def test_an_init_process_passes_signals_on_and_buries_orphans(docker: Docker, run: Run) -> None:
    orphan = "sh -c 'sleep 0 &'; sleep 0.3; grep -l 'State:.Z' /proc/[0-9]*/status || echo buried"
    said = run("--init", "--tmpfs", "/run", script=f"cat /proc/1/comm; {orphan}")
    assert said.splitlines() == ["docker-init", "buried"]
    docker.ok("run", "-d", "--name", "hears", "--network", "none", "--init", "busybox", "sleep", "60")
    assert docker.ok("inspect", "-f", "{{.HostConfig.Init}} {{.Path}}", "hears") == "true sleep"
    docker.ok("stop", "-t", "30", "hears")
    stopped_by_the_signal = "143"  # as process 1, sleep would not hear it, and be killed: 137
    assert docker.ok("inspect", "-f", "{{.State.ExitCode}}", "hears") == stopped_by_the_signal


def test_an_init_process_ends_as_its_program_does(docker: Docker) -> None:
    plain = ("run", "--rm", "--network", "none", "--init")
    assert docker(*plain, "busybox", "sh", "-c", "exit 7").code == 7
    refused = docker(*plain, "--pid", "host", "busybox", "true")
    assert (refused.code, "--init does not go with --pid host" in refused.stderr) == (125, True)
