"""Authorities of our own, and every certificate and list that one may issue: good, out of date, revoked, misused."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

DAY = timedelta(days=1)
NOW = datetime.now(UTC).replace(microsecond=0)
PAST, FUTURE = NOW - 30 * DAY, NOW + 30 * DAY
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class Leaf:
    """A certificate with its key and those above it, the authority at the top left out."""

    def __init__(self, certificate: x509.Certificate, key: Key, above: Sequence[x509.Certificate] = ()) -> None:
        self.certificate = certificate
        self.key = key
        self.above = above

    def write(self, folder: Path, name: str, *, password: str | None = None) -> tuple[Path, Path]:
        """The chain and the key as PEM, `NAME.pem` and `NAME.key`; with a password the key is encrypted."""
        chain, key = folder / f"{name}.pem", folder / f"{name}.key"
        chain.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.above)))
        sealed = BestAvailableEncryption(password.encode()) if password is not None else NoEncryption()
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))
        return chain, key


class Authority:
    """Signs certificates, and lists of those that it revoked; `parent` None is a root."""

    def __init__(self, name: str = "mqctl test authority", parent: Authority | None = None) -> None:
        self.parent = parent
        self.name = _name(name)
        self.key = _new_key()
        signer = parent or self
        self.certificate = (
            _builder(self.name, signer.name, self.key, PAST, FUTURE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_CA_USAGE, critical=True)
            .sign(signer.key, hashes.SHA256())
        )

    @cached_property
    def above(self) -> tuple[x509.Certificate, ...]:
        """What a server sends of the authorities above its own certificate."""
        return (self.certificate, *self.parent.above) if self.parent else ()

    def issue(
        self,
        *names: str,
        since: datetime = PAST,
        until: datetime = FUTURE,
        usage: x509.ObjectIdentifier = SERVER,
        rsa_bits: int | None = None,
    ) -> Leaf:
        """A certificate for hosts and addresses, or for a client."""
        key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else _new_key()
        certificate = (
            _builder(_name(names[0]), self.name, key, since, until)
            .add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return Leaf(certificate, key, self.above)

    def revoke(self, *leaves: Leaf, since: datetime = PAST, until: datetime = FUTURE) -> bytes:
        """A list of revoked certificates, as PEM."""
        listed = x509.CertificateRevocationListBuilder(self.name, since, until)
        for leaf in leaves:
            revoked = x509.RevokedCertificateBuilder(leaf.certificate.serial_number, since).build()
            listed = listed.add_revoked_certificate(revoked)
        return listed.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    @property
    def name_hash(self) -> str:
        """Under which name OpenSSL looks for it in a folder: its own name in small letters, without the outer tag."""
        (name,) = self.name
        inner = _name(str(name.value).lower()).public_bytes()[2:]
        return f"{int.from_bytes(hashlib.sha1(inner, usedforsecurity=False).digest()[:4], 'little'):08x}"

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(Encoding.PEM)


def self_signed(*names: str) -> Leaf:
    """A certificate that nobody vouches for."""
    key = _new_key()
    builder = _builder(_name(names[0]), _name(names[0]), key, PAST, FUTURE)
    alternative = x509.SubjectAlternativeName(list(map(_general, names)))
    return Leaf(builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256()), key)


def server_context(leaf: Leaf, folder: Path, *, clients: Authority | None = None) -> ssl.SSLContext:
    """The server's side of TLS; with `clients`, each client must show a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # A weak key is the client's to refuse.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(*leaf.write(folder, "server"))
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.pem.decode())
    return context


_CA_USAGE = x509.KeyUsage(
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


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(since, until - DAY))
        .not_valid_after(until)
    )
