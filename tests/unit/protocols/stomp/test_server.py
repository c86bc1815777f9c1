"""How a connection opens, what is refused on it, and in which order it answers."""

import pytest

from mqctl.protocols.stomp.codec import encode
from mqctl.protocols.stomp.requests import Connect
from mqctl.protocols.stomp.spec import Version
from tests.unit.protocols.stomp.pair import Pair, new_session

V1_0, V1_1, V1_2 = Version


@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
def test_connect_is_greeted(command):
    """STOMP 1.2, CONNECT or STOMP Frame: a server handles both alike."""
    pair = Pair(None)
    headers = {"accept-version": "1.1,1.2", "host": "/", "login": "me", "client-id": "c-1", "heart-beat": "0,0"}
    assert pair.say(command, headers) == [Connect(version=V1_2, client_id="c-1")]
    (greeting,) = pair.answers
    assert greeting.command == "CONNECTED"
    assert greeting.headers == {
        "version": "1.2",
        "session": "session-1",
        "server": "mqctl-hub/1",
        "heart-beat": "10000,10000",
    }
    assert pair.session.version is V1_2
    assert not pair.session.closing


def test_a_client_of_1_0_is_greeted_without_heart_beats():
    """They came with 1.1; what its header says is not read."""
    pair = Pair(None)
    assert pair.say("CONNECT", {"heart-beat": "nonsense"})[0].version is V1_0
    assert pair.answers[0].headers == {"version": "1.0", "session": "session-1", "server": "mqctl-hub/1"}


def test_no_common_version_is_refused_with_ours():
    """STOMP 1.2, Protocol Negotiation."""
    pair = Pair(None)
    assert pair.say("CONNECT", {"accept-version": "2.1"}) == []
    assert "no common version of STOMP: 2.1" in pair.error()
    assert pair.answers[-1].headers["version"] == "1.0,1.1,1.2"


def test_a_wrong_password_is_refused():
    pair = Pair(None)
    assert pair.say("CONNECT", {"login": "me", "passcode": "wrong"}) == []
    assert pair.error() == "wrong user or password"


def test_the_shell_may_refuse_a_connection():
    session = new_session()
    for _ in session.receive(b"CONNECT\naccept-version:1.2\n\n\0", 0):
        session.refuse(None, "too many connections")
    assert session.take_output() == b"ERROR\nmessage:too many connections\n\n\0"
    assert session.version is None


def test_a_heart_beat_header_that_is_none_is_refused():
    pair = Pair(None)
    pair.say("CONNECT", {"accept-version": "1.2", "heart-beat": "often"})
    assert "heart-beat" in pair.error()


@pytest.mark.parametrize("command", ["SEND", "DISCONNECT", "CONNECTED", "MESSAGE"])
def test_connect_comes_first(command):
    pair = Pair(None)
    assert pair.say(command, {"destination": "/topic/a"}) == []
    assert pair.error() == f"{command} before CONNECT"


def test_connect_comes_once():
    pair = Pair()
    assert pair.say("CONNECT", {"accept-version": "1.0"}) == []
    assert pair.error() == "CONNECT on a connection that is connected already"


@pytest.mark.parametrize(
    ("version", "command", "headers", "missing"),
    [
        (V1_2, "SEND", {}, "destination"),
        (V1_2, "SUBSCRIBE", {"id": "1"}, "destination"),
        (V1_2, "SUBSCRIBE", {"destination": "/topic/a"}, "id"),
        (V1_0, "SUBSCRIBE", {"id": "1"}, "destination"),
        (V1_2, "UNSUBSCRIBE", {"destination": "/topic/a"}, "id"),
        (V1_0, "UNSUBSCRIBE", {}, "destination"),
        (V1_2, "ACK", {"message-id": "1"}, "id"),
        (V1_1, "ACK", {"message-id": "1"}, "subscription"),
        (V1_1, "NACK", {"subscription": "1"}, "message-id"),
        (V1_0, "ACK", {}, "message-id"),
        (V1_2, "BEGIN", {}, "transaction"),
        (V1_2, "COMMIT", {}, "transaction"),
        (V1_2, "ABORT", {}, "transaction"),
    ],
)
def test_a_missing_header_is_named(version, command, headers, missing):
    pair = Pair(version)
    assert pair.say(command, headers) == []
    assert pair.error() == f"{command} needs the header '{missing}'"


