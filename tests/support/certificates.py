"""Authorities, certificates and keys of a test's own, as PEM files."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


class Authority:
    """Issues certificates.

    Args:
        above: who signs its own certificate; None for a root.
    """

    def __init__(self, name: str, above: Authority | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        signer = above or self
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        self._certificate = (
            _begun(self._name, signer._name, self._key.public_key(), signer._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(signer._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self._certificate.public_bytes(Encoding.PEM)

    def issue(self, names: Sequence[str], password: bytes | None = None) -> tuple[bytes, bytes]:
        """A certificate and its key, both PEM.

        Args:
            names: DNS names and addresses of the subject.
            password: what the key is encrypted with.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        certificate = (
            _begun(_named(names[0]), self._name, key.public_key(), self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(alternatives, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        encryption: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
        return (
            certificate.public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption),
        )


class TlsFiles:
    """A service's certificate and key, and a client's folder as the docker command has it.

    Attributes:
        client: has `ca.pem`, `cert.pem` and `key.pem`.
    """

    def __init__(self, folder: Path, names: Sequence[str] = ("localhost", "127.0.0.1")) -> None:
        authority = Authority("tests")
        self.certificate, self.key, self.client = folder / "certificate", folder / "key", folder / "client"
        self.client.mkdir()
        _write(self.certificate, self.key, authority.issue(names))
        _write(self.client / "cert.pem", self.client / "key.pem", authority.issue(["client"]))
        (self.client / "ca.pem").write_bytes(authority.pem)

    @property
    def endpoint(self) -> str:
        """For `--listen`, on a free port."""
        return f"ssl:0:privateKey={self.key}:certKey={self.certificate}"


def _write(certificate: Path, key: Path, issued: tuple[bytes, bytes]) -> None:
    certificate.write_bytes(issued[0])
    key.write_bytes(issued[1])


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, above: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
    )
