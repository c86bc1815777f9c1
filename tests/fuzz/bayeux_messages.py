"""Throw mutated Bayeux messages at the server's side of the protocol: python -m tests.fuzz.bayeux_messages --help.

Exits 1 when anything but the documented error is raised, when a request is not answered, when a bystander's session
does not work any more, or when something is left of the sessions; prints what is needed to see it again.
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

QUEUE_ITEMS, SESSIONS = 50, 20
REQUESTS_PER_HOUSE = 500
CHANNELS = ["/meta/handshake", "/meta/connect", "/meta/disconnect", "/meta/subscribe", "/meta/unsubscribe", "/meta/x",
            "/a", "/a", "/a/b", "/a/*", "/**", "/service/x", "/a b<", "", "x"]  # fmt: skip
VALUES = [None, True, False, 0, -1, 10**30, 1.5, "", "x", "/a", [], ["/a", "/b/**"], [5], {}, {"a": []}, "\ud7ff", "\0"]
FIELDS = ["id", "clientId", "data", "subscription", "advice", "ext", "successful", "error", "version", "timestamp",
          "supportedConnectionTypes", "connectionType", "minimumVersion", "unknown"]  # fmt: skip
EXTS = [{"ack": True}, {"ack": 10**9}, {"timesync": {"tc": 1, "l": 0, "o": 0}}, {"binary": {}}, {"headers": {"a": 5}}]
ADVICES = [{"timeout": 0}, {"timeout": -5, "interval": 10**9}, {"interval": "x"}]


@dataclass
class Counters:
    """What a run did: enough to see that it reached the code behind the first check."""

    messages: int = 0
    requests: int = 0
    refused: int = 0
    failed: int = 0
    """Replies that are not successful."""
    done: int = 0


def message(chance: random.Random, client_id: str) -> dict[str, Any]:
    """Half of a message, which may even be a good one."""
    made: dict[str, Any] = {"channel": chance.choice(CHANNELS)} if chance.random() < 0.95 else {}
    if chance.random() < 0.9:
        made["clientId"] = client_id
    if chance.random() < 0.7:
        made["data"] = chance.choice(VALUES)
    for _ in range(chance.choice((0, 0, 0, 0, 1, 3))):
        made[chance.choice(FIELDS)] = chance.choice(VALUES)
    if chance.random() < 0.3:
        made["ext"] = chance.choice(EXTS)
    if chance.random() < 0.3:
        made["advice"] = chance.choice(ADVICES)
    if chance.random() < 0.5:
        made["subscription"] = chance.choice(["/a", ["/a", "/a/*"], "/**"])
    return made


def mutated(chance: random.Random, body: bytes) -> bytes:
    """Some bytes changed, cut out, or put in; or none."""
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        at = chance.randrange(len(body) + 1)
        noise = bytes(chance.choices(b'{}[]",:\\0ae\xff\x00', k=chance.randrange(3)))
        body = body[:at] + noise + body[at + chance.randrange(3) :]
    return body


def body_of(chance: random.Random, client_ids: list[str], count: int) -> bytes:
    """So many messages of these clients, as one request, perhaps spoiled."""
    return mutated(chance, json.encode([message(chance, chance.choice(client_ids)) for _ in range(count)]))


def run(messages: int, seed: int) -> Counters:
    """Try at least so many messages.

    Raises:
        Exception: Whatever the code under test raised, with a note that says for which input.
    """
    chance = random.Random(seed)
    counters = Counters()
    while counters.messages < messages:
        try_house(chance, counters, seed)
    return counters


def try_house(chance: random.Random, counters: Counters, seed: int) -> None:
    """Some hundred requests to one server, beside a bystander; nothing of it may be left."""
    house = House(queue_items=QUEUE_ITEMS, sessions_per_address=SESSIONS)
    bystander = Caller(house, socket=True).subscribe("/safe").connected()
    callers = [Caller(house, socket=chance.random() < 0.5) for _ in range(3)]
    for _ in range(REQUESTS_PER_HOUSE):
        caller = chance.choice(callers)
        if caller.client_id not in house.server.sessions and len(house.server.sessions) < SESSIONS:
            callers.remove(caller)
            caller = Caller(house, socket=chance.random() < 0.5)
            callers.append(caller)
        owners = [caller, caller, caller, chance.choice(callers)]
        count = chance.choice((1, 1, 1, 2, 5))
        body = body_of(chance, [str(each.client_id) for each in owners], count)
        try:
            try_request(house, caller, body, counters)
            house.sleep(chance.choice((0, 1, 5000)))
            look_after(house, bystander)
        except Exception as error:
            error.add_note(f"seed {seed}, message {counters.messages}, body {body!r}")
            raise
        counters.messages += count
        counters.requests += 1
    for session in list(house.server.sessions.values()):
        house.server.end(session, "over")
    assert house.budget.room == 1_000_000
    assert not house.server._by_owner
    assert not house.server._by_address


def try_request(house: House, caller: Caller, body: bytes, counters: Counters) -> None:
    """It is refused as a whole, or each of its messages answered."""
    try:
        messages = decode(body)
        answer = house.server.receive(messages, caller.link, house.now_ns, house.epoch_ms)
    except MessageError:
        counters.refused += 1
        return
    connects = sum(each.channel == "/meta/connect" for each in messages)
    assert len(messages) - connects <= len(answer.replies) <= len(messages)
    replies = decode(encode(answer.replies))
    assert all(reply.is_reply for reply in replies)
    failed = sum(reply.successful is False for reply in replies)
    counters.failed += failed
    counters.done += len(replies) - failed


def look_after(house: House, bystander: Caller) -> None:
    """Every session is within its bounds, and the bystander's works on."""
    for session in list(house.server.sessions.values()):
        if session is not bystander.session and not house.server.lapse(session, house.now_ns):
            session.poll(house.now_ns, pushed=False)
            assert session.waiting <= QUEUE_ITEMS
            assert session.next_deadline_ns() > 0
    assert len(house.server.sessions) <= SESSIONS
    house.send("/safe", b"1")
    assert [each.get("data") for each in bystander.poll() if "data" in each] == [1]


def main() -> int:
    """Run from the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    chosen = options.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    began_s = time.monotonic()
    try:
        counters = run(chosen.messages, chosen.seed)
    except Exception as error:
        print(*getattr(error, "__notes__", ()), f"{type(error).__name__}: {error}", sep="\n", file=sys.stderr)
        return 1
    print(f"{counters}, {counters.messages / (time.monotonic() - began_s):.0f} messages/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
