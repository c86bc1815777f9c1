"""What OpenSSL says, in sentences; what a certificate says is quoted with care."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from mqctl.adapters import tls_failure
from mqctl.adapters.tls_failure import handshake_error
from mqctl.target import Endpoint

PEER = Endpoint("broker.example", 61614)


def ssl_error(reason: str | None, kind: type[ssl.SSLError] = ssl.SSLError) -> ssl.SSLError:
    error = kind(1, "words of OpenSSL")
    error.reason = reason  # type: ignore[assignment]  # OpenSSL does not always give one
    return error


def not_trusted(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "words of OpenSSL"
    return error


def certificate(**changes: Any) -> dict[str, Any]:
    """As the module ssl tells it."""
    return {
        "subject": ((("commonName", "old.example"),),),
        "issuer": ((("organizationName", "Firm"),), (("commonName", "Firm CA"),)),
        "subjectAltName": (("DNS", "a.example"), ("IP Address", "10.0.0.1"), ("email", "x@y")),
        "notBefore": "Jan  2 03:04:00 2020 GMT",
        "notAfter": "Feb  3 04:05:00 2021 GMT",
        **changes,
    }


class TestSentences:
    @pytest.mark.parametrize("code", [*tls_failure._VERDICTS, 999])
    def test_each_verdict_names_the_peer_and_the_next_step(self, code):
        """Though nobody could look at the certificate."""
        error = handshake_error(PEER, not_trusted(code))
        assert str(PEER) in str(error)
        assert error.hint
        assert "{" not in f"{error}{error.hint}"

    @pytest.mark.parametrize("reason", tls_failure._REASONS)
    @pytest.mark.parametrize("prefix", ["", "SSLV3_ALERT_", "TLSV1_ALERT_", "TLSV13_ALERT_", "TLSV1_"])
    def test_each_alert_names_the_peer_and_the_next_step(self, prefix, reason):
        error = handshake_error(PEER, ssl_error(prefix + reason))
        assert str(error).startswith(f"{PEER} ended the TLS handshake: {tls_failure._REASONS[reason][0]}")
        assert error.hint

    def test_an_alert_that_nobody_expects_is_repeated(self):
        error = handshake_error(PEER, ssl_error("TLSV1_ALERT_INTERNAL_ERROR"))
        assert str(error) == f"{PEER} ended the TLS handshake: internal error"

    def test_openssl_may_be_at_a_loss_for_words(self):
        assert "words of OpenSSL" in str(handshake_error(PEER, ssl_error(None)))

    @pytest.mark.parametrize("error", [ConnectionResetError(), EOFError(), ssl_error(None, ssl.SSLEOFError)])
    def test_hanging_up_has_two_usual_causes(self, error):
        said = handshake_error(PEER, error)
        assert str(said) == f"{PEER} hung up during the TLS handshake"
        assert "client certificate" in (said.hint or "")
        assert "+ssl" in (said.hint or "")

    def test_anything_else_speaks_for_itself(self):
        assert str(handshake_error(PEER, OSError("odd"))) == f"TLS with {PEER} failed: odd"

    def test_a_connection_that_was_open_is_told_why_it_ended(self):
        assert tls_failure.closing_words(ssl_error("TLSV13_ALERT_CERTIFICATE_REQUIRED")).endswith(
            "it wants a client certificate"
        )


class TestReading:
    def test_names_issuer_and_dates(self):
        shown = tls_failure._read(certificate())
        assert shown.names == "a.example, 10.0.0.1"
        assert shown.issuer == "'Firm CA'"
        assert shown.until == "expired on 2021-02-03 04:05 UTC"

    def test_the_date_of_one_to_come(self):
        assert tls_failure._read(certificate(notBefore="Jan  2 03:04:00 2200 GMT")).since == (
            "is valid from 2200-01-02 03:04 UTC only"
        )

    def test_dates_that_are_right_are_not_blamed(self):
        """Then it is one above it that has expired, or is not valid yet."""
        shown = tls_failure._read(certificate(notAfter="Jan  2 03:04:00 2200 GMT"))
        assert (shown.since, shown.until) == (
            "has one above it that is not valid yet",
            "has one above it that has expired",
        )

    def test_the_common_name_where_there_is_no_other(self):
        assert tls_failure._read(certificate(subjectAltName=())).names == "old.example"

    def test_no_name_at_all(self):
        assert tls_failure._read(certificate(subjectAltName=(), subject=())).names == "another host"

    def test_an_issuer_without_a_common_name(self):
        assert tls_failure._read(certificate(issuer=((("organizationName", "Firm"),),))).issuer == "'Firm'"
        assert tls_failure._read(certificate(issuer=())).issuer == "an authority"

    def test_many_names_are_counted(self):
        names = tuple(("DNS", f"{n}.example") for n in range(7))
        assert tls_failure._read(certificate(subjectAltName=names)).names.endswith("4.example and 2 more")

    def test_what_could_move_the_cursor_is_not_printed(self):
        names = (("DNS", "\x1b[2Jevil\n\u202e.example"), ("DNS", "x" * 500))
        first, second = tls_failure._read(certificate(subjectAltName=names)).names.split(", ")
        assert first == "?[2Jevil??.example"
        assert second == "x" * tls_failure.TEXT_MAX + "…"


class TestLooking:
    def test_a_peer_that_is_gone_leaves_plain_words(self):
        def gone() -> None:
            raise ConnectionRefusedError

        error = handshake_error(PEER, not_trusted(62), gone)  # type: ignore[arg-type]
        assert str(error) == f"the certificate of {PEER} is for another host, not for broker.example"
