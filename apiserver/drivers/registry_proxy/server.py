"""The proxy of one registry: takes skopeo's requests in plain HTTP, and makes them of the registry.

It follows redirects of `GET` and `HEAD` by itself: skopeo's HTTP library takes credentials along to names below the
first one, and to any port of it. The standard library alone, as all that `program.py` imports.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NamedTuple

from apiserver.drivers.registry_proxy.bodies import LONGEST_LINE, PIECE, Cut, body_of
from apiserver.drivers.registry_proxy.challenges import through_the_proxy
from apiserver.drivers.registry_proxy.connections import Trust, Unreachable, certificates_of
from apiserver.drivers.registry_proxy.dial import CONNECT_LIMIT, first_reached
from apiserver.drivers.registry_proxy.origins import Origin, Places, Refused, keeps_credentials, split
from apiserver.drivers.registry_proxy.upstream import Upstream

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LONGEST_WAY = 10
_SHORT = 2048
"""Bytes of a redirect that are heard to the end, so that its connection can be used again; as Go does it."""
_TLS_HANDSHAKE = b"\x16"
_OF_ONE_CONNECTION = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
_PORT = re.compile(r":([0-9]+)$")
_LAST_PORT = 65535
_FIRST_VERSION = "/v1/_ping"
"""Asked for where a registry was not reached, to say that such a one will not do: that would be the same wait again."""
_LEARNT = frozenset({"GET", "HEAD"})
"""What is asked of whom the registry names; all else goes to nobody but it."""


class Registry(NamedTuple):
    """
    Attributes:
        name: as references have it, for messages.
        authority: `HOST[:PORT]` where it is.
        insecure: any certificate will do, and plain HTTP where it has no TLS.
    """

    name: str
    authority: str
    insecure: bool

    @property
    def host(self) -> str:
        """Its name, or address without brackets, in lower case."""
        return _PORT.sub("", self.authority).strip("[]").lower()

    def urls(self) -> list[str]:
        """Where to look for it, in this order."""
        return [f"{scheme}://{self.authority}" for scheme in ("https", *(["http"] if self.insecure else []))]

    def origin(self, url: str) -> Origin:
        """
        Raises:
            Unreachable: there can be nothing.
        """
        try:
            return split(url)[0]
        except ValueError:
            port = _PORT.search(self.authority)
            if port is not None and float(port[1]) > _LAST_PORT:  # which may have any number of digits
                raise Unreachable(f"dial tcp: address {port[1]}: invalid port") from None
            raise Unreachable(f"dial tcp: lookup {self.host}: no such host") from None


class Proxy(ThreadingMixIn, TCPServer):
    """
    Args:
        listening: the socket, of whose connections `admits` says which are served.
        environment: names the proxies that lead to registries.
        tell: called with `refused` and what the registry wanted, once; with `unreachable`, where and why, until
            there is `reached`.
    """

    daemon_threads = True

    def __init__(
        self,
        listening: socket.socket,
        registry: Registry,
        environment: Mapping[str, str],
        admits: Callable[[socket.socket], bool],
        tell: Callable[[str, str], None],
    ) -> None:
        super().__init__(listening.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        host, port = listening.getsockname()[:2]
        self.url = f"http://{host}:{port}"
        self.named = registry
        self.environment = environment
        self.refused = False
        self._reached = True
        self._telling = threading.Lock()
        self._admits = admits
        self._tell = tell
        self.trust = Trust(not registry.insecure, certificates_of(registry.name), registry.host)
        self._finding = threading.Lock()
        self._places: Places | None = None

    def verify_request(self, request: Any, client_address: Any) -> bool:
        try:
            return self._admits(request)
        except OSError:  # it has gone already
            return False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What should not have happened: the thread says so on stderr, and skopeo's connection ends."""
        raise

    def places(self, upstream: Upstream) -> Places:
        """Where the registry is; whoever comes first looks for it.

        Raises:
            Unreachable
        """
        with self._finding:
            if self._places is None:
                self._places = Places(self.named.name, self._first_reached(upstream))
            return self._places

    def _first_reached(self, upstream: Upstream) -> Origin:
        def reached(origin: Origin, limit: float) -> Origin:
            upstream.connected(origin, limit)
            return origin

        origins = list(map(self.named.origin, self.named.urls()))
        return first_reached(origins, CONNECT_LIMIT, reached, Unreachable)

    def refuse(self, why: Refused) -> None:
        """From now on nothing goes through."""
        self.refused = True
        self._tell("refused", str(why))

    def unreachable(self, where: str, why: Unreachable) -> None:
        with self._telling:
            self._reached = False
            self._tell("unreachable", f"{where} {why}")

    def reached(self) -> None:
        with self._telling:
            if not self._reached:
                self._reached = True
                self._tell("reached", "")


