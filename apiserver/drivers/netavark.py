"""netavark: makes bridges, interfaces, addresses and firewall rules for a network namespace."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import msgspec

from apiserver.drivers.linux import nftables
from apiserver.drivers.process import Completed, ProgramFailed, Programs
from apiserver.errors import ProgramMissing
from apiserver.jsonvalue import JsonObject

TIME_LIMIT = 60.0
NFTABLES, IPTABLES = "nftables", "iptables"
_NFTABLES_SINCE = (1, 10)
_VERSION = re.compile(r"\d+(?:\.\d+)*")


class SubnetJson(msgspec.Struct, frozen=True):
    ipnet: str
    gateway: str | None = None


class InterfaceJson(msgspec.Struct, frozen=True):
    mac_address: str
    subnets: list[SubnetJson] | None = None


class StatusJson(msgspec.Struct, frozen=True):
    """What became of one network."""

    interfaces: dict[str, InterfaceJson]
    dns_server_ips: list[str] | None = None
    dns_search_domains: list[str] | None = None


_status = msgspec.json.Decoder(dict[str, StatusJson])


class Netavark:
    """Which calls may be made beside others is for the caller to see to.

    Args:
        state: directory for its own files, gone after a reboot.
    """

    def __init__(self, programs: Programs, state: Path) -> None:
        self._programs = programs
        self._state = state

    async def choose_firewall(self) -> str:
        """The driver for new networks: nftables where netavark and the host have it, else iptables.

        Raises:
            ProgramMissing: the host has neither.
        """
        if self._has("nft") and await self.version() >= _NFTABLES_SINCE:
            return NFTABLES
        self._programs.find("iptables")
        return IPTABLES

    async def version(self) -> tuple[int, ...]:
        text = (await self._programs.run(["netavark", "--version"], time_limit=TIME_LIMIT)).stdout.decode()
        found = _VERSION.search(text)
        return tuple(int(part) for part in found[0].split(".")) if found else ()

    async def setup(self, namespace: Path, request: JsonObject, firewall: str) -> Mapping[str, StatusJson]:
        """Answers by network name.

        Raises:
            ProgramFailed: with netavark's own words.
        """
        done = await self._call("setup", namespace, request, firewall)
        return _status.decode(done.stdout)

    async def teardown(self, namespace: Path, request: JsonObject, firewall: str) -> None:
        """
        Raises:
            ProgramFailed: something of it was not there, or could not be removed.
        """
        await self._call("teardown", namespace, request, firewall)

    def has_network(self, network_id: str, subnet: IPv4Network) -> bool:
        """Whether the rules of a network itself are there, with nftables. It costs some microseconds.

        Raises:
            HostError: the kernel cannot be asked.
        """
        # nft.rs, `get_subnet_chain_name`: the same from 1.10 to 2.1.
        name = str(subnet).replace(".", "_").replace("/", "_nm")
        return nftables.in_use("netavark", f"nv_{network_id[:8]}_{name}")

    async def has_rules(self, container_id: str, address: IPv4Address, firewall: str) -> bool:
        """Whether the firewall still knows a container: its address, or its ID, as the last of iptables' rules does."""
        commands = {
            NFTABLES: [["nft", "list", "ruleset"]],
            IPTABLES: [["iptables-save", "-t", "nat"], ["iptables-save", "-t", "filter"]],
        }
        known = rf"(?<![\d.]){re.escape(str(address))}(?![\d.])|{container_id}"
        pattern = re.compile(known.encode())
        for command in commands.get(firewall, []):
            done = await self._programs.run(command, time_limit=TIME_LIMIT)
            if pattern.search(done.stdout):
                return True
        return False

    def _has(self, program: str) -> bool:
        try:
            self._programs.find(program)
        except ProgramMissing:
            return False
        return True

    async def _call(self, action: str, namespace: Path, request: JsonObject, firewall: str) -> Completed:
        # It would make it itself, for everybody to read: 1.14 for its firewall's state, older ones for names alone.
        self._state.mkdir(mode=0o700, exist_ok=True)
        done = await self._programs.run(
            [
                "netavark",
                *("--config", str(self._state), "--rootless", "false"),
                *(("--aardvark-binary", self._programs.find("aardvark-dns")) if self._has("aardvark-dns") else ()),
                *(action, str(namespace)),
            ],
            stdin=json.dumps(request).encode(),
            env={"NETAVARK_FW": firewall},
            time_limit=TIME_LIMIT,
            ok_codes=None,
        )
        if done.code:
            raise ProgramFailed("netavark", done.code, done.stderr, _error_of(done))
        return done


def _error_of(done: Completed) -> str:
    """Its errors are JSON on standard output."""
    try:
        return str(json.loads(done.stdout)["error"])
    except (ValueError, KeyError, TypeError):
        return f"exit status {done.code}"
