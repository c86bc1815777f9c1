"""Each way in which WebSocket is not agreed on, in a sentence with the next step."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import socket
import threading
import time
import zlib

import pytest

from mqctl.adapters.stomp import StompAdapter
from mqctl.errors import ConnectError, MqctlError, ProtocolError, RefusedError, TlsError
from mqctl.target import Endpoint
from tests.unit.adapters.fake import FakeBroker, target
from tests.unit.adapters.fake_web import PATIENCE_S

UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


def failure(*brokers: FakeBroker, **changes: object) -> MqctlError:
    with pytest.raises(MqctlError) as caught:
        StompAdapter().connect(target(*brokers, **{"scheme": "stomp+ws", **changes}), sink=lambda _events: None)
    return caught.value


def answered(greeting: bytes, **changes: object) -> MqctlError:
    with FakeBroker(greeting=greeting) as broker:
        return failure(broker, **changes)


def page(status: str, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 " + status.encode(), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class TestRefused:
    @pytest.mark.parametrize(
        ("status", "kind", "hint"),
        [
            ("400 Bad Request", RefusedError, "may not serve WebSocket"),
            ("401 Unauthorized", RefusedError, "credentials of its own"),
            ("403 Forbidden", RefusedError, "origins"),
            ("404 Not Found", RefusedError, "RabbitMQ and mqctl's hub serve /ws"),
            ("426 Upgrade Required", RefusedError, "version"),
            ("502 Bad Gateway", ConnectError, "not the broker behind it"),
            ("503 Service Unavailable", ConnectError, "not the broker behind it"),
            ("200 OK", ProtocolError, "port of WebSocket"),
        ],
    )
    def test_the_status_the_path_and_the_body_are_told(self, status, kind, hint):
        error = answered(page(status, b"because\nI say so"), path="/here")
        assert type(error) is kind
        assert str(error).endswith(f"refused WebSocket at /here: {status}: because I say so")
        assert hint in (error.hint or "")

    def test_of_a_web_page_only_its_words_are_told(self):
        html = b"<html>\n<head><title>Error 404</title></head><body><h2>No \x1b[31mway</h2>" + b"x" * 500
        told = str(answered(page("404 Not Found", html)))
        assert "404 Not Found: Error 404 No ?[31mway xxxx" in told
        assert len(told) < 330

    def test_what_of_a_page_is_not_for_its_readers_is_not_told(self):
        html = b"<style>b{color:red}</style><!-- <b> --><SCRIPT a>1<2</script >a &lt;b&gt; &amp; c<script>for(;"
        assert str(answered(page("404 No", html))).endswith("404 No: a <b> & c")

    @pytest.mark.parametrize(
        ("coding", "body", "told"),
        [
            (b"gzip", gzip.compress(b"not you", mtime=0), ": not you"),
            (b"Deflate", zlib.compress(b"not you"), ": not you"),
            (b"gzip", gzip.compress(b"not you" * 10_000, mtime=0), ": " + ("not you" * 30)[:200]),
            (b"gzip", b"not you", ""),
            (b"br", b"\x8b\x03\x80not you\x03", ""),
        ],
    )
    def test_a_compressed_body_is_read_or_not_told(self, coding, body, told):
        assert str(answered(page("403 No", body, b"Content-Encoding: " + coding))).endswith(f"403 No{told}")

    def test_a_body_in_chunks_is_read_too(self):
        chunked = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        assert str(answered(chunked)).endswith("403 Forbidden: abc")

    @pytest.mark.parametrize("length", [b"0", b"17", b"99999999"])
    def test_a_body_that_does_not_come_takes_no_long_time(self, length):
        before = time.monotonic()
        told = str(
            answered(b"HTTP/1.1 403 Forbidden\r\nContent-Length: " + length + b"\r\n\r\n", connect_timeout_s=0.3)
        )
        assert told.endswith("403 Forbidden")
        assert time.monotonic() - before < PATIENCE_S

    def test_a_body_without_a_length_is_not_waited_for_until_the_end(self):
        before = time.monotonic()
        assert str(answered(b"HTTP/1.1 403 Forbidden\r\n\r\n", connect_timeout_s=30.0)).endswith("403 Forbidden")
        assert time.monotonic() - before < 10

    def test_an_answer_without_an_end_is_given_up(self):
        """After 64 KiB, not at the end of the time."""
        before = time.monotonic()
        assert type(answered(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, connect_timeout_s=30.0)) is ProtocolError
        assert time.monotonic() - before < 10

    def test_a_redirect_is_told_and_not_followed(self):
        with FakeBroker() as elsewhere:
            location = f"Location: ws://{elsewhere.endpoint}/ws".encode()
            error = answered(page("302 Found", b"", location))
            assert elsewhere.accepted == 0
        assert type(error) is RefusedError
        assert f"302 Found, go to 'ws://{elsewhere.endpoint}/ws'" in str(error)
        assert "redirects are not followed" in (error.hint or "")

    def test_a_gateway_without_a_broker_leaves_the_next_endpoint_its_turn(self):
        with FakeBroker(greeting=page("503 Service Unavailable")) as down, FakeBroker(greeting=page("403 No")) as other:
            assert type(failure(down, other)) is RefusedError
            assert other.accepted == 1


class TestWrongAnswers:
    def test_an_upgrade_that_answers_another_key_is_none(self):
        error = answered(UPGRADE + b"Sec-WebSocket-Accept: bm90aGluZw==\r\n\r\n")
        assert type(error) is ProtocolError
        assert "answered the WebSocket handshake wrongly" in str(error)

    @pytest.mark.parametrize(
        ("header", "chosen"),
        [
            (b"Sec-WebSocket-Protocol: mqtt", "sub-protocol 'mqtt'"),
            (b"Sec-WebSocket-Extensions: permessage-deflate", "extension 'permessage-deflate'"),
        ],
    )
    def test_what_was_not_offered_is_refused(self, header, chosen):
        """Something else than STOMP would be spoken, or in a way that we do not read (RFC 6455, 4.1)."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = Endpoint(*listener.getsockname())

            def agree_to_it() -> None:
                sock, _ = listener.accept()
                with sock:
                    key = re.search(rb"Sec-WebSocket-Key: (\S+)", sock.recv(65536))[1]
                    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
                    accept = base64.b64encode(digest)
                    sock.sendall(UPGRADE + b"Sec-WebSocket-Accept: " + accept + b"\r\n" + header + b"\r\n\r\n")
                    sock.recv(65536)

            thread = threading.Thread(target=agree_to_it)
            thread.start()
            error = failure(endpoints=(endpoint,))
            thread.join()
        assert type(error) is ProtocolError
        assert f"chose the WebSocket {chosen}, which was not offered" in str(error)

    @pytest.mark.parametrize(
        ("greeting", "kind", "words", "hint"),
        [
            (b"ERROR\nmessage:what?\n\n\0", ProtocolError, "speaks STOMP without WebSocket", "use the scheme stomp"),
            (b"\x15\x03\x01\x00\x02\x02\x46", TlsError, "speaks TLS", "use the scheme stomp+wss"),
            (b"SSH-2.0-OpenSSH\r\n", ProtocolError, "it says 'SSH-2.0-OpenSSH", ""),
            (b"\x20\x02\x00\x01", ProtocolError, r"it says ' \x02\x00\x01'", ""),
            (b"HTTP/1.1 soon\r\n\r\n", ProtocolError, "does not speak HTTP", ""),
            (b"x" * 100_000, ProtocolError, "does not speak HTTP", ""),
        ],
    )
    def test_what_speaks_no_http_is_named(self, greeting, kind, words, hint):
        error = answered(greeting, connect_timeout_s=0.5)
        assert type(error) is kind
        assert words in str(error)
        assert hint in (error.hint or "")