class _Handler(BaseHTTPRequestHandler):
    """One of skopeo's connections."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_: object) -> None:
        """Whoever wants to know asks skopeo."""

    def handle(self) -> None:
        # It tries TLS first, also where it may do without.
        if self.connection.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE:
            return
        self.upstream = Upstream(self.server.trust, self.server.environment)
        try:
            super().handle()
        except (ConnectionError, Cut):
            return  # skopeo has gone, or is to notice that something is missing
        finally:
            self.upstream.close()

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(LONGEST_LINE + 1)
        if len(self.raw_requestline) > LONGEST_LINE:
            raise Cut  # part of a path would be another path
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        if self.server.refused:
            raise Cut
        if self.path == _FIRST_VERSION:
            self._nothing_there()
            return
        where = self.server.named.urls()[-1]
        try:
            places = self.server.places(self.upstream)
            try:
                origin, target = places.meant(self.path)
            except ValueError:
                self._nothing_there()
                return
            where = str(origin)
            self._pass_on(places, origin, target)
        except Refused as error:
            self.server.refuse(error)
            raise Cut from None
        except Unreachable as error:
            self.server.unreachable(where, error)
            raise Cut from None

    def _nothing_there(self) -> None:
        self.send_response_only(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _pass_on(self, places: Places, origin: Origin, target: str) -> None:
        headers = [
            (name, value)
            for name, value in self.headers.items()
            if name.lower() not in _OF_ONE_CONNECTION | {"host", "content-length"}
        ]
        body, asked = body_of(self.headers, self.rfile), origin
        for _ in range(_LONGEST_WAY):
            answer = self.upstream.ask(origin, self.command, target, headers, body)
            leads, url = answer.headers.get("Location"), f"{origin}{target}"
            if answer.status not in _REDIRECTS or not leads or self.command not in _LEARNT:
                break
            self._leave(answer, origin)
            before, (origin, target) = origin, self._read(places, leads, url)
            if not keeps_credentials(before, origin):
                headers = [(name, value) for name, value in headers if name.lower() != "authorization"]
        else:
            raise Unreachable("stopped after 10 redirects")
        self.server.reached()
        self._answer(places, answer, url, keeps_credentials(asked, origin))
        if answer.will_close:
            self.upstream.close(origin)
        for _ in body.pieces if body is not None else ():
            pass  # what was answered before it came is no request

    def _leave(self, answer: http.client.HTTPResponse, origin: Origin) -> None:
        """Have done with an answer that leads elsewhere."""
        whole = False
        if answer.length is not None and answer.length <= _SHORT:
            with suppress(OSError, http.client.HTTPException):
                answer.read()
                whole = True
        answer.close()
        if not whole:
            self.upstream.close(origin)  # rather than hear all that it has to say

    @staticmethod
    def _read(places: Places, location: str, asked: str) -> tuple[Origin, str]:
        try:
            return split(location, asked)
        except ValueError as error:
            raise Refused(f"{places.registry} redirects to a place that cannot be read: {error}") from None

    def _answer(self, places: Places, answer: http.client.HTTPResponse, url: str, by_registry: bool) -> None:
        # An upload goes on where 202 says; what was made (201) is asked for by its own name.
        leads = answer.headers.get("Location") if answer.status == 202 or answer.status in _REDIRECTS else None
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in _OF_ONE_CONNECTION | {"location", "www-authenticate"}:
                self.send_header(name, value)
        if leads:
            self.send_header("Location", places.path_of_upload(leads, url))
        if by_registry:  # nobody else is asked for whom it lets in
            for each in through_the_proxy(answer.headers.get_all("WWW-Authenticate", []), places, self.server.url):
                self.send_header("WWW-Authenticate", each)
        empty = self.command == "HEAD" or answer.status in (204, 304)
        chunked = not empty and answer.length is None
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if not empty:
            self._move(answer, chunked)
        answer.close()  # which lets its connection be used again

    def _move(self, answer: http.client.HTTPResponse, chunked: bool) -> None:
        try:
            while piece := answer.read1(PIECE):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        except http.client.HTTPException:
            raise Cut from None
        if answer.length:
            raise Cut  # of what was announced
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
