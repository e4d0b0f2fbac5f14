"""The same service where the cgroup hierarchy is another one than this machine's."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator

import pytest

from apiserver.config.host import read_host
from tests.integration.conftest import ready
from tests.support.docker import Docker
from tests.support.service import ON_PURE_V2, WITHOUT_UNIFIED, Service

MODES = {"unified": ON_PURE_V2, "v1 alone": WITHOUT_UNIFIED}


@pytest.fixture(scope="module", params=MODES)
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Service]:
    service = ready(Service("--idle-timeout", "0", wrapper=MODES[request.param]))
    yield service
    service.close()


@pytest.fixture
def there(elsewhere: Service, docker_for: Callable[[Service], Docker]) -> Docker:
    return docker_for(elsewhere)


def test_a_container_runs_is_joined_and_stops_with_each_runtime_that_works(there: Docker) -> None:
    usable = [name for name in ("crun", "runc") if there("run", "--rm", "--runtime", name, "busybox", "true").code == 0]
    assert usable in (["crun", "runc"], ["runc"])
    assert there.ok("info", "--format", "{{.DefaultRuntime}}").strip() == usable[0]
    for runtime in usable:
        container = there.ok("run", "-d", "--runtime", runtime, "busybox", "sleep", "1000").strip()
        assert there("exec", container, "sh", "-c", "exit 7").code == 7
        assert there.ok("inspect", "--format", "{{.HostConfig.Runtime}}", container).strip() == runtime
        there.ok("stop", "--time", "1", container)
        assert there.ok("inspect", "--format", "{{.State.ExitCode}}", container).strip() == "137"
        there.ok("rm", container)


def test_a_runtime_that_does_not_work_here_is_refused_with_the_reason(there: Docker) -> None:
    said = there("run", "--rm", "--runtime", "crun", "busybox", "true")
    unified = there.ok("info", "--format", "{{.CgroupVersion}}").strip() == "2"
    if unified and not may_lock_memory():
        assert (said.code, "does not work on this host" in said.stderr) == (125, True)
    else:
        assert said.code == 0


def test_a_limit_whose_controller_is_missing_is_left_out_with_a_warning(there: Docker) -> None:
    said = there("run", "--rm", "--memory", "64m", "--pids-limit", "100", "busybox", "echo", "runs")
    assert (said.code, said.stdout) == (0, "runs\n")
    unified = there.ok("info", "--format", "{{.CgroupVersion}}").strip() == "2"
    assert ("limit" in said.stderr.lower()) == unified, said.stderr


def may_lock_memory() -> bool:
    host = read_host()
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    return "CAP_SYS_RESOURCE" in host.capabilities or hard == resource.RLIM_INFINITY
