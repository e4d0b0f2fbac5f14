"""TLS in memory: where what a client sends ends, and where it is only cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import BufferingTLSTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from apiserver.daemon.endpoints import TlsEndpoint
from apiserver.daemon.sockets import ListenError
from apiserver.daemon.tls import TRANSPORT_NAMES, HalfClosingTLS, certified_names, over_tls
from tests.support.certificates import Authority, TlsFiles

# Twisted still hands OpenSSL's Python module objects of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")


class Whole(Protocol):
    """Has no half-close."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.heard.append(reason.type)


@implementer(IHalfCloseableProtocol)
class Half(Whole):
    def readConnectionLost(self) -> None:
        self.heard.append("end")

    def writeConnectionLost(self) -> None:
        raise AssertionError("TLS does not tell")


class Client:
    """The other end, which speaks TLS by hand.

    Args:
        offers: protocols in its hello.

    Attributes:
        heard: what the service's protocol was told, in order.
    """

    def __init__(self, files: TlsFiles, protocol: Whole, offers: Sequence[bytes] = ()) -> None:
        factory: Any = over_tls(TlsEndpoint(0, files.key, files.certificate), Factory.forProtocol(lambda: protocol))
        self.protocol = protocol
        self.heard = protocol.heard
        self.wire: Any = StringTransport()
        self.server = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        self.server.makeConnection(self.wire)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_verify(SSL.VERIFY_PEER)
        context.load_verify_locations(str(files.client / "ca.pem"))
        if offers:
            context.set_alpn_protos(list(offers))
        self.tls = SSL.Connection(context)
        self.tls.set_connect_state()
        while True:
            try:
                self.tls.do_handshake()
            except SSL.WantReadError:
                self.exchange()
            else:
                break
        self.exchange()

    def exchange(self) -> None:
        """Carry what either has for the other."""
        if sent := self.outgoing():
            self.server.dataReceived(sent)
        received = self.wire.value()
        self.wire.clear()
        if received:
            self.tls.bio_write(received)

    def outgoing(self) -> bytes:
        try:
            return bytes(self.tls.bio_read(2**16))
        except SSL.WantReadError:
            return b""

    def read(self) -> bytes:
        self.exchange()
        return bytes(self.tls.recv(100))

    def tcp_ends(self) -> None:
        self.server.connectionLost(Failure(ConnectionDone()))


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return TlsFiles(tmp_path)


def test_a_client_that_has_said_close_notify_still_reads(files: TlsFiles) -> None:
    client = Client(files, Half())
    client.tls.send(b"all")
    client.tls.shutdown()
    client.exchange()
    assert client.heard == [b"all", "end"]
    assert not client.wire.disconnecting
    client.server.write(b"answer")
    client.server._aggregator.flush()
    assert client.read() == b"answer"
    client.server.loseConnection()
    with pytest.raises(SSL.ZeroReturnError):
        client.read()
    assert client.wire.disconnecting
    client.tcp_ends()
    assert client.heard == [b"all", "end", ConnectionDone]


def test_nothing_is_read_behind_a_close_notify(files: TlsFiles) -> None:
    client = Client(files, Half())
    client.tls.send(b"all")
    before = client.outgoing()
    client.tls.shutdown()
    client.server.dataReceived(before + client.outgoing() + before)
    client.server.dataReceived(before)
    client.server.dataReceived(b"no TLS at all" * 1000)
    assert client.heard == [b"all", "end"]
    assert not client.wire.disconnecting
    client.tcp_ends()
    assert client.heard == [b"all", "end", ConnectionDone]


def test_a_connection_that_is_cut_off_is_lost_and_did_not_end(files: TlsFiles) -> None:
    client = Client(files, Half())
    client.tls.send(b"a part")
    client.exchange()
    client.tcp_ends()
    assert client.heard == [b"a part", ConnectionLost]


def test_a_close_notify_that_nobody_can_vouch_for_is_none(files: TlsFiles) -> None:
    client = Client(files, Half())
    client.tls.send(b"a part")
    client.exchange()
    client.server.dataReceived(bytes.fromhex("15 03 03 00 02 01 00"))  # as anybody on the way could make it
    assert client.wire.disconnecting
    client.tcp_ends()
    first, lost = client.heard
    assert (first, issubclass(lost, SSL.Error)) == (b"a part", True)  # type: ignore[arg-type]


def test_the_clients_answer_to_our_close_notify_ends_the_connection(files: TlsFiles) -> None:
    client = Client(files, Half())
    client.server.loseConnection()
    assert not client.wire.disconnecting
    client.exchange()
    client.tls.shutdown()
    client.exchange()
    assert client.wire.disconnecting
    client.tcp_ends()
    assert client.heard == [ConnectionDone]


def test_a_protocol_without_half_close_is_ended_as_ever(files: TlsFiles) -> None:
    client = Client(files, Whole())
    client.tls.send(b"all")
    client.tls.shutdown()
    client.exchange()
    assert client.wire.disconnecting
    client.tcp_ends()
    assert client.heard == [b"all", ConnectionDone]


