"""The container's own /etc/hosts, hostname, resolv.conf and /run/.containerenv: files of ours, mounted one by one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from apiserver.engine.containers.options.network import HOST, NONE, Network
from apiserver.engine.ports.networks import Endpoint
from apiserver.errors import InvalidParameter
from apiserver.local.paths import ContainerPaths, write_whole

HOST_GATEWAY = "host-gateway"
_READ_LIMIT = 256 * 1024
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_FALLBACK_DNS = ("8.8.8.8", "8.8.4.4")

_LOCALHOST = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
_MULTICAST = "fe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"


def hosts(
    network: Network,
    endpoints: Sequence[Endpoint],
    *,
    hostname: str,
    name: str,
    host_file: str,
    domain: str = "",
    gateway: str = "",
) -> str:
    """The text of /etc/hosts.

    Args:
        domain: that the host name is in.
        name: the container's.
        host_file: the host's own, which a container on the host's network sees.
        gateway: what `host-gateway` is, where no endpoint has a gateway.

    Raises:
        InvalidParameter: an extra host that is no `NAME:IP`, or a `host-gateway` that nobody is.
    """
    if network.mode == HOST:
        text = host_file if host_file.endswith("\n") or not host_file else f"{host_file}\n"
    else:
        text = _LOCALHOST + _MULTICAST
    gateway = next((str(endpoint.gateway) for endpoint in endpoints if endpoint.gateway), gateway)
    extra = "".join(f"{address}\t{alias}\n" for alias, address in extra_hosts(network.extra_hosts, gateway))
    text += extra
    if network.mode in (HOST, NONE):
        return text
    named = {alias for alias, _ in extra_hosts(network.extra_hosts, gateway)}
    if gateway:
        internal = [alias for alias in ("host.containers.internal", "host.docker.internal") if alias not in named]
        if internal:
            text += f"{gateway}\t{' '.join(internal)}\n"
    # Only the name itself, as Docker does, where it is the host name too.
    own = (f"{hostname}.{domain}", hostname) if domain else (hostname,)
    names = " ".join(dict.fromkeys((*own, *([name] if _is_host_name(name) else []))))
    return text + "".join(f"{endpoint.address}\t{names}\n" for endpoint in endpoints)


def extra_hosts(asked: Iterable[str], gateway: str) -> list[tuple[str, str]]:
    """(name, address) of each `NAME:IP` or `NAME=IP`; the address may be IPv6, in brackets or not.

    Raises:
        InvalidParameter
    """
    found = []
    for entry in asked:
        match = re.fullmatch(r"([^:=]+)[:=](.+)", entry)
        if match is None or _CONTROL.search(entry) or not _is_host_name(match[1]):
            raise InvalidParameter(f"bad format for add-host: {entry!r}")
        alias, address = match[1], match[2]
        if address == HOST_GATEWAY:
            if not gateway:
                raise InvalidParameter(f"unable to derive the IP value for host-gateway: {entry!r}")
            address = gateway
        try:
            found.append((alias, str(ipaddress.ip_address(address.removeprefix("[").removesuffix("]")))))
        except ValueError:
            raise InvalidParameter(f'invalid IP address in add-host: "{address}"') from None
    return found


def resolv_conf(network: Network, endpoints: Sequence[Endpoint], host_file: str) -> str:
    """The text of /etc/resolv.conf.

    Servers are the client's, else those of the container's networks (their own DNS server), else the host's; on a
    network of its own without the host's loopback addresses, which mean something else in there.

    Raises:
        InvalidParameter: what would become more than one word of a line.
    """
    servers, search, options = _parse(host_file)
    if network.mode not in (HOST, NONE):
        servers = [server for server in servers if not _is_loopback(server)] or list(_FALLBACK_DNS)
        from_networks = [server for endpoint in endpoints for server in endpoint.dns_servers]
        if from_networks:
            servers = from_networks
            search = [domain for endpoint in endpoints for domain in endpoint.dns_search] + search
        elif network.dns_servers:
            servers = list(network.dns_servers)
    elif network.dns_servers:
        servers = list(network.dns_servers)
    if network.dns_search:
        search = [] if network.dns_search == (".",) else list(network.dns_search)
    if network.dns_options:
        options = list(network.dns_options)
    for word in (*servers, *search, *options):
        if not word or _CONTROL.search(word):
            raise InvalidParameter(f"invalid DNS setting: {word!r}")
    lines = [f"search {' '.join(dict.fromkeys(search))}"] if search else []
    lines += [f"nameserver {server}" for server in dict.fromkeys(servers)]
    lines += [f"options {' '.join(options)}"] if options else []
    return "".join(f"{line}\n" for line in lines)


def write_files(container: ContainerPaths, texts: dict[str, str]) -> dict[str, Path]:
    """Write our files for a run; target in the container -> file."""
    found: dict[str, Path] = {}
    for target, text in texts.items():
        file = container.files / Path(target).name
        # Users of the container who are not root read them.
        write_whole(file, text.encode(errors="surrogateescape"), 0o644)
        found[target] = file
    return found


def read_host_file(path: Path) -> str:
    """A small file of the host; empty where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(_READ_LIMIT).decode(errors="surrogateescape")
    except (FileNotFoundError, PermissionError):
        return ""


def _parse(text: str) -> tuple[list[str], list[str], list[str]]:
    servers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = re.split(r"[#;]", line)[0].split()
        match words:
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search" | "domain", *domains]:
                search = domains
            case ["options", *more]:
                options += more
    return servers, search, options


def _is_loopback(server: str) -> bool:
    try:
        return ipaddress.ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return True  # no address: nothing that a container could ask


def _is_host_name(text: str) -> bool:
    return re.fullmatch(r"[a-zA-Z0-9_](?:[a-zA-Z0-9_.-]*[a-zA-Z0-9_])?", text) is not None
