"""A client joined to a server's session by a fake link."""

from dataclasses import dataclass, field

from mqctl.protocols.stomp.codec import Frame, FrameParser, encode
from mqctl.protocols.stomp.requests import Request
from mqctl.protocols.stomp.server import ServerSession
from mqctl.protocols.stomp.spec import Limits, Version

SECOND = 1_000_000_000


def new_session(*, limits=Limits(), heart_beat_ms=(10_000, 10_000), now_ns=0):  # noqa: B008 - Limits is frozen
    return ServerSession(
        limits=limits,
        server_name="mqctl-hub/1",
        session_id="session-1",
        heart_beat_ms=heart_beat_ms,
        authenticate=lambda login, passcode: passcode != "wrong",
        now_ns=now_ns,
    )


@dataclass
class Pair:
    """What the client says goes to the session at once, and what the session answers is parsed as the client would."""

    version: Version | None = Version.V1_2
    session: ServerSession = field(default_factory=new_session)
    now_ns: int = 0
    requests: list[Request] = field(default_factory=list)
    answers: list[Frame] = field(default_factory=list)

    def __post_init__(self):
        self.client = FrameParser()
        if self.version is not None:
            self.say("CONNECT", {"accept-version": self.version.value})
            self.requests.clear()
            self.answers.clear()

    def say(self, command, headers=None, body=b""):
        """Send a frame; return what the session makes of it for the shell."""
        return self.put(encode(command, headers or {}, body, version=self.version or Version.V1_0))

    def put(self, data):
        """Send raw bytes; give a receipt for every request that wants one."""
        requests = []
        for request in self.session.receive(data, self.now_ns):
            requests.append(request)
            self.session.receipt(getattr(request, "receipt", None))
        self.requests += requests
        self.take()
        return requests

    def take(self):
        self.answers += self.client.feed(self.session.take_output())

    def error(self):
        """The `message` of the ERROR that came last, after which nothing may come."""
        assert self.answers, "no answer"
        assert self.answers[-1].command == "ERROR"
        assert self.session.closing
        assert self.session.close_reason == self.answers[-1].headers["message"]
        assert self.session.next_deadline_ns() is None
        return self.answers[-1].headers["message"]