@pytest.mark.parametrize("offers", [[b"http/1.1"], [b"h2", b"http/1.1"], [b"http/1.1", b"h2"]])
def test_of_the_protocols_that_a_client_offers_http_1_1_is_taken(files: TlsFiles, offers: list[bytes]) -> None:
    assert Client(files, Half(), offers).tls.get_alpn_proto_negotiated() == b"http/1.1"


def test_a_client_that_offers_no_protocol_is_asked_for_none(files: TlsFiles) -> None:
    assert Client(files, Half()).tls.get_alpn_proto_negotiated() == b""


def test_the_certificates_above_its_own_are_sent_with_it(files: TlsFiles) -> None:
    root = Authority("root")
    upper = Authority("upper", root)
    lower = Authority("lower", upper)
    certificate, key = lower.issue(["localhost"])
    files.key.write_bytes(key)
    files.certificate.write_bytes(certificate + lower.pem + upper.pem)
    (files.client / "ca.pem").write_bytes(root.pem)
    sent = Client(files, Half()).tls.get_peer_cert_chain(as_cryptography=True)
    assert [each.subject.rfc4514_string() for each in sent or ()] == ["CN=localhost", "CN=lower", "CN=upper"]


def test_one_file_may_hold_key_and_certificates(files: TlsFiles) -> None:
    files.key.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    files.certificate = files.key
    assert len(Client(files, Half()).tls.get_peer_cert_chain() or ()) == 1


def of_another(files: TlsFiles) -> None:
    files.key.write_bytes(Authority("another").issue(["localhost"])[1])


def encrypted(files: TlsFiles) -> None:
    certificate, key = Authority("another").issue(["localhost"], password=b"secret")
    files.certificate.write_bytes(certificate)
    files.key.write_bytes(key)


def no_key(files: TlsFiles) -> None:
    files.key.write_bytes(files.certificate.read_bytes())


def nothing(files: TlsFiles) -> None:
    files.key.write_bytes(b"")


def no_certificate(files: TlsFiles) -> None:
    files.certificate.write_bytes(files.key.read_bytes())


def broken_certificate(files: TlsFiles) -> None:
    files.certificate.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def missing(files: TlsFiles) -> None:
    files.certificate.unlink()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (of_another, "the key in {key} and the certificate in {certificate}: key values mismatch"),
        (encrypted, "{key} holds no private key, or one with a passphrase"),
        (no_key, "{key} holds no private key, or one with a passphrase"),
        (nothing, "{key} holds no private key, or one with a passphrase"),
        (no_certificate, "{certificate} holds no certificate that can be read"),
        (broken_certificate, "{certificate} holds no certificate that can be read"),
        (missing, "No such file or directory: '{certificate}'"),
    ],
)
def test_files_that_will_not_do_are_one_line_that_names_them(
    files: TlsFiles, make: Callable[[TlsFiles], None], words: str
) -> None:
    make(files)
    with pytest.raises(ListenError) as caught:
        over_tls(TlsEndpoint(7, files.key, files.certificate), Factory())
    said = str(caught.value)
    assert said.startswith("TLS on port 7: ")
    assert words.format(key=files.key, certificate=files.certificate) in said
    assert "\n" not in said


def test_the_names_that_a_certificate_is_for_are_known(files: TlsFiles) -> None:
    def names(*of: str) -> frozenset[str]:
        files.certificate.write_bytes(Authority("another").issue(of)[0])
        return certified_names(TlsEndpoint(7, files.key, files.certificate))

    assert names("Engine.Example", "127.0.0.1", "*.of.example") == {"engine.example", "*.of.example"}
    assert names("::1") == frozenset()
    files.certificate.write_bytes(Authority("has none").pem)
    assert certified_names(TlsEndpoint(7, files.key, files.certificate)) == frozenset()
    no_certificate(files)
    with pytest.raises(ListenError, match=r"TLS on port 7: .* holds no certificate that can be read"):
        certified_names(TlsEndpoint(7, files.key, files.certificate))


@pytest.mark.parametrize("name", TRANSPORT_NAMES)
def test_twisteds_transport_has_what_ours_overrides_or_uses(files: TlsFiles, name: str) -> None:
    assert hasattr(BufferingTLSTransport, name) or name in vars(Client(files, Half()).server)


def test_the_list_names_all_that_is_used() -> None:
    code = [vars(HalfClosingTLS)[name].__code__ for name in ("dataReceived", "_flushReceiveBIO", "_end_input")]
    own = {"_input_ended", "_end_input"}
    used = {name for each in code for name in each.co_names if name.startswith("_")} - own
    assert used <= set(TRANSPORT_NAMES)


def test_a_transport_of_twisted_itself_takes_a_close_notify_for_both_directions(
    files: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While this holds ours is needed; and Twisted calls what ours overrides."""
    monkeypatch.delattr(HalfClosingTLS, "_flushReceiveBIO")
    client = Client(files, Half())
    client.tls.shutdown()
    client.exchange()
    assert client.wire.disconnecting
    client.tcp_ends()
    assert client.heard == [ConnectionDone]
