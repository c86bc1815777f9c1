"""The server's side of one STOMP connection: bytes and times in, requests and bytes out. No IO."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from mqctl.protocols.stomp.codec import encode, receipt
from mqctl.protocols.stomp.frame import Frame, FrameError
from mqctl.protocols.stomp.heartbeat import Pulse, agree, read_heart_beat
from mqctl.protocols.stomp.parser import FrameParser
from mqctl.protocols.stomp.requests import (
    Commit,
    Connect,
    Disconnect,
    Request,
    Transactable,
    needed,
    read_ack,
    read_nack,
    read_send,
    read_subscribe,
    read_unsubscribe,
)
from mqctl.protocols.stomp.spec import ALL_VERSIONS, Command, Header, Limits, Version, negotiate
from mqctl.protocols.stomp.transactions import Transactions

Authenticate = Callable[[str | None, str | None], bool]
"""Whether `login` and `passcode` are right."""

_NS_PER_S: Final = 1_000_000_000
_OPENERS: Final = (Command.CONNECT, Command.STOMP)


class ServerSession:
    """One client's connection, from its first byte to its last.

    The shell feeds what it reads to `receive`, acts on each request before it takes the next, answers with `receipt` or
    `refuse`, hands messages to `write`, then sends `take_output` and closes when `closing` is set. It calls `tick` at
    `next_deadline_ns`.

    Args:
        limits: What is refused, with an ERROR that names the limit.
        server_name: The `server` header of CONNECTED.
        session_id: The `session` header of CONNECTED.
        heart_beat_ms: What we can send and want to receive; 0 is never.
        authenticate: Decides on CONNECT.
        now_ns: The time, of any clock that does not go back.
        wrap: What the transport wants round a frame or heart-beat; those handed to `write` have it already.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        server_name: str,
        session_id: str,
        heart_beat_ms: tuple[int, int],
        authenticate: Authenticate,
        now_ns: int,
        wrap: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self.version: Version | None = None
        """None until the client is connected."""
        self.close_reason: str | None = None
        """Why the connection is to be closed, when it is."""
        self._limits = limits
        self._greeting = {Header.SESSION: session_id, Header.SERVER: server_name}
        self._heart_beat_ms = heart_beat_ms
        self._authenticate = authenticate
        self._wrap = wrap
        self._parser = FrameParser(limits)
        self._transactions = Transactions(limits)
        self._pulse = Pulse(now_ns, now_ns)
        self._connect_by_ns = now_ns + int(limits.connect_timeout_s * _NS_PER_S)
        self._frame_by_ns: int | None = None
        self._frame_step_at = 0
        self._output: list[bytes] = []
        self._mute = False

    @property
    def closing(self) -> bool:
        """Whether to close the connection once the output is written."""
        return self.close_reason is not None

    @property
    def refused(self) -> bool:
        """Whether the last word was ERROR."""
        return self._mute

    def receive(self, data: bytes, now_ns: int) -> Iterator[Request]:
        """Take what the client sent; hand out what it asks, one by one.

        What the client does wrong never raises: an ERROR joins the output, `closing` is set and the requests end. They
        also end when one of them is refused. The iterator is to be exhausted.
        """
        if self.closing:
            return
        self._pulse.read_ns = now_ns
        failure: FrameError | None = None
        try:
            frames = self._parser.feed(data)
        except FrameError as error:
            frames, failure = error.frames, error
        self._time_frame(now_ns, completed=bool(frames))
        for frame in frames:
            request = self._decide(frame)
            if request is not None:
                yield request
                if isinstance(request, Connect | Disconnect):
                    self._conclude(request)
            if self.close_reason is not None:
                return
        if failure is not None:
            self._fail(str(failure))

    def receipt(self, receipt_id: str | None) -> None:
        """Tell the client that its request has taken effect, if it asked to be told."""
        if receipt_id is not None:
            self._say(receipt(receipt_id, self._spoken))

    def refuse(self, receipt_id: str | None, message: str, detail: str = "") -> None:
        """Answer a request with ERROR, after which the connection is closed (STOMP 1.2, ERROR)."""
        self._fail(message, detail, receipt_id=receipt_id)

    def write(self, data: bytes) -> None:
        """Put encoded MESSAGE frames into the output, in their place among the receipts."""
        if not self._mute:
            self._output.append(data)

    def take_output(self) -> bytes:
        """What is to be written now."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def wrote(self, now_ns: int) -> None:
        """Bytes were handed to the network; a heart-beat can wait."""
        self._pulse.wrote_ns = now_ns

    def heard(self, now_ns: int) -> None:
        """Count the client as alive: it is we who did not listen."""
        self._pulse.read_ns = now_ns
        if self._frame_by_ns is not None:
            self._await_step(now_ns)

    def next_deadline_ns(self) -> int | None:
        """When to call `tick`, if ever."""
        if self.closing:
            return None
        connect_by_ns = self._connect_by_ns if self.version is None else None
        times = (connect_by_ns, self._frame_by_ns, self._pulse.late_ns, self._pulse.due_ns)
        return min((time for time in times if time is not None), default=None)

    def tick(self, now_ns: int) -> None:
        """Let time pass: send a heart-beat that is due, give up a client that is late."""
        pulse, limits = self._pulse, self._limits
        if self.closing:
            return
        if self.version is None and now_ns >= self._connect_by_ns:
            self._fail(f"no CONNECT within {limits.connect_timeout_s:g} s (limit: connect-timeout)")
        elif self._frame_by_ns is not None and now_ns >= self._frame_by_ns:
            self._fail(
                f"an unfinished frame grew by less than {limits.frame_step_bytes} bytes "
                f"in {limits.frame_timeout_s:g} s (limit: frame-timeout)"
            )
        elif pulse.late_ns is not None and now_ns >= pulse.late_ns:
            self._fail(
                f"nothing came in {(now_ns - pulse.read_ns) // 1_000_000} ms; heart-beats were agreed "
                f"every {pulse.expect_every_ms} ms"
            )
        elif pulse.due_ns is not None and now_ns >= pulse.due_ns:
            self._say(b"\n")
            pulse.wrote_ns = now_ns

    def _say(self, frame: bytes) -> None:
        self.write(self._wrap(frame))

    @property
    def _spoken(self) -> Version:
        """The version of what we write. Before one is settled only what every version reads alike is written."""
        return self.version or Version.V1_0

    def _time_frame(self, now_ns: int, *, completed: bool) -> None:
        if not self._parser.unfinished_bytes:
            self._frame_by_ns = None
        elif completed or self._frame_by_ns is None or self._parser.unfinished_bytes >= self._frame_step_at:
            self._await_step(now_ns)

    def _await_step(self, now_ns: int) -> None:
        self._frame_by_ns = now_ns + int(self._limits.frame_timeout_s * _NS_PER_S)
        self._frame_step_at = self._parser.unfinished_bytes + self._limits.frame_step_bytes

    def _decide(self, frame: Frame) -> Request | None:
        """What the frame asks of the shell; errors and what concerns only this session are settled here."""
        try:
            if self.version is None:
                return self._connect(frame)
            handler = _HANDLERS.get(frame.command)
            if handler is None:
                raise FrameError(_misplaced(frame.command))
            if frame.body and frame.command != Command.SEND and self.version is not Version.V1_0:
                raise FrameError(f"{frame.command} has a body")  # "MUST NOT" (STOMP 1.2, Body)
            return handler(self, frame)
        except FrameError as error:
            self._fail(str(error), receipt_id=frame.headers.get(Header.RECEIPT))
            return None

    def _connect(self, frame: Frame) -> Connect | None:
        headers = frame.headers
        if frame.command not in _OPENERS:
            raise FrameError(f"{frame.command} before CONNECT")
        accepted = headers.get(Header.ACCEPT_VERSION)
        version = negotiate(accepted)
        if version is None:
            self._fail(f"no common version of STOMP: {accepted}", headers={Header.VERSION: ALL_VERSIONS})
            return None
        ours, theirs = self._heart_beat_ms, (0, 0)
        if version is not Version.V1_0:  # heart-beats came with 1.1
            theirs = read_heart_beat(headers.get(Header.HEART_BEAT))
        if not self._authenticate(headers.get(Header.LOGIN), headers.get(Header.PASSCODE)):
            raise FrameError("wrong user or password")
        self._pulse.send_every_ms, self._pulse.expect_every_ms = agree(ours, theirs)
        return Connect(version=version, client_id=headers.get(Header.CLIENT_ID))

    def _conclude(self, request: Connect | Disconnect) -> None:
        """Do what follows a request that was not refused."""
        if self.closing:
            return
        if isinstance(request, Disconnect):
            self.close_reason = "the client disconnected"
            return
        self.version = request.version
        headers = {Header.VERSION: request.version.value, **self._greeting}
        if self.version is not Version.V1_0:
            headers[Header.HEART_BEAT] = "{},{}".format(*self._heart_beat_ms)
        self._say(encode(Command.CONNECTED, headers, version=self.version))

    def _send(self, frame: Frame) -> Request | None:
        return self._now_or_at_commit(frame, read_send(frame))

    def _ack(self, frame: Frame) -> Request | None:
        return self._now_or_at_commit(frame, read_ack(frame, self._spoken))

    def _nack(self, frame: Frame) -> Request | None:
        return self._now_or_at_commit(frame, read_nack(frame, self._spoken))

    def _now_or_at_commit(self, frame: Frame, request: Transactable) -> Transactable | None:
        transaction = frame.headers.get(Header.TRANSACTION)
        if transaction is None:
            return request
        self._transactions.hold(transaction, request)
        self.receipt(request.receipt)
        return None

    def _subscribe(self, frame: Frame) -> Request:
        return read_subscribe(frame, self._spoken)

    def _unsubscribe(self, frame: Frame) -> Request:
        return read_unsubscribe(frame, self._spoken)

    def _begin(self, frame: Frame) -> None:
        self._transactions.begin(needed(frame, Header.TRANSACTION))
        self.receipt(frame.headers.get(Header.RECEIPT))

    def _commit(self, frame: Frame) -> Request:
        requests = self._transactions.end(needed(frame, Header.TRANSACTION))
        return Commit(requests=requests, receipt=frame.headers.get(Header.RECEIPT))

    def _abort(self, frame: Frame) -> None:
        self._transactions.end(needed(frame, Header.TRANSACTION))
        self.receipt(frame.headers.get(Header.RECEIPT))

    def _disconnect(self, frame: Frame) -> Request:
        return Disconnect(receipt=frame.headers.get(Header.RECEIPT))

    def _fail(
        self,
        message: str,
        detail: str = "",
        *,
        receipt_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say ERROR, and nothing after it."""
        if self._mute:
            return
        self.close_reason = _one_line(message)
        error = {Header.MESSAGE: self.close_reason, **(headers or {})}
        if receipt_id is not None:
            error[Header.RECEIPT_ID] = receipt_id
        if detail:
            error[Header.CONTENT_TYPE] = "text/plain"
        self._say(encode(Command.ERROR, error, detail.encode(errors="replace"), version=self._spoken))
        self._mute = True


_HANDLERS: Final[Mapping[str, Callable[[ServerSession, Frame], Request | None]]] = {
    Command.SEND: ServerSession._send,
    Command.SUBSCRIBE: ServerSession._subscribe,
    Command.UNSUBSCRIBE: ServerSession._unsubscribe,
    Command.ACK: ServerSession._ack,
    Command.NACK: ServerSession._nack,
    Command.BEGIN: ServerSession._begin,
    Command.COMMIT: ServerSession._commit,
    Command.ABORT: ServerSession._abort,
    Command.DISCONNECT: ServerSession._disconnect,
}
"""What a connected client may say."""


def _misplaced(command: str) -> str:
    if command in _OPENERS:
        return f"{command} on a connection that is connected already"
    return f"{command} is not for clients to send"


def _one_line(text: str) -> str:
    """Fit for a header of any version and for a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
