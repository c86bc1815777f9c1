"""The server's side of Bayeux against whatever bytes come: it answers or refuses, and forgets nobody."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from mqctl.protocols.bayeux.house import Link
from mqctl.protocols.bayeux.message import MessageError, decode, encode
from tests.unit.protocols.bayeux.house import Caller, House

CHANNELS = ["/meta/handshake", "/meta/connect", "/meta/disconnect", "/meta/subscribe", "/meta/unsubscribe", "/meta/x",
            "/a", "/a/b", "/a/*", "/**", "/service/x", "/a b<", "", "x", None, 5]  # fmt: skip
VALUES = [None, True, False, 0, -1, 10**30, 1.5, "", "x", "/a", [], ["/a", "/b/**"], [5], {}, {"a": []}, "\ud7ff", "\0"]
FIELDS = ["id", "clientId", "data", "subscription", "advice", "ext", "successful", "error", "version", "timestamp",
          "supportedConnectionTypes", "connectionType", "minimumVersion", "unknown"]  # fmt: skip
EXTS = [{"ack": True}, {"ack": 10**9}, {"timesync": {"tc": 1, "l": 0, "o": 0}}, {"binary": {}}, {"headers": {"a": 5}}]
ADVICES = [{"timeout": 0}, {"timeout": -5, "interval": 10**9}, {"interval": "x"}]


def message(rng: random.Random, client_id: str) -> dict:
    made = {"channel": rng.choice(CHANNELS)} if rng.random() < 0.95 else {}
    if rng.random() < 0.8:
        made["clientId"] = client_id
    for _ in range(rng.randrange(4)):
        made[rng.choice(FIELDS)] = rng.choice(VALUES)
    if rng.random() < 0.3:
        made["ext"] = rng.choice(EXTS)
    if rng.random() < 0.3:
        made["advice"] = rng.choice(ADVICES)
    if rng.random() < 0.5:
        made["subscription"] = rng.choice(["/a", ["/a", "/a/*"], "/**"])
    return made


def mutated(rng: random.Random, body: bytes) -> bytes:
    """Some bytes changed, cut out, or put in."""
    for _ in range(rng.randrange(3)):
        at = rng.randrange(len(body) + 1)
        body = (
            body[:at] + bytes(rng.choices(b'{}[]",:\\0ae\xff\x00', k=rng.randrange(3))) + body[at + rng.randrange(3) :]
        )
    return body


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes(seed):
    """Every request is refused as a whole or each of its messages answered; a bystander's session works on."""
    rng = random.Random(seed)
    house = House(queue_items=50, sessions_per_address=20)
    bystander = Caller(house, socket=True).subscribe("/safe").connected()
    callers = [Caller(house, socket=rng.random() < 0.5) for _ in range(3)]
    for _ in range(500):
        caller = rng.choice(callers)
        requests = [message(rng, rng.choice(callers).client_id) for _ in range(rng.choice((1, 1, 1, 2, 5)))]
        body = mutated(rng, json.encode(requests))
        try:
            messages = decode(body)
            answer = house.server.receive(messages, caller.link, house.now_ns, house.epoch_ms)
        except MessageError:
            continue
        connects = sum(each.channel == "/meta/connect" for each in messages)
        assert len(messages) - connects <= len(answer.replies) <= len(messages)
        assert all(reply.is_reply for reply in decode(encode(answer.replies)))
        house.sleep(rng.choice((0, 1, 5000)))
        for session in list(house.server.sessions.values()):
            if session is not bystander.session and not house.server.lapse(session, house.now_ns):
                session.poll(house.now_ns, pushed=False)
                assert session.waiting <= 50
                assert session.next_deadline_ns() > 0
        assert len(house.server.sessions) <= 20
        house.send("/safe", b"1")
        assert [each.get("data") for each in bystander.poll() if "data" in each] == [1]
    for session in list(house.server.sessions.values()):
        house.server.end(session, "over")
    assert house.budget.room == 1_000_000
    assert not house.server._by_owner
    assert not house.server._by_address


@given(st.binary(max_size=200))
def test_bytes_that_are_nothing(body):
    house = House()
    try:
        house.server.receive(decode(body), Link(address="a"), 0, 0)
    except MessageError:
        assert not house.server.sessions
