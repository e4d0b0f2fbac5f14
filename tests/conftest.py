"""What holds for every test: namespaces of their own, and no skip that `--allowed-skips` does not name."""

from __future__ import annotations

import os
from collections.abc import Generator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.support.namespaces import enter_own_namespaces

ALLOWED = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--allowed-skips",
        type=Path,
        metavar="FILE",
        help="fail every skip that FILE does not name (a line: PATTERN | REASON; PATTERN as in fnmatch, "
        "matched against 'node id: reason of the skip')",
    )


def pytest_configure(config: pytest.Config) -> None:
    path: Path | None = config.getoption("--allowed-skips")
    if path is not None:
        config.stash[ALLOWED] = read_allowed_skips(path.read_text())
    if os.geteuid() == 0:
        enter_own_namespaces()  # now: no other thread is there yet


def read_allowed_skips(text: str) -> list[str]:
    """The patterns; a line without a reason is an error, since the list is there to give them."""
    patterns = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern, bar, reason = line.partition(" | ")
        if not bar or not reason.strip():
            raise pytest.UsageError(f"allowed skip without a reason: {line}")
        patterns.append(pattern.strip())
    return patterns


def _judge(report: pytest.TestReport | pytest.CollectReport, config: pytest.Config) -> None:
    """Turn a skip (an expected failure too) that nobody allowed into a failure."""
    patterns = config.stash.get(ALLOWED, None)
    if patterns is None or not report.skipped:
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "")
    said = f"{report.nodeid}: {reason}"
    if not any(fnmatchcase(said, pattern) for pattern in patterns):
        if hasattr(report, "wasxfail"):
            del report.wasxfail
        report.outcome = "failed"
        report.longrepr = f"{said}\n(skipped, and the list of allowed skips does not name it)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge(report, item.config)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge(report, collector.config)
    return report
