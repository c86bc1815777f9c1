"""What a client does between BEGIN and COMMIT."""

from mqctl.protocols.stomp.requests import Ack, Commit, Nack, Send
from mqctl.protocols.stomp.spec import Version
from tests.unit.protocols.stomp.pair import Pair

V1_0, V1_1, V1_2 = Version


def send(destination="/topic/a", headers=(), body=b"", receipt=None, *, persistent=False, expires_at_ms=None):
    return Send(destination, headers, body, receipt, persistent, expires_at_ms)


def test_a_transaction_is_held_until_its_commit():
    """STOMP 1.2, BEGIN, COMMIT. Each receipt is given when the frame has had its effect."""
    pair = Pair()
    assert pair.say("BEGIN", {"transaction": "t", "receipt": "1"}) == []
    assert pair.say("SEND", {"destination": "/topic/a", "transaction": "t", "receipt": "2"}, b"x") == []
    assert pair.say("ACK", {"id": "1", "transaction": "t"}) == []
    assert pair.say("NACK", {"id": "2", "transaction": "t"}) == []
    assert pair.say("SEND", {"destination": "/topic/b"}) == [send("/topic/b")]
    held = (send(body=b"x", receipt="2"), Ack("1", None, None), Nack("2", None, None))
    assert pair.say("COMMIT", {"transaction": "t", "receipt": "3"}) == [Commit(requests=held, receipt="3")]
    assert [frame.headers["receipt-id"] for frame in pair.answers] == ["1", "2", "3"]


def test_an_aborted_transaction_is_forgotten():
    """STOMP 1.2, ABORT."""
    pair = Pair()
    pair.say("BEGIN", {"transaction": "t"})
    pair.say("SEND", {"destination": "/topic/a", "transaction": "t"})
    assert pair.say("ABORT", {"transaction": "t", "receipt": "1"}) == []
    assert pair.answers[-1].headers == {"receipt-id": "1"}
    pair.say("COMMIT", {"transaction": "t"})
    assert pair.error() == "no transaction 't'; BEGIN comes first"


def test_a_transaction_begins_once():
    pair = Pair()
    for _ in range(2):
        pair.say("BEGIN", {"transaction": "t"})
    assert pair.error() == "transaction 't' has begun already"


def test_a_frame_of_no_transaction_is_refused():
    pair = Pair()
    assert pair.say("SEND", {"destination": "/topic/a", "transaction": "t"}) == []
    assert pair.error() == "no transaction 't'; BEGIN comes first"


def test_two_transactions_are_apart():
    pair = Pair()
    for name in "ab":
        pair.say("BEGIN", {"transaction": name})
        pair.say("SEND", {"destination": f"/topic/{name}", "transaction": name})
    for name in "ba":
        assert pair.say("COMMIT", {"transaction": name}) == [Commit(requests=(send(f"/topic/{name}"),), receipt=None)]
