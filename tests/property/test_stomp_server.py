"""What holds for the server's session whatever the client, the shell and the clock do."""

import random

from hypothesis import given
from hypothesis import strategies as st

from mqctl.protocols.stomp.codec import FrameParser, encode
from mqctl.protocols.stomp.frame import Frame
from mqctl.protocols.stomp.requests import Ack, Commit, Connect, Disconnect, Nack, Send, Subscribe, Unsubscribe
from mqctl.protocols.stomp.server import ServerSession
from mqctl.protocols.stomp.spec import OPENING, ORDINARY, Limits, Version

NAMES = [
    *("accept-version", "destination", "id", "receipt", "transaction", "message-id", "subscription", "ack", "selector"),
    *("prefetch-count", "expires", "heart-beat", "passcode", "content-length", "activemq.subscriptionName", "x"),
]
VALUES = [
    "1.0,1.1,1.2",
    "1.1",
    "1.0",
    "/topic/a",
    "1",
    "2",
    "t",
    "auto",
    "client",
    "10,10",
    "0,0",
    "no",
    "",
    "a\nb:c\\",
]
LIMITS = Limits(frame_bytes=200, headers=5, header_line_bytes=60, transactions=2, transaction_bytes=900)

sentences = st.builds(
    Frame,
    st.sampled_from(sorted(ORDINARY | OPENING)),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=6),
    st.sampled_from([b"", b"body", b"\0", b"x" * 150]),
)
likely = st.builds(
    Frame,
    st.sampled_from(["SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT"]),
    st.fixed_dictionaries(
        {"destination": st.just("/topic/a"), "id": st.sampled_from("12345")},
        optional={"receipt": st.just("r"), "transaction": st.sampled_from("tuv")},
    ),
)
WELCOME = b"CONNECT\naccept-version:1.0,1.1,1.2\nheart-beat:10,10\n\n\0"
REQUESTS = Connect | Send | Subscribe | Unsubscribe | Ack | Nack | Commit | Disconnect


def encoded(frame):
    """The bytes of a frame; bodies do not always come with their length, nor headers with their escapes."""
    lines = "".join(f"{name}:{value}\n" for name, value in frame.headers.items())
    return f"{frame.command}\n{lines}\n".encode() + frame.body + b"\0"


chunks = st.binary(max_size=30) | (sentences | likely).map(encoded) | st.sampled_from([WELCOME, b"\n", b"SEND\nde"])


class Conversation:
    """A shell that does anything a shell may do, and checks what comes out."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now_ns = 0
        self.reader = FrameParser()
        self.said = []
        self.session = ServerSession(
            limits=LIMITS,
            server_name="hub",
            session_id="1",
            heart_beat_ms=(10, 10),
            authenticate=lambda login, passcode: passcode != "no",
            now_ns=0,
        )

    def hear(self, data):
        for request in self.session.receive(data, self.now_ns):
            assert isinstance(request, REQUESTS)
            if self.random.random() < 0.1:
                self.session.refuse(getattr(request, "receipt", None), "a\nb", "detail")
            else:
                self.session.receipt(getattr(request, "receipt", None))
        self.listen()

    def wait(self, milliseconds):
        self.now_ns += milliseconds * 1_000_000
        self.session.tick(self.now_ns)
        self.listen()
        due_ns = self.session.next_deadline_ns()
        assert due_ns is None or due_ns > self.now_ns, "a tick leaves nothing undone"

    def listen(self):
        closed = bool(self.said) and self.said[-1].command == "ERROR"
        output = self.session.take_output()
        assert not (closed and output), "nothing follows an ERROR"
        self.said += self.reader.feed(output)
        assert not self.reader.unfinished_bytes


@given(seed=st.integers(0, 99), steps=st.lists(chunks | st.integers(0, 40_000), max_size=12), greeted=st.booleans())
def test_whatever_comes_the_session_answers_with_frames_and_never_raises(seed, steps, greeted):
    """What it says is STOMP, an ERROR is the last of it, and it always says why it closes."""
    conversation = Conversation(seed)
    for step in [WELCOME, *steps] if greeted else steps:
        if isinstance(step, int):
            conversation.wait(step)
        else:
            conversation.hear(step)
    session, said = conversation.session, conversation.said
    assert session.closing == (session.close_reason is not None)
    assert [frame.command for frame in said[:-1]].count("ERROR") == 0
    if said and said[-1].command == "ERROR":
        assert session.close_reason == said[-1].headers["message"]


@given(frames=st.lists(likely, max_size=12), version=st.sampled_from(list(Version)), size=st.integers(1, 50))
def test_how_the_requests_are_cut_does_not_matter(frames, version, size):
    data = f"CONNECT\naccept-version:{version}\n\n\0".encode()
    data += b"".join(encode(frame.command, frame.headers, frame.body, version=version) for frame in frames)
    outcomes = []
    for step in (len(data), size):
        conversation = Conversation(0)
        session = conversation.session
        requests = [request for at in range(0, len(data), step) for request in session.receive(data[at : at + step], 0)]
        outcomes.append((requests, session.take_output(), session.close_reason))
    assert outcomes[0] == outcomes[1]
