"""Workers on other machines: called, led and heard over the broker itself."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf

import msgspec

from mqctl.bench.letters import SILENCE_S, Call, Declined, Join, Letter, Places, Post, call_topic, opened, places_of
from mqctl.bench.messages import SCHEMA, Beat, End, FromWorker, Gone, Prepare, Ready, ToWorker, encode
from mqctl.bench.team import clock
from mqctl.durations import format_duration
from mqctl.errors import ConnectionLost, OperationTimeout, ProtocolError, UsageError
from mqctl.model import Topic

CALL_S = 0.5
"""How often workers are called until there are enough."""

_TAKEN = "another worker of that run has this name"
_FULL = "the run has workers enough"

_from_worker = msgspec.json.Decoder(FromWorker | Join)
_answer = msgspec.json.Decoder(ToWorker | Declined)


class RemoteCrew:
    """Processes on other machines. A `Crew`.

    Args:
        post: To the broker.
        control: Below this topic they speak.
        run: Its name.
    """

    end_s = 5.0

    def __init__(self, post: Post, control: Topic, run: str) -> None:
        self._post = post
        self._call = call_topic(control)
        self._places = places_of(control, run)
        self._run = run
        self._addresses: dict[str, str] = {}
        self._heard_at: dict[str, float] = {}
        self.clocks: dict[str, str] = {}

    def gather(self, count: int, timeout_s: float, remark: Callable[[str], None]) -> None:
        """Call workers until there are enough.

        Raises:
            OperationTimeout: There are too few.
            MqctlError: As `Post.listen` and `Post.receive`.
        """
        self._post.listen(self._places.up)
        deadline = time.monotonic() + timeout_s
        try:
            while len(self.clocks) < count:
                if time.monotonic() >= deadline:
                    raise OperationTimeout(
                        f"{len(self.clocks)} of {count} workers joined within {timeout_s:g} s",
                        hint="start each by: mqctl bench --join URL --as NAME",
                    )
                self._call_and_hear(count, remark)
        except BaseException:
            with suppress(ConnectionLost):
                for name in self.clocks:
                    self.tell(name, End())
            raise
        self._heard_at.clear()

    def _call_and_hear(self, count: int, remark: Callable[[str], None]) -> None:
        self._post.send(self._call, Call(self._run))
        for waiting in self.clocks:
            self.tell(waiting, Beat())
        for address, message in self._letters(CALL_S):
            name = self._name_of(address)
            match message:
                case Join() if name is None:
                    self._consider(address, message, count, remark)
                case Join() if name is not None:
                    self._heard_at[name] = time.monotonic()
                case Gone(text) if name is not None:
                    self._let_go(name, text, remark)
                case _:
                    pass
        for silent in self._silent(time.monotonic()):
            self._let_go(silent, _silence(silent), remark)

    def _consider(self, address: str, join: Join, count: int, remark: Callable[[str], None]) -> None:
        """Take a worker on, or say why not."""
        if join.name in self.clocks:
            self._decline(address, _TAKEN)
        elif len(self.clocks) >= count:
            self._decline(address, _FULL)
        else:
            self._addresses[join.name] = address
            self._heard_at[join.name] = time.monotonic()
            self.clocks[join.name] = join.clock
            remark(f"worker {join.name} joined, {count - len(self.clocks)} to come")
            self.tell(join.name, Beat())

    def _decline(self, address: str, text: str) -> None:
        self._post.send(self._places.down, Letter(address, msgspec.Raw(msgspec.json.encode(Declined(text)))))

    def _let_go(self, name: str, text: str, remark: Callable[[str], None]) -> None:
        del self._addresses[name], self._heard_at[name], self.clocks[name]
        remark(text)

    def tell(self, name: str, message: ToWorker) -> None:
        """See `Crew.tell`."""
        self._post.send(self._places.down, Letter(self._addresses[name], msgspec.Raw(encode(message))))

    def hear(self, timeout_s: float) -> list[tuple[str, FromWorker]]:
        """See `Crew.hear`."""
        now = time.monotonic()
        heard: list[tuple[str, FromWorker]] = []
        for address, message in self._letters(timeout_s):
            name = self._name_of(address)
            if name is None:
                self._decline(address, _FULL)
            elif not isinstance(message, Join):
                heard.append((name, message))
                if name in self._heard_at or isinstance(message, Ready):
                    self._heard_at[name] = now
        for name in self._silent(now):
            del self._heard_at[name]
            heard.append((name, Gone(_silence(name))))
        return heard

    def _name_of(self, address: str) -> str | None:
        return next((name for name, own in self._addresses.items() if own == address), None)

    def _silent(self, now: float) -> list[str]:
        return [name for name, at in self._heard_at.items() if now - at > SILENCE_S]

    def _letters(self, timeout_s: float) -> list[tuple[str, FromWorker | Join]]:
        letters = (letter for letter in self._post.receive(timeout_s) if isinstance(letter, Letter))
        return [(letter.address, message) for letter in letters for message in opened(_from_worker, letter.body)]


def _silence(name: str) -> str:
    return f"worker {name} has been silent for {SILENCE_S:g} s"


def join(post: Post, control: Topic, name: str, timeout_s: float | None = None) -> RemoteChannel:
    """Wait for a run that needs workers, and take part.

    Args:
        post: To the broker.
        control: Below this topic its leader calls.
        name: Of the worker.
        timeout_s: How long to wait; None is for ever.

    Raises:
        OperationTimeout: There was none.
        ProtocolError: The conductor is of another version.
        UsageError: Another worker has this name.
        MqctlError: As `Post.listen` and `Post.receive`.
    """
    deadline = inf if timeout_s is None else time.monotonic() + timeout_s
    post.listen(call_topic(control))
    declined: set[str] = set()
    while time.monotonic() < deadline:
        calls = [
            each for each in post.receive(min(CALL_S, max(0.0, deadline - time.monotonic()))) if isinstance(each, Call)
        ]
        call = next((each for each in calls if each.run not in declined), None)
        if call is not None:
            channel = _offered(post, control, name, call)
            if channel is not None:
                return channel
            declined.add(call.run)
    raise OperationTimeout(f"no run was called within {format_duration(timeout_s or 0.0)}")


def _offered(post: Post, control: Topic, name: str, call: Call) -> RemoteChannel | None:
    """Ask to be taken on; None where the run has enough, or is over."""
    if call.schema != SCHEMA:
        raise ProtocolError(
            f"the run {call.run} is led by another version of mqctl: schema {call.schema}, not {SCHEMA}",
            hint="use the same version of mqctl on all machines",
        )
    channel = RemoteChannel(post, name, call.run, places_of(control, call.run))
    post.listen(channel.places.down)
    return channel if channel.is_taken_on() else None


class RemoteChannel:
    """A worker's `Channel` to a conductor on another machine.

    Args:
        post: To the broker.
        name: Of the worker.
        run: Its name.
        places: Where those of the run speak.
    """

    def __init__(self, post: Post, name: str, run: str, places: Places) -> None:
        self.run = run
        self.places = places
        self._post = post
        self._name = name
        self._address = secrets.token_hex(8)
        self._waiting: deque[ToWorker] = deque()
        self._taken_on = self._has_work = False
        self._declined: str | None = None
        self._heard_at = time.monotonic()

    def is_taken_on(self) -> bool:
        """Ask to be, until there is an answer; no answer is a no.

        Raises:
            UsageError: Another worker has this name.
            ConnectionLost: The connection went away.
        """
        deadline = time.monotonic() + SILENCE_S
        while not self._taken_on and self._declined is None and time.monotonic() < deadline:
            self._ask()
            self._take_in(CALL_S)
        if self._declined == _TAKEN:
            raise UsageError(f"{_TAKEN}: {self._name}", hint="give each its own: --as NAME")
        return self._taken_on

    def _ask(self) -> None:
        self._write(Join(self._name, clock()))

    def send(self, message: FromWorker) -> None:
        """See `Channel.send`."""
        self._write(message)

    def _write(self, message: FromWorker | Join) -> None:
        self._post.send(self.places.up, Letter(self._address, msgspec.Raw(encode(message))))

    def receive(self, timeout_s: float) -> ToWorker | None:
        """See `Channel.receive`."""
        if not self._waiting:
            try:
                self._take_in(min(timeout_s, CALL_S))
            except ConnectionLost as error:
                raise EOFError(str(error)) from error
            if time.monotonic() - self._heard_at > SILENCE_S:
                raise EOFError(f"the conductor has been silent for {SILENCE_S:g} s")
        return self._waiting.popleft() if self._waiting else None

    def _take_in(self, timeout_s: float) -> None:
        letters = [each for each in self._post.receive(timeout_s) if isinstance(each, Letter)]
        mine = [each.body for each in letters if each.address == self._address]
        for message in (message for body in mine for message in opened(_answer, body)):
            self._heard_at = time.monotonic()
            match message:
                case Declined(text):
                    self._declined = text
                case Beat():
                    self._taken_on = True
                    if not self._has_work:
                        # So that the conductor knows that we still wait.
                        self._ask()
                case _:
                    self._taken_on = True
                    self._has_work = self._has_work or isinstance(message, Prepare)
                    self._waiting.append(message)
