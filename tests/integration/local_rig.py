"""The fixture of the tests of runs on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.support.local_runs import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(reactor, tmp_path)
    yield made
    pytest_twisted.blockon(Deferred.fromCoroutine(made.clear()))
