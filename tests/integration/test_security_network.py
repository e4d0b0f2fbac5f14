"""What a container's network opens to others: ports where they were asked for, no socket of ours, no IPv6 by itself."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.service import Service


@pytest.fixture(autouse=True)
def cleared(service: Service) -> Iterator[None]:
    yield
    service.remove_containers()


def serve(docker: Docker, *options: str) -> str:
    """A container that answers on port 80; its id."""
    script = "mkdir /www; echo fine > /www/index.html; exec httpd -f -p 80 -h /www"
    return docker.ok("run", "-d", *options, "busybox", "sh", "-c", script)


def port_of(docker: Docker, container: str) -> int:
    return int(docker.ok("port", container, "80").splitlines()[0].rpartition(":")[2])


def answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return b"fine" in client.recv(1000)
    except OSError:
        return False


def comes_to_answer(address: str, port: int) -> bool:
    """Within 15 s: the program in the container may not listen yet, and a loaded machine takes its time."""
    deadline = time.monotonic() + 15
    while not (answered := answers(address, port)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answered


@pytest.fixture
def other_address() -> Iterator[str]:
    """An address of this host that is not the loopback's."""
    subprocess.run(["ip", "link", "add", "sec0", "type", "bridge"], check=True)
    subprocess.run(["ip", "addr", "add", "192.0.2.7/24", "dev", "sec0"], check=True)
    subprocess.run(["ip", "link", "set", "sec0", "up"], check=True)
    yield "192.0.2.7"
    subprocess.run(["ip", "link", "del", "sec0"], check=True)


def test_a_port_on_the_loopback_is_there_alone(docker: Docker, other_address: str) -> None:
    local = serve(docker, "-p", "127.0.0.1::80")
    everywhere = serve(docker, "-p", "80")
    assert comes_to_answer("127.0.0.1", port_of(docker, local))
    assert not answers(other_address, port_of(docker, local))
    assert comes_to_answer(other_address, port_of(docker, everywhere))


def test_a_port_on_the_loopback_stays_there_when_the_firewall_is_reloaded(docker: Docker, other_address: str) -> None:
    """CVE-2025-54388, -54410: rules that are gone must not open what they shut."""
    local = serve(docker, "-p", "127.0.0.1::80")
    port = port_of(docker, local)
    assert comes_to_answer("127.0.0.1", port)  # else nothing could be open elsewhere
    saved = subprocess.run(["iptables-save"], capture_output=True, check=True).stdout
    for table in ("filter", "nat", "mangle"):
        subprocess.run(["iptables", "-t", table, "-F"], check=True)
    try:
        assert not answers(other_address, port)
        with socket.socket() as taken, pytest.raises(OSError, match="in use"):
            taken.bind(("127.0.0.1", port))
    finally:
        subprocess.run(["iptables-restore"], input=saved, check=True)
    assert comes_to_answer("127.0.0.1", port)


def test_no_abstract_socket_is_ours(service: Service, docker: Docker) -> None:
    """CVE-2020-15257: a container on the host's network could reach it."""
    before = abstract()
    docker.ok("run", "-d", "--network", "host", "busybox", "sleep", "100")
    container = docker.ok("run", "-d", "-t", "busybox", "sleep", "100")
    docker.ok("exec", "-d", container, "sleep", "100")
    assert abstract() - before == set()
    assert docker.ok("exec", container, "cat", "/proc/net/unix").count("\n") == 0


def abstract() -> set[str]:
    return {line.split()[7] for line in Path("/proc/net/unix").read_text().splitlines() if re.search(r" @\S*$", line)}


def test_a_network_without_ipv6_has_none(docker: Docker) -> None:
    """CVE-2020-10749, -2024-32473: an address that nobody asked for, and routes that a neighbour announces."""
    container = docker.ok("run", "-d", "busybox", "sleep", "100")
    settings = (
        "cd /proc/sys/net/ipv6/conf; cat */disable_ipv6 */accept_ra 2>/dev/null | sort -u | tr '\\n' ' '; ip -6 addr"
    )
    said = docker.ok("exec", container, "sh", "-c", settings)
    assert "inet6 fe80" not in said
    assert "inet6 fd" not in said
    network = json.loads(docker.ok("inspect", "-f", "{{json .NetworkSettings}}", container))
    assert network["GlobalIPv6Address"] == ""


def test_no_network_and_none_but_the_loopback(docker: Docker) -> None:
    said = docker.ok(
        "run", "--rm", "--network", "none", "busybox", "sh", "-c", "ip -o addr; ip route; cat /proc/net/dev"
    )
    assert {line.split()[1] for line in said.splitlines() if " scope " in line} == {"lo"}
    assert "eth0" not in said


def test_who_calls_from_outside_is_seen_with_its_own_address(docker: Docker, other_address: str) -> None:
    """CVE-2021-20199: a program inside that trusts the loopback would trust everybody."""
    container = docker.ok("run", "-d", "-p", "80", "busybox", "nc", "-l", "-p", "80", "-e", "sleep", "20")
    port = port_of(docker, container)
    for _ in range(50):
        listens = docker.ok("exec", container, "cat", "/proc/net/tcp", "/proc/net/tcp6")
        if ":0050 " in listens:
            break
    with socket.create_connection((other_address, port), timeout=5):
        peers = docker.ok("exec", container, "netstat", "-tn")
    assert "ESTABLISHED" in peers
    (line,) = [each for each in peers.splitlines() if "ESTABLISHED" in each]
    assert not line.split()[4].startswith(("127.", "::1", "::ffff:127."))


def test_a_container_writes_no_forwarding_and_no_neighbours_packets(docker: Docker) -> None:
    script = """
    (echo 1 > /proc/sys/net/ipv4/ip_forward) 2>/dev/null && echo wrote
    ip link set eth0 down 2>/dev/null && echo down
    echo end"""
    assert docker.ok("run", "--rm", "busybox", "sh", "-c", script) == "end"