@pytest.mark.parametrize(
    ("headers", "complaint"),
    [
        ({"selector": "a > 1"}, "this hub has no selectors"),
        ({"ack": "sometimes"}, "unknown ack mode 'sometimes'; there are auto, client, client-individual"),
        ({"prefetch-count": "0"}, "prefetch-count is at least 1"),
        ({"activemq.prefetchSize": "many"}, "activemq.prefetchSize is not a number: 'many'"),
        ({"prefetch-count": "9" * 19}, "prefetch-count is not a number"),
        ({"destination": "/topic/\x1b[2J"}, "control character in the destination '/topic/\\x1b[2J'"),
    ],
)
def test_a_subscription_that_cannot_be_had_is_refused_in_a_sentence(headers, complaint):
    pair = Pair()
    assert pair.say("SUBSCRIBE", {"id": "1", "destination": "/topic/a", **headers}) == []
    assert complaint in pair.error()


def test_a_destination_may_have_any_other_character():
    (request,) = Pair().say("SEND", {"destination": "/topic/대한\u3000민국"})
    assert request.destination == "/topic/대한\u3000민국"


def test_an_expiry_that_is_no_number_is_refused():
    pair = Pair()
    pair.say("SEND", {"destination": "/topic/a", "expires": "soon"})
    assert pair.error() == "expires is not a number: 'soon'"


def test_1_0_has_no_nack():
    pair = Pair(V1_0)
    pair.say("NACK", {"message-id": "1"})
    assert "STOMP 1.0 has no NACK" in pair.error()


@pytest.mark.parametrize("command", ["MESSAGE", "RECEIPT", "ERROR"])
def test_what_only_servers_say_is_refused(command):
    pair = Pair()
    pair.say(command)
    assert pair.error() == f"{command} is not for clients to send"


def test_an_unknown_command_is_named():
    pair = Pair()
    pair.say("FROB")
    assert pair.error() == "unknown command 'FROB'"


def test_only_send_has_a_body():
    """STOMP 1.2, Body; 1.0 does not say so."""
    pair = Pair()
    pair.say("ACK", {"id": "1"}, b"body")
    assert pair.error() == "ACK has a body"
    assert Pair(V1_0).say("ACK", {"message-id": "1"}, b"body")


def test_an_error_names_the_receipt_that_was_asked_for():
    """STOMP 1.2, ERROR."""
    pair = Pair()
    pair.say("ACK", {"receipt": "r:1"})
    assert pair.error()
    assert pair.answers[-1].headers["receipt-id"] == "r:1"


def test_what_came_before_an_error_is_answered_before_it():
    pair = Pair()
    good = encode("SEND", {"destination": "/topic/a", "receipt": "1"}, version=V1_2)
    assert len(pair.put(good + b"FROB\n\n\0" + good)) == 1
    assert [frame.command for frame in pair.answers] == ["RECEIPT", "ERROR"]


def test_nothing_is_taken_behind_a_refused_request():
    session = Pair().session
    requests = []
    for request in session.receive(encode("SEND", {"destination": "/topic/a", "receipt": "1"}, version=V1_2) * 2, 0):
        requests.append(request)
        session.refuse(request.receipt, "no such topic", "choose another\0one")
    assert len(requests) == 1
    head, _, body = session.take_output().partition(b"\n\n")
    assert head == b"ERROR\nmessage:no such topic\nreceipt-id:1\ncontent-type:text/plain\ncontent-length:18"
    assert body == b"choose another\0one\0"


def test_nothing_is_said_after_an_error():
    session = Pair().session
    session.refuse(None, "enough")
    session.refuse(None, "really")
    session.receipt("1")
    session.write(b"MESSAGE")
    session.tick(10**18)
    assert session.take_output() == b"ERROR\nmessage:enough\n\n\0"
    assert session.take_output() == b""
    assert session.close_reason == "enough"
    assert list(session.receive(b"SEND\ndestination:/topic/a\n\n\0", 0)) == []


def test_an_error_is_one_line_of_printable_text():
    """It ends up in terminals, and no version may be unable to carry it."""
    pair = Pair(V1_0)
    pair.session.refuse(None, "a\nb\0c\x1b[2J\ud800", "d\ud800")
    pair.take()
    assert pair.error() == "a b c [2J "
    assert pair.answers[-1].body == b"d?"


def test_messages_and_receipts_keep_their_order():
    session = Pair().session
    session.receipt("1")
    session.write(b"MESSAGE\n\n\0")
    session.receipt(None)
    session.receipt("2")
    assert session.take_output() == b"RECEIPT\nreceipt-id:1\n\n\0MESSAGE\n\n\0RECEIPT\nreceipt-id:2\n\n\0"
