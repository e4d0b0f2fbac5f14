"""What script/lib.sh does to a machine: only what is missing, no daemon started, policy-rc.d as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[2] / "script" / "lib.sh"
OURS = "#!/bin/sh\n# the administrator's own\nexit 0\n"


@dataclass
class Machine:
    """A folder that stands for the machine's /usr/sbin, with an apt-get that notes how it was called."""

    folder: Path

    @property
    def policy(self) -> Path:
        return self.folder / "policy-rc.d"

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def apt(self, body: str) -> None:
        """Each call notes its arguments and what policy-rc.d answers meanwhile, then does `body`."""
        script = f'#!/bin/sh\n"{self.policy}"; echo "$? $*" >>"{self.folder}/calls"\n{body}\n'
        path = self.folder / "apt-get"
        path.write_text(script)
        path.chmod(0o755)

    def start(self, commands: str) -> subprocess.Popen[str]:
        prelude = (
            f'set -euo pipefail; . "{LIBRARY}"; PATH={self.folder}:$PATH; policy={self.policy}; '
            f"kept_policy=$policy.before-apiserver; install_lock={self.folder}/lock; "
        )
        return subprocess.Popen(
            ["bash", "-c", prelude + commands], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, commands: str) -> tuple[int, str, str]:
        process = self.start(commands)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.apt("exit 0")
    return made


def keep_own_policy(machine: Machine) -> os.stat_result:
    machine.policy.write_text(OURS)
    machine.policy.chmod(0o750)
    return machine.policy.stat()


def wait_for_call(machine: Machine, words: str) -> None:
    deadline = time.monotonic() + 20
    while not any(words in call for call in machine.calls):
        assert time.monotonic() < deadline
        time.sleep(0.01)


MISSING = "need a-package no-such-command 'is needed here'; install_missing; "


def test_nothing_is_asked_of_apt_while_all_is_there(machine: Machine) -> None:
    status, _, _ = machine.run("need bash bash 'x'; need libs 'no-such-command /etc/passwd' 'y'; install_missing")
    assert (status, machine.calls) == (0, [])


def test_only_what_is_missing_is_installed_and_no_daemon_may_start_meanwhile(machine: Machine) -> None:
    status, _, _ = machine.run("need bash bash 'x'; " + MISSING)
    assert status == 0
    (install,) = [call for call in machine.calls if "install" in call]
    assert install.startswith("101 ")
    assert install.endswith("install -y --no-install-recommends a-package")
    assert not machine.policy.exists()


def test_stdout_stays_free_for_what_the_scripts_say(machine: Machine) -> None:
    machine.apt("echo noise")
    assert machine.run(MISSING)[1] == ""


def test_what_cannot_be_installed_is_named_with_its_reason_and_the_rest_is_installed(machine: Machine) -> None:
    machine.apt('case "$*" in *a-package*) exit 100;; esac')
    keep_own_policy(machine)
    status, out, err = machine.run("need other no-such-program 'y'; " + MISSING + 'echo "${failed[*]}"')
    assert (status, out) == (0, "a-package\n")
    assert "Cannot install a-package, which is needed here" in err
    assert any(call.endswith("install -y --no-install-recommends other") for call in machine.calls)
    assert machine.policy.read_text() == OURS


def test_a_machine_without_apt_is_told_what_to_bring(machine: Machine) -> None:
    status, out, err = machine.run("present() { [ $1 = bash ]; }; " + MISSING + 'echo "${failed[*]}"')
    assert (status, out) == (0, "a-package\n")
    assert "Cannot install a-package, which is needed here" in err


def test_the_machines_own_policy_is_the_same_file_afterwards(machine: Machine) -> None:
    before = keep_own_policy(machine)
    machine.run(MISSING)
    after = machine.policy.stat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)
    assert [call.split()[0] for call in machine.calls] == ["101", "101"]


def test_a_policy_that_is_a_link_stays_one(machine: Machine) -> None:
    machine.policy.symlink_to("/nowhere/at/all")
    machine.run(MISSING)
    assert machine.policy.readlink() == Path("/nowhere/at/all")


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_run_puts_the_policy_back(machine: Machine, by: signal.Signals) -> None:
    keep_own_policy(machine)
    machine.apt('case "$*" in *install*) sleep 1;; esac')
    process = machine.start(MISSING)
    wait_for_call(machine, "install")
    process.send_signal(by)
    process.communicate(timeout=30)
    assert process.returncode == 128 + by
    assert machine.policy.read_text() == OURS


def test_the_run_after_a_killed_one_puts_the_policy_back_even_with_nothing_to_install(machine: Machine) -> None:
    keep_own_policy(machine)
    machine.apt('case "$*" in *install*) kill -9 $PPID;; esac')
    assert machine.run(MISSING)[0] == -signal.SIGKILL
    assert machine.policy.read_text() != OURS
    machine.run("install_missing")
    assert machine.policy.read_text() == OURS
    assert sorted(path.name for path in machine.folder.iterdir()) == ["apt-get", "calls", "lock", "policy-rc.d"]


def test_the_run_after_a_killed_one_removes_our_policy_where_there_was_none(machine: Machine) -> None:
    machine.apt('case "$*" in *install*) kill -9 $PPID;; esac')
    machine.run(MISSING)
    assert machine.policy.exists()
    machine.run("install_missing")
    assert not machine.policy.exists()
