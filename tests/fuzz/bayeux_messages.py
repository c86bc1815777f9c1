"""Throw mutated messages at the server's side of Bayeux: python -m tests.fuzz.bayeux_messages --help.

Exits 1 when a request is neither refused as a whole nor answered message by message, when a bystander misses anything,
when more waits for a session than its bound, or when what is held is not all let go of; prints what is needed to see it
again.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import dataclass
from typing import Any

from msgspec import json

from mqctl.protocols.bayeux.message import MessageError, decode, encode
from tests.unit.protocols.bayeux.house import Caller, House

QUEUE_MAX, SESSIONS_MAX, ROOM = 50, 20, 1_000_000
REQUESTS = 200
"""Of a house."""
CHANNELS = ["/meta/handshake", "/meta/connect", "/meta/disconnect", "/meta/subscribe", "/meta/unsubscribe", "/meta/x",
            "/a", "/a/b", "/a/*", "/**", "/service/x", "/a b<", "", "x", None, 5]  # fmt: skip
VALUES = [None, True, False, 0, -1, 10**30, 1.5, "", "x", "/a", [], ["/a", "/b/**"], [5], {}, {"a": []}, "\ud7ff", "\0"]
FIELDS = ["id", "clientId", "data", "subscription", "advice", "ext", "successful", "error", "version", "timestamp",
          "supportedConnectionTypes", "connectionType", "minimumVersion", "unknown"]  # fmt: skip
EXTS = [{"ack": True}, {"ack": 10**9}, {"timesync": {"tc": 1, "l": 0, "o": 0}}, {"binary": {}}, {"headers": {"a": 5}},
        {"metaConnectDeliverOnly": True}]  # fmt: skip
ADVICES = [{"timeout": 0}, {"timeout": -5, "interval": 10**9}, {"interval": "x"}]


@dataclass
class Counters:
    """What a run did: enough to see that it reached the code behind the first check."""

    requests: int = 0
    refused: int = 0
    messages: int = 0
    successful: int = 0


def run(messages: int, seed: int) -> Counters:
    """Send at least that many messages; a house, with its sessions, serves some hundreds of requests.

    Raises:
        AssertionError: What this is for was found.
    """
    rng = random.Random(seed)
    counters = Counters()
    while counters.messages < messages:
        _visit(rng, counters)
    return counters


def _visit(rng: random.Random, counters: Counters) -> None:
    house = House(queue_items=QUEUE_MAX, sessions_per_address=SESSIONS_MAX, room=ROOM)
    bystander = Caller(house, socket=True).subscribe("/safe").connected()
    callers = [Caller(house, socket=rng.random() < 0.5) for _ in range(3)]
    for _ in range(REQUESTS):
        at = rng.randrange(len(callers))
        if callers[at].client_id not in house.server.sessions:
            callers[at] = Caller(house, socket=rng.random() < 0.5)
        whose = callers[at] if rng.random() < 0.8 else rng.choice(callers)
        _ask(house, callers[at], _request(rng, whose.client_id), counters)
        house.sleep(5000 if rng.random() < 0.02 else rng.choice((0, 1)))
        for session in list(house.server.sessions.values()):
            if session is not bystander.session and not house.server.lapse(session, house.now_ns):
                session.poll(house.now_ns, pushed=False)
                assert session.waiting <= QUEUE_MAX
                assert session.next_deadline_ns() > 0
        assert len(house.server.sessions) <= SESSIONS_MAX
        house.send("/safe", b"1")
        assert [each.get("data") for each in bystander.poll() if "data" in each] == [1]
    for session in list(house.server.sessions.values()):
        house.server.end(session, "over")
    assert house.budget.room == ROOM
    assert not house.server._by_owner
    assert not house.server._by_address


def _ask(house: House, caller: Caller, body: bytes, counters: Counters) -> None:
    counters.requests += 1
    try:
        messages = decode(body)
        channels = [message.channel for message in messages]
        answer = house.server.receive(messages, caller.link, house.now_ns, house.epoch_ms)
    except MessageError:
        counters.refused += 1
        return
    counters.messages += len(messages)
    counters.successful += sum(reply.successful is True for reply in answer.replies)
    assert len(messages) - channels.count("/meta/connect") <= len(answer.replies) <= len(messages)
    assert all(reply.is_reply for reply in decode(encode(answer.replies)))


def _request(rng: random.Random, client_id: str | None) -> bytes:
    return _mutated(rng, json.encode([_message(rng, client_id) for _ in range(rng.choice((1, 1, 1, 2, 5)))]))


def _message(rng: random.Random, client_id: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {"channel": rng.choice(CHANNELS)} if rng.random() < 0.95 else {}
    if rng.random() < 0.8:
        made["clientId"] = client_id
    for _ in range(rng.choice((0, 0, 0, 0, 1, 2))):
        made[rng.choice(FIELDS)] = rng.choice(VALUES)
    if rng.random() < 0.3:
        made["ext"] = rng.choice(EXTS)
    if rng.random() < 0.3:
        made["advice"] = rng.choice(ADVICES)
    if rng.random() < 0.5:
        made["subscription"] = rng.choice(["/a", ["/a", "/a/*"], "/**"])
    return made


def _mutated(rng: random.Random, body: bytes) -> bytes:
    """Some bytes changed, cut out, or put in."""
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        at = rng.randrange(len(body) + 1)
        body = (
            body[:at] + bytes(rng.choices(b'{}[]",:\\0ae\xff\x00', k=rng.randrange(3))) + body[at + rng.randrange(3) :]
        )
    return body


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    began_s = time.monotonic()
    counters = run(options.messages, seed)
    print(f"{counters} in {time.monotonic() - began_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
