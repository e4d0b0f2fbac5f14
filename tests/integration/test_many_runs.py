"""Many short runs at once: none gets what is another's, none loses what is its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.docker import Docker, Said
from tests.support.service import Service

RUNS = 64
AT_ONCE = 8


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_each_has_its_own_streams_and_exit_code_and_nothing_is_left(
    docker: Docker, service: Service, network: str
) -> None:
    script = "read word; echo out $word $0; echo err $word $0 >&2; exit $0"

    def run(number: int) -> Said:
        arguments = ("run", "--rm", "-i", "--network", network, "busybox", "sh", "-c", script, str(number))
        return docker(*arguments, input=f"in{number}\n")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = list(pool.map(run, range(RUNS)))
    expected = [Said(f"out in{number} {number}\n", f"err in{number} {number}\n", number) for number in range(RUNS)]
    assert [pair for pair in zip(said, expected, strict=True) if pair[0] != pair[1]] == []
    assert service.containers() == []
    assert list((service.root / "containers").iterdir()) == []


def test_a_last_line_without_an_end_is_not_lost_by_a_run_that_ends_at_once(docker: Docker) -> None:
    def run(number: int) -> Said:
        return docker("run", "--rm", "--network", "none", "busybox", "printf", str(number))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = list(pool.map(run, range(RUNS)))
    assert said == [Said(str(number), "", 0) for number in range(RUNS)]
