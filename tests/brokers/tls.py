"""Certificates for one throwaway broker, in the two forms that brokers read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12
from cryptography.x509 import load_pem_x509_certificate

STORE_PASSWORD = "throwaway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Paths: the authority to trust, the server's chain and key as PEM, both as PKCS #12 for Java."""

    ca_file: Path
    cert_file: Path
    key_file: Path
    store_file: Path


def write_certificates(folder: Path) -> Certificates:
    """Make an authority and a certificate for localhost and 127.0.0.1 in `folder`."""
    authority = trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1")
    files = Certificates(
        ca_file=folder / "ca.pem",
        cert_file=folder / "server.pem",
        key_file=folder / "server.key",
        store_file=folder / "server.p12",
    )
    authority.cert_pem.write_to_path(files.ca_file)
    server.private_key_pem.write_to_path(files.key_file)
    for number, part in enumerate(server.cert_chain_pems):
        part.write_to_path(files.cert_file, append=number > 0)
    files.store_file.write_bytes(_pkcs12(server))
    return files


def _pkcs12(server: trustme.LeafCert) -> bytes:
    certificates = [load_pem_x509_certificate(part.bytes()) for part in server.cert_chain_pems]
    return pkcs12.serialize_key_and_certificates(
        b"server",
        load_pem_private_key(server.private_key_pem.bytes(), None),  # type: ignore[arg-type]  # trustme makes EC keys
        certificates[0],
        certificates[1:],
        BestAvailableEncryption(STORE_PASSWORD.encode()),
    )
