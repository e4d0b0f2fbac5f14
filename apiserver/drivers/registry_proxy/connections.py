"""Connections to servers: TLS by the host's certs.d, and by way of the proxies of the environment.

The standard library alone, as all that `program.py` imports.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from apiserver.drivers.registry_proxy.dial import CONNECT_LIMIT, dial
from apiserver.drivers.registry_proxy.origins import Origin

_CERTIFICATES = ("/root/.config/containers/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d")
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_NOBODY_VOUCHES = frozenset({18, 19, 20, 21})
"""Of X509_verify_cert(3): signed by itself, or by an authority that is not known."""


class Unreachable(Exception):
    """A server cannot be reached, or not be trusted; the text says why in the words of Go's library, as skopeo does."""


class Trust:
    """How servers prove who they are; for all threads.

    Args:
        verify: they have to.
        certificates: a directory of certs.d (containers-certs.d(5)), or "": authorities `*.crt` beside the system's,
            and `NAME.cert` with `NAME.key`, by which we prove who we are.
        known: host name whom we prove it to, on any port, and nobody else.
    """

    def __init__(self, verify: bool, certificates: str, known: str) -> None:
        self._verify = verify
        self._certificates = certificates
        self._known = known
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._making = threading.Lock()

    def context(self, origin: Origin) -> ssl.SSLContext:
        """
        Raises:
            Unreachable: certs.d has what cannot be used.
        """
        known = origin.host == self._known
        with self._making:
            if known not in self._contexts:  # the system's authorities take 50 ms to read
                self._contexts[known] = self._context(known)
            return self._contexts[known]

    def _context(self, known: bool) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Go, and so skopeo, does without
        context.set_alpn_protocols(["http/1.1"])
        # As Go has it: whoever is trusted need not be at the end of a chain, and a name is none in `CN` alone.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.hostname_checks_common_name = False
        try:
            if not context.cert_store_stats()["x509_ca"] and os.path.exists(_AUTHORITIES):
                context.load_verify_locations(_AUTHORITIES)
            for name in sorted(os.listdir(self._certificates)) if self._certificates else ():
                path, stem = os.path.join(self._certificates, name), name.rpartition(".")[0]
                if name.endswith(".crt"):
                    context.load_verify_locations(path)
                elif name.endswith(".cert") and known:
                    context.load_cert_chain(path, os.path.join(self._certificates, f"{stem}.key"))
        except OSError as error:  # ssl.SSLError too
            raise Unreachable(f"{self._certificates}: {error}") from None
        if not self._verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


def certificates_of(registry: str, directories: Iterable[str] = _CERTIFICATES) -> str:
    """The directory of certs.d for a registry, "" where there is none; the first one counts.

    Args:
        registry: as references have it: `docker.io`, and not where that is.
    """
    return next((path for each in directories if os.path.isdir(path := os.path.join(each, registry))), "")


def proxy_for(origin: Origin, environment: Mapping[str, str]) -> str:
    """The URL of the proxy that leads to a server, or "", as Go's `httpproxy` has it.

    `HTTPS_PROXY` or `HTTP_PROXY`, unless `NO_PROXY` has the host: as `*`, a name (and all below it), `.NAME` (those
    alone), an address, a network, each with or without a port. A server of this machine has none.
    """
    named = {name.lower(): value for name, value in environment.items() if value}
    if origin.host == "localhost" or _is_in(origin.host, ("127.0.0.0/8", "::1/128")):
        return ""
    for word in filter(None, (each.strip().lower() for each in named.get("no_proxy", "").split(","))):
        host, colon, port = word.rpartition(":")
        if not colon or not port.isdecimal() or (host.count(":") > 0 and not host.endswith("]")):
            host, port = word, ""
        if port and int(port) != origin.port:
            continue
        host = host.strip("[]").removeprefix("*") if word != "*" else ""
        below = origin.host.endswith(host if host.startswith(".") else f".{host}")
        if not host or below or origin.host == host or _is_in(origin.host, (host,)):
            return ""
    return named.get(f"{origin.scheme}_proxy", "")


def _is_in(host: str, networks: Iterable[str]) -> bool:
    try:
        address = ipaddress.ip_address(host)
        return any(address in ipaddress.ip_network(each, strict=False) for each in networks)
    except ValueError:
        return False  # one of both is a name


def connect(
    origin: Origin, trust: Trust, environment: Mapping[str, str], limit: float = CONNECT_LIMIT
) -> tuple[http.client.HTTPConnection, str]:
    """A connection to a server; and what stands before the target of a request: a proxy wants the whole URL.

    Args:
        limit: seconds until it is there.

    Raises:
        Unreachable
    """
    proxy = proxy_for(origin, environment)
    host, port, headers = origin.host, origin.port, {}
    if proxy:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme != "http" or not parts.hostname:
            raise Unreachable(
                f"the proxy that leads to {origin} is none of http://, which is all that can be used here"
            )
        host, port = parts.hostname, parts.port or 80
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            headers["Proxy-Authorization"] = f"Basic {b64encode(pair).decode()}"
    try:
        if origin.scheme == "http":
            plain = _Connection(host, port, headers if proxy else {}, limit)
            plain.connect()
            return plain, str(origin) if proxy else ""
        secure = _SecureConnection(origin, trust, host, port, limit)
        if proxy:
            secure.set_tunnel(origin.host, origin.port, headers)
        secure.connect()
        return secure, ""
    except (OSError, ValueError, http.client.HTTPException) as error:  # the library looks at names by itself
        raise Unreachable(why(error, host, port)) from None


class _Connection(http.client.HTTPConnection):
    """
    Attributes:
        to_the_proxy: headers for it in each request.
    """

    def __init__(self, host: str, port: int, to_the_proxy: Mapping[str, str], limit: float) -> None:
        super().__init__(host, port, timeout=limit)
        self._create_connection = dial
        self.to_the_proxy = to_the_proxy

    def connect(self) -> None:
        super().connect()
        _no_limit(self.sock)


class _SecureConnection(http.client.HTTPSConnection):
    def __init__(self, origin: Origin, trust: Trust, host: str, port: int, limit: float) -> None:
        super().__init__(host, port, timeout=limit, context=trust.context(origin))
        self._create_connection = dial

    def connect(self) -> None:
        super().connect()
        _no_limit(self.sock)


def _no_limit(connected: socket.socket) -> None:
    """From here on it is the service that looks whether anything moves."""
    connected.settimeout(None)


def why(error: Exception, host: str, port: int) -> str:
    """Why there is no connection, or no more."""
    if isinstance(error, ssl.SSLCertVerificationError):
        unknown = error.verify_code in _NOBODY_VOUCHES
        said = "certificate signed by unknown authority" if unknown else error.verify_message
        return f"tls: failed to verify certificate: x509: {said}"
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
            return "http: server gave HTTP response to HTTPS client"
        return f"tls: {error.reason or error}"
    if isinstance(error, socket.gaierror | ValueError):
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(error, TimeoutError):
        return f"dial tcp {host}:{port}: i/o timeout"
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {host}:{port}: connect: connection refused"
    if isinstance(error, http.client.RemoteDisconnected):
        return "EOF"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error).strip()
    return f"{host}:{port}: {said.lower()}"
