"""TLS around a protocol factory; imported only where an `ssl:` endpoint is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from cryptography.x509 import (
    Certificate,
    DNSName,
    DuplicateExtension,
    ExtensionNotFound,
    SubjectAlternativeName,
    load_pem_x509_certificates,
)
from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocolFactory
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure

from apiserver.daemon.endpoints import TlsEndpoint
from apiserver.daemon.sockets import ListenError

TRANSPORT_NAMES: Final = (
    "_aborted",
    "_flushReceiveBIO",
    "_flushSendBIO",
    "_lostTLSConnection",
    "_shutdownTLS",
    "_tlsConnection",
    "_tlsShutdownFinished",
)
"""Private names of Twisted's TLS transport that ours overrides or uses; a test fails when one of them moves."""

PIECE_BYTES = 2**15


class HalfClosingTLS(BufferingTLSTransport):
    """TLS that still writes after its client has said close_notify, until it is closed from this side too.

    Docker's command says it on a hijacked connection as soon as it has no more to send, and reads on; Twisted takes
    it for the end of both directions. What a client sends behind its close_notify is dropped. An end of the
    TCP connection without one is no end of what the client sends: it may have been cut short by anybody on
    the way, and stays a lost connection.

    `_flushReceiveBIO` is private, and Twisted's own but for the half-close; written against that of Twisted 26.10.
    """

    _input_ended = False

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if not self._input_ended:
            super().dataReceived(data)  # type: ignore[no-untyped-call]

    def _flushReceiveBIO(self) -> None:  # noqa: N802
        while not self._lostTLSConnection and not self._input_ended:
            try:
                data = self._tlsConnection.recv(PIECE_BYTES)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self._end_input()
            except SSL.Error:
                self._tlsShutdownFinished(Failure())  # type: ignore[no-untyped-call]
            else:
                if not self._aborted:
                    self.wrappedProtocol.dataReceived(data)
        self._flushSendBIO()  # type: ignore[no-untyped-call]

    def _end_input(self) -> None:
        self._input_ended = True
        half_closeable = IHalfCloseableProtocol(self.wrappedProtocol, None)
        if half_closeable is not None and not self.disconnecting:
            half_closeable.readConnectionLost()
        else:
            self._shutdownTLS()  # type: ignore[no-untyped-call]
            self._tlsShutdownFinished(None)  # type: ignore[no-untyped-call]


class _Factory(TLSMemoryBIOFactory):
    protocol = HalfClosingTLS


def over_tls(endpoint: TlsEndpoint, factory: IProtocolFactory) -> IProtocolFactory:
    """The factory behind TLS with the endpoint's key and certificate, and with those above it in the same file.

    Where it names authorities for clients, a client without a certificate of theirs is not let in: its handshake fails.

    Raises:
        ListenError: a file cannot be read or holds no such thing, the key has a passphrase or is another one's.
    """
    try:
        key = _key(endpoint.private_key)
        own, *above = _certificates(endpoint.certificate)
        trusted = None if endpoint.client_authorities is None else _authorities(endpoint.client_authorities)
        options = ssl.CertificateOptions(
            privateKey=key,
            certificate=crypto.X509.from_cryptography(own),
            extraCertChain=[crypto.X509.from_cryptography(each) for each in above],
            trustRoot=trusted,  # without any no client is asked; with some each has to show a certificate
            acceptableProtocols=[b"http/1.1"],  # without any Twisted refuses all who offer some, as curl does
        )
        options.getContext()  # else made at the first connection, which it would fail
    except (OSError, ValueError) as error:
        raise ListenError(f"TLS on port {endpoint.port}: {error}") from error
    except SSL.Error as error:
        reasons = ", ".join(reason for _, _, reason in error.args[0])
        words = f"the key in {endpoint.private_key} and the certificate in {endpoint.certificate}: {reasons}"
        raise ListenError(f"TLS on port {endpoint.port}: {words}") from error
    wrapped: IProtocolFactory = _Factory(options, False, factory)
    return wrapped


def certified_names(endpoint: TlsEndpoint) -> frozenset[str]:
    """The DNS names that the endpoint's certificate is for, in lower case; `*.` may stand in front.

    Raises:
        ListenError: there is no certificate that can be read.
    """
    try:
        extensions = _certificates(endpoint.certificate)[0].extensions
        names = extensions.get_extension_for_class(SubjectAlternativeName).value.get_values_for_type(DNSName)
    except ExtensionNotFound:
        return frozenset()
    except (OSError, ValueError, DuplicateExtension) as error:
        raise ListenError(f"TLS on port {endpoint.port}: {error}") from error
    return frozenset(name.lower() for name in names)


def _authorities(path: Path) -> Any:
    found = [crypto.X509.from_cryptography(each) for each in _certificates(path)]
    return ssl.trustRootFromCertificates([ssl.Certificate(each) for each in found])


def _key(path: Path) -> crypto.PKey:
    pem = path.read_bytes()
    try:
        return crypto.load_privatekey(crypto.FILETYPE_PEM, pem, b"")  # without a passphrase it would ask a terminal
    except crypto.Error as error:
        raise ValueError(f"{path} holds no private key, or one with a passphrase") from error


def _certificates(path: Path) -> list[Certificate]:
    pem = path.read_bytes()
    try:
        return load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ValueError(f"{path} holds no certificate that can be read") from error
