"""Paths, plans and volumes: what may become a part of a path, and what a plan says."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import pytest_twisted

from apiserver.config.host import read_host
from apiserver.drivers.threads import Threads
from apiserver.engine.ports.runs import RunKey
from apiserver.errors import HostError, InvalidParameter
from apiserver.local.host import host_facts
from apiserver.local.paths import NotOurs, Paths, write_whole
from apiserver.local.runs.exitfile import read_end
from apiserver.local.runs.machine import look
from apiserver.local.runs.plan import RunPlan
from apiserver.local.volumes import LocalVolumes

ID = "a1" * 32


class AtOnce(Threads):
    def __init__(self) -> None:
        super().__init__(None)

    async def run(self, function, *args, **kwargs):  # type: ignore[no-untyped-def]  # as Threads.run
        return function(*args, **kwargs)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "root", tmp_path / "run")
    made.prepare()
    return made


@pytest.mark.parametrize("identifier", ["..", "a/b", "", "A1" * 32, "a1" * 31, ID + "\n"])
def test_only_an_id_becomes_a_part_of_a_path(paths: Paths, identifier: str) -> None:
    with pytest.raises(InvalidParameter):
        paths.container(identifier)
    with pytest.raises(InvalidParameter):
        paths.run(identifier, 1)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "", "-a", "a\n"])
def test_only_a_volumes_name_becomes_a_part_of_a_path(paths: Paths, name: str) -> None:
    with pytest.raises(InvalidParameter):
        paths.volume(name)


def test_both_roots_and_what_is_directly_in_them_are_for_root_alone(paths: Paths) -> None:
    for root in (paths.root, paths.runroot):
        for directory in (root, *root.iterdir()):
            assert directory.stat().st_mode & 0o777 == 0o700


def modes(directory: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mode & 0o777 for path in (directory, *directory.rglob("*"))}


@pytest.mark.parametrize("option", ["--root", "--runroot"])
@pytest.mark.parametrize("entry", ["www/", "data", "volumes/db/_data/", "storage/overlay-layers/layers.json", "runs"])
def test_a_directory_with_files_of_others_is_refused_and_stays_as_it_is(
    tmp_path: Path, option: str, entry: str
) -> None:
    taken, other = tmp_path / "taken", tmp_path / "other"
    made = taken / entry
    made.parent.mkdir(parents=True)
    if entry.endswith("/"):
        made.mkdir()
    else:
        made.touch()
    before = modes(tmp_path)
    places = {"--root": other, "--runroot": other, option: taken}
    with pytest.raises(NotOurs, match=f"^{option} {taken} has files of others"):
        Paths(places["--root"], places["--runroot"]).prepare()
    assert modes(tmp_path) == before
    assert not other.exists()


def test_empty_directories_and_new_file_systems_and_a_socket_that_waits_are_taken(tmp_path: Path) -> None:
    made = Paths(tmp_path / "root", tmp_path / "run")
    for directory in (made.root / "lost+found", made.storage / "lost+found", made.volumes, made.runs):
        directory.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(made.runroot / "s"))
        made.prepare()
    assert made.root.stat().st_mode & 0o777 == made.volumes.stat().st_mode & 0o777 == 0o700


def test_a_pid_file_is_there_before_us_if_it_is_ours(tmp_path: Path) -> None:
    made = Paths(tmp_path / "root", tmp_path / "run")
    made.runroot.mkdir()
    (made.runroot / "twistd.pid").write_text("1\n")
    with pytest.raises(NotOurs, match=r"twistd\.pid"):
        made.prepare()
    (made.runroot / "twistd.pid").write_text(f"{os.getpid()}\n")
    made.prepare()


def test_a_root_in_use_goes_on_whatever_else_is_in_it_and_only_what_is_ours_is_closed(paths: Paths) -> None:
    (paths.root / "state.sqlite").touch()
    for base in (paths.root, paths.runroot):
        (base / "mine").mkdir()
        (base / "mine").chmod(0o755)
    paths.volumes.chmod(0o755)
    paths.volume("db").mkdir()
    paths.prepare()
    assert {(base / "mine").stat().st_mode & 0o777 for base in (paths.root, paths.runroot)} == {0o755}
    assert paths.volumes.stat().st_mode & 0o777 == 0o700


def test_a_first_start_that_ended_before_there_was_a_state_is_begun_again(paths: Paths) -> None:
    (paths.root / "lock").write_text("1\n")
    paths.exit_program.parent.mkdir()
    (paths.exit_program.parent / ".exited.new").touch()
    paths.prepare()


def test_a_plan_read_back_is_the_same(paths: Paths) -> None:
    plan = RunPlan.of(paths, RunKey(ID, 7), Path("/usr/bin/crun"))
    assert RunPlan.from_json(plan.to_json()) == plan
    assert plan.cgroup == f"/apiserver/{ID}"
    assert plan.monitor_cgroup == f"/apiserver/conmon-{ID}"
    with pytest.raises(HostError):
        RunPlan.from_json({"container": ID})


@pytest.mark.parametrize(
    ("parent", "cgroup"),
    [("", "/apiserver/"), ("/", "/"), ("a", "/a/"), ("/a//./b/", "/a/b/"), ("/a.slice", "/a.slice/")],
)
def test_a_cgroup_is_below_the_root_of_cgroups_however_its_parent_is_written(
    paths: Paths, parent: str, cgroup: str
) -> None:
    assert RunPlan.of(paths, RunKey(ID, 7), Path("/usr/bin/crun"), parent).cgroup == cgroup + ID


def test_a_file_is_replaced_as_a_whole_with_its_mode(tmp_path: Path) -> None:
    write_whole(tmp_path / "f", b"one", 0o644)
    write_whole(tmp_path / "f", b"two")
    assert ((tmp_path / "f").read_bytes(), (tmp_path / "f").stat().st_mode & 0o777) == (b"two", 0o600)
    assert list(tmp_path.iterdir()) == [tmp_path / "f"]


def test_the_end_is_what_conmon_wrote(paths: Paths) -> None:
    run = paths.run(ID, 1)
    run.make()
    assert read_end(run) is None
    run.exit_file.write_text("137")
    os.utime(run.exit_file, (1_700_000_000, 1_700_000_000))
    run.oom_file.touch()
    end = read_end(run)
    assert end is not None
    assert (end.exit_code, end.finished.timestamp(), end.oom_killed) == (137, 1_700_000_000, True)
    run.exit_file.write_text("-1")
    end = read_end(run)
    assert end is not None
    assert end.exit_code is None
    run.exit_file.write_text("")
    assert read_end(run) is None


@pytest_twisted.ensureDeferred
async def test_volumes_are_made_and_removed_twice_without_harm(paths: Paths, tmp_path: Path) -> None:
    volumes = LocalVolumes(paths, AtOnce())
    await volumes.create("data")
    await volumes.create("data")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (Path(volumes.mountpoint("data")) / "link").symlink_to(outside)
    assert await volumes.survey() == {"data"}
    await volumes.remove("data")
    await volumes.remove("data")
    assert await volumes.survey() == frozenset()
    assert (outside / "kept").exists()


def test_the_facts_say_which_limits_act_here(paths: Paths) -> None:
    host = read_host()
    facts = host_facts(host, look(host), paths, {"conmon": "2.1.6"})
    assert facts.cgroup_version in ("1", "2")
    assert facts.default_runtime in facts.runtimes
    assert facts.components == {"conmon": "2.1.6"}
