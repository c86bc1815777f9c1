"""What TLS says of a broker: its version, its cipher, whom the certificate names and until when it is good."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from mqctl.adapters import tls
from mqctl.probe.findings import Finding, Outcome
from mqctl.target import Target, is_encrypted

QUESTION = "encryption"


def encryption(target: Target) -> Finding:
    """Look at the certificate of the first endpoint that answers, on a connection of its own."""
    if not is_encrypted(target.scheme):
        return Finding(QUESTION, Outcome.NO, f"{target.scheme}:// is not encrypted: passwords go in the clear")
    context = tls.context(target.tls)
    failure: OSError = OSError("no endpoint")
    for host, port in target.endpoints:
        try:
            with (
                socket.create_connection((host, port), target.connect_timeout_s) as sock,
                context.wrap_socket(sock, server_hostname=host) as secured,
            ):
                return _seen(secured)
        except OSError as error:
            failure = error
    return Finding(QUESTION, Outcome.UNCLEAR, f"no look at the certificate: {failure}")


def _seen(secured: ssl.SSLSocket) -> Finding:
    version, cipher = secured.version() or "?", (secured.cipher() or ("?",))[0]
    certificate: dict[str, Any] = secured.getpeercert() or {}
    numbers = {"version": version, "cipher": cipher}
    if not certificate:
        return Finding(QUESTION, Outcome.PARTLY, f"{version}, {cipher}; the certificate is not checked", numbers)
    names = ", ".join(name for _, name in certificate.get("subjectAltName", ())) or "nobody"
    until, issuer = certificate.get("notAfter", "?"), _common_name(certificate.get("issuer", ()))
    seen = f"{version}, {cipher}; certificate for {names}, signed by {issuer}, good until {until}"
    return Finding(QUESTION, Outcome.YES, seen, numbers | {"names": names, "issuer": issuer, "until": until})


def _common_name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """The most telling of a distinguished name's parts: its common name, else its organisation."""
    said = {key: value for part in parts for key, value in part}
    return said.get("commonName") or said.get("organizationName") or "?"
