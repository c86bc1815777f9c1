"""Throw mutated STOMP frames at the parser and at the server's session: python -m tests.fuzz.stomp_frames --help.

Exits 1 when anything but the documented error is raised, when more is held than the limit of a frame allows, or when a
session's answer is no STOMP; prints what is needed to see it again.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mqctl.protocols.stomp.codec import FrameError, FrameParser, encode
from mqctl.protocols.stomp.server import ServerSession
from mqctl.protocols.stomp.spec import Limits, Version

LIMITS = Limits(frame_bytes=4096, headers=20, header_line_bytes=512, transactions=3)
FRAMES_PER_STREAM = 8
ESCAPED = {"destination": "/topic/a", "x:y": "a:b\\c\nd", "receipt": "1"}


@dataclass
class Counters:
    """What a run did: enough to see that it reached the code behind the first check."""

    frames: int = 0
    parsed: int = 0
    refused: int = 0
    requests: int = 0


def samples(version: Version) -> list[bytes]:
    """Good frames of every kind."""
    sentences: list[tuple[str, dict[str, str], bytes]] = [
        ("SEND", {"destination": "/topic/a", "receipt": "1", "expires": "1700000000000"}, b"hello"),
        ("SEND", {"destination": "/topic/a", "transaction": "t"}, b"a\0b" * 20),
        ("SUBSCRIBE", {"id": "1", "destination": "/queue/a", "ack": "client", "prefetch-count": "5"}, b""),
        ("UNSUBSCRIBE", {"id": "1", "destination": "/queue/a"}, b""),
        ("ACK", {"id": "1", "message-id": "1", "subscription": "1"}, b""),
        ("NACK", {"id": "1", "message-id": "1", "subscription": "1"}, b""),
        ("BEGIN", {"transaction": "t"}, b""),
        ("COMMIT", {"transaction": "t", "receipt": "2"}, b""),
        ("ABORT", {"transaction": "t"}, b""),
        ("MESSAGE", {"message-id": "1", "subscription": "1", "destination": "/topic/a"}, bytes(range(256))),
        ("DISCONNECT", {"receipt": "3"}, b""),
    ]
    if version is not Version.V1_0:
        sentences.append(("SEND", ESCAPED, b"x" * 300))
    plain = [encode(*sentence, version=version) for sentence in sentences]
    return [*plain, plain[0].replace(b"\n", b"\r\n"), b"SEND\ndestination:/topic/a\n\ntext\0", b"\n\r\n"]


def flip(data: bytes, chance: random.Random) -> bytes:
    """Change one bit."""
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def truncate(data: bytes, chance: random.Random) -> bytes:
    """Lose the end."""
    return data[: chance.randrange(len(data))]


def duplicate(data: bytes, chance: random.Random) -> bytes:
    """Say a part twice, or often."""
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end] * chance.choice((1, 1, 1, 30)) + data[end:]


def splice(data: bytes, chance: random.Random) -> bytes:
    """Put a header, or what looks like one, where it does not belong."""
    line = chance.choice(
        (b"a:b\n", b"id:2\n", b"no colon\n", b":\n", b"\\t:\\\n", b"h:" + b"x" * 600 + b"\n", b"\n", b"\0")
    )
    at = chance.choice((data.find(b"\n") + 1, chance.randrange(len(data) + 1)))
    return data[:at] + line * chance.choice((1, 1, 25)) + data[at:]


def lie_about_length(data: bytes, chance: random.Random) -> bytes:
    """Claim another size."""
    length = chance.choice((b"0", b"1", b"4095", b"99999999", b"9" * 40, b"-1", b"1e3", b"", b"0" * 30))
    at = data.find(b"\n") + 1
    return data[:at] + b"content-length:" + length + b"\n" + data[at:]


def overwrite(data: bytes, chance: random.Random) -> bytes:
    """Write noise over a part."""
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(chance.randrange(1, 8)) + data[at + 4 :]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip,
    truncate,
    duplicate,
    splice,
    lie_about_length,
    overwrite,
)


def streams(chance: random.Random, version: Version) -> Iterator[list[bytes]]:
    """Endless streams of frames, the last few of each mutated: a failed connection says nothing about what follows."""
    good = samples(version)
    while True:
        frames = chance.choices(good, k=FRAMES_PER_STREAM)
        for at in range(chance.randrange(FRAMES_PER_STREAM), FRAMES_PER_STREAM):
            for _ in range(chance.choice((0, 1, 1, 2))):
                frames[at] = chance.choice(MUTATIONS)(frames[at] or b"\n", chance)
        yield frames


def pieces(frames: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """The stream as the network may deliver it."""
    data = b"".join(frames)
    most = chance.choice((1, 16, 200, len(data) + 1)) if len(data) < 3000 else len(data) + 1
    at = 0
    while at < len(data):
        size = chance.randint(1, most)
        yield data[at : at + size]
        at += size


def try_parser(data: list[bytes], version: Version, counters: Counters) -> None:
    """Only FrameError may come out, and little may stay in."""
    parser = FrameParser(LIMITS, version=version)
    try:
        for piece in data:
            counters.parsed += len(parser.feed(piece))
            held = parser.unfinished_bytes
            assert held <= LIMITS.frame_bytes + len(piece), f"the parser holds {held} bytes"
    except FrameError:
        counters.refused += 1


def try_session(data: list[bytes], version: Version, counters: Counters) -> None:
    """Nothing may come out but requests and STOMP."""
    session = ServerSession(
        limits=LIMITS,
        server_name="fuzz",
        session_id="1",
        heart_beat_ms=(10, 10),
        authenticate=lambda login, passcode: True,
        now_ns=0,
    )
    reader = FrameParser()
    for piece in [b"CONNECT\naccept-version:%b\n\n\0" % version.encode(), *data]:
        for request in session.receive(piece, 1):
            counters.requests += 1
            session.receipt(getattr(request, "receipt", None))
        reader.feed(session.take_output())
    assert session.closing == (session.close_reason is not None)
    assert not reader.unfinished_bytes, "the session's answer ends within a frame"


def run(frames: int, seed: int) -> Counters:
    """Try at least so many frames.

    Raises:
        Exception: Whatever the code under test raised, with a note that says for which input.
    """
    chance = random.Random(seed)
    sources = {version: streams(chance, version) for version in Version}
    counters = Counters()
    while counters.frames < frames:
        version = chance.choice(list(Version))
        data = list(pieces(next(sources[version]), chance))
        try:
            try_parser(data, version, counters)
            try_session(data, version, counters)
        except Exception as error:
            error.add_note(f"seed {seed}, STOMP {version}, frame {counters.frames}, pieces {data!r}")
            raise
        counters.frames += FRAMES_PER_STREAM
    return counters


def main() -> int:
    """Run from the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--frames", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    chosen = options.parse_args()
    print(f"seed {chosen.seed}")
    began_s = time.monotonic()
    try:
        counters = run(chosen.frames, chosen.seed)
    except Exception as error:
        print(*error.__notes__, f"{type(error).__name__}: {error}", sep="\n", file=sys.stderr)
        return 1
    print(f"{counters}, {counters.frames / (time.monotonic() - began_s):.0f} frames/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
