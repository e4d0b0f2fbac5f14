"""TLS around a protocol factory; imported only where an `ssl:` endpoint is configured."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet import ssl
from twisted.internet.interfaces import IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from apiserver.daemon.endpoints import TlsEndpoint
from apiserver.daemon.sockets import ListenError


def over_tls(endpoint: TlsEndpoint, factory: IProtocolFactory) -> IProtocolFactory:
    """The factory behind TLS with the endpoint's key and certificate.

    Raises:
        ListenError: a file cannot be read or holds no such thing.
    """
    try:
        pem = endpoint.private_key.read_bytes() + b"\n" + endpoint.certificate.read_bytes()
        certificate = ssl.PrivateCertificate.loadPEM(pem)
        wrapped: IProtocolFactory = TLSMemoryBIOFactory(certificate.options(), False, factory)
    except (OSError, SSL.Error, ValueError) as error:
        raise ListenError(f"TLS on port {endpoint.port}: {error}") from error
    return wrapped
