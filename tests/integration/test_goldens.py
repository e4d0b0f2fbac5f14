"""What we answer in both flavours, against the answers that are kept in the repository."""

from __future__ import annotations

import difflib
import json

import pytest

from tests.support.answers.command import ask, read_goldens
from tests.support.service import Service

RENEW = "\n(meant so? renew the goldens and what differs from Docker and Podman: script/compare-answers --help)"


@pytest.mark.parametrize("flavour", ["docker", "libpod"])
def test_answers_are_those_that_are_kept(service: Service, flavour: str) -> None:
    answers, kept = ask(str(service.socket), flavour), read_goldens(flavour)
    assert answers.keys() == kept.keys(), RENEW
    changed: list[str] = []
    for name, answer in answers.items():
        was, now = (json.dumps(each, indent=2).splitlines() for each in (kept[name], answer))
        changed += difflib.unified_diff(was, now, f"{flavour}/{name}.json", "the service", lineterm="", n=2)
    assert not changed, "\n".join(changed) + RENEW