class TestNoAnswer:
    def test_a_silent_peer_costs_no_more_than_the_connect_timeout(self):
        before = time.monotonic()
        error = answered(b"", connect_timeout_s=0.2)
        assert time.monotonic() - before < 2
        assert type(error) is ConnectError
        assert "did not answer in time" in str(error)
        assert "stomp+wss" in (error.hint or "")

    def test_one_who_drips_does_not_either(self):
        """Each byte comes in time, and all of them would not."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            over = threading.Event()

            def drip() -> None:
                sock, _ = listener.accept()
                with sock:
                    while not over.wait(0.05):
                        sock.sendall(b"H")

            thread = threading.Thread(target=drip)
            thread.start()
            before = time.monotonic()
            failure(endpoints=(Endpoint(*listener.getsockname()),), connect_timeout_s=0.3)
            assert time.monotonic() - before < 2
            over.set()
            thread.join()

    def test_hanging_up_without_a_word_hints_at_tls(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def hang_up() -> None:
                listener.accept()[0].close()

            thread = threading.Thread(target=hang_up)
            thread.start()
            error = failure(endpoints=(Endpoint(*listener.getsockname()),))
            thread.join()
        assert type(error) is ConnectError
        assert "hung up without an answer" in str(error)
        assert "stomp+wss" in (error.hint or "")

    def test_a_refused_port_hints_at_the_ports_of_web_socket(self):
        with FakeBroker() as broker:
            gone = broker.endpoint
        error = failure(endpoints=(gone,))
        assert type(error) is ConnectError
        assert isinstance(error.__cause__, ConnectionRefusedError)
        assert "15674" in (error.hint or "")
