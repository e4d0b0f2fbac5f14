"""What the kernel says of nftables; the tests have a network namespace of their own."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator

import pytest

from apiserver.drivers.linux.nftables import in_use
from apiserver.errors import HostError


def nft(*words: str) -> None:
    subprocess.run(["nft", *words], check=True)


@pytest.fixture
def table() -> Iterator[str]:
    name = "asked-for"
    nft("add", "table", "inet", name)
    yield name
    nft("delete", "table", "inet", name)


def test_what_is_not_there_is_not_in_use(table: str) -> None:
    assert not in_use("none", "one")
    assert not in_use(table, "one")


def test_a_chain_is_in_use_while_it_has_rules_or_some_lead_to_it(table: str) -> None:
    nft("add", "chain", "inet", table, "one")
    assert not in_use(table, "one")
    nft("add", "chain", "inet", table, "other")
    nft("add", "rule", "inet", table, "other", "jump", "one")
    assert in_use(table, "one")
    nft("add", "rule", "inet", table, "one", "accept")
    nft("flush", "chain", "inet", table, "other")
    assert in_use(table, "one")
    nft("flush", "table", "inet", table)
    assert not in_use(table, "one")


def test_a_kernel_that_cannot_be_asked_is_an_error_of_the_host() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(HostError, match="no look at nftables"):
            in_use("table", "one")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
