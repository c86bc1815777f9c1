"""Workers on other machines: called, led and heard over the broker itself."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import msgspec

from mqctl.bench.letters import SILENCE_S, Call, Join, Letter, Places, Post, call_topic, places_of
from mqctl.bench.messages import SCHEMA, FromWorker, Gone, Ready, ToWorker, encode, to_worker
from mqctl.bench.team import clock
from mqctl.errors import ConnectionLost, OperationTimeout, ProtocolError
from mqctl.model import Topic

CALL_S = 0.5
"""How often workers are called until there are enough."""

_from_worker = msgspec.json.Decoder(FromWorker | Join)


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
        while len(self.clocks) < count:
            if time.monotonic() >= deadline:
                raise OperationTimeout(
                    f"{len(self.clocks)} of {count} workers joined within {timeout_s:g} s",
                    hint="start each by: mqctl bench --join URL --as NAME",
                )
            self._post.send(self._call, Call(self._run))
            for name, message in self._letters(CALL_S):
                if isinstance(message, Join) and name not in self.clocks and len(self.clocks) < count:
                    self.clocks[name] = message.clock
                    remark(f"worker {name} joined, {count - len(self.clocks)} to come")

    def tell(self, name: str, message: ToWorker) -> None:
        """See `Crew.tell`."""
        self._post.send(self._places.down, Letter(name, msgspec.Raw(encode(message))))

    def hear(self, timeout_s: float) -> list[tuple[str, FromWorker]]:
        """See `Crew.hear`."""
        now = time.monotonic()
        heard: list[tuple[str, FromWorker]] = []
        for name, message in self._letters(timeout_s):
            if name in self.clocks and not isinstance(message, Join):
                heard.append((name, message))
                if name in self._heard_at or isinstance(message, Ready):
                    self._heard_at[name] = now
        for name in [name for name, at in self._heard_at.items() if now - at > SILENCE_S]:
            del self._heard_at[name]
            heard.append((name, Gone(f"worker {name} has been silent for {SILENCE_S:g} s")))
        return heard

    def _letters(self, timeout_s: float) -> list[tuple[str, FromWorker | Join]]:
        letters = (letter for letter in self._post.receive(timeout_s) if isinstance(letter, Letter))
        return [(letter.worker, _from_worker.decode(letter.body)) for letter in letters]


def join(post: Post, control: Topic, name: str) -> RemoteChannel:
    """Wait for a run that needs workers, and offer this one.

    Raises:
        ProtocolError: The conductor is of another version.
        MqctlError: As `Post.listen` and `Post.receive`.
    """
    post.listen(call_topic(control))
    while not (calls := [each for each in post.receive(CALL_S) if isinstance(each, Call)]):
        pass
    call = calls[0]
    if call.schema != SCHEMA:
        raise ProtocolError(
            f"the run {call.run} is led by another version of mqctl: schema {call.schema}, not {SCHEMA}",
            hint="use the same version of mqctl on all machines",
        )
    channel = RemoteChannel(post, name, call.run, places_of(control, call.run))
    post.listen(channel.places.down)
    channel.offer()
    return channel


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
        self._waiting: deque[ToWorker] = deque()
        self._heard_at = time.monotonic()

    def offer(self) -> None:
        """Ask to be taken on."""
        self._write(Join(clock()))

    def send(self, message: FromWorker) -> None:
        """See `Channel.send`."""
        self._write(message)

    def _write(self, message: FromWorker | Join) -> None:
        self._post.send(self.places.up, Letter(self._name, msgspec.Raw(encode(message))))

    def receive(self, timeout_s: float) -> ToWorker | None:
        """See `Channel.receive`."""
        if not self._waiting:
            self._listen(min(timeout_s, CALL_S))
        return self._waiting.popleft() if self._waiting else None

    def _listen(self, timeout_s: float) -> None:
        try:
            letters = self._post.receive(timeout_s)
        except ConnectionLost as error:
            raise EOFError(str(error)) from error
        now = time.monotonic()
        for letter in letters:
            if isinstance(letter, Letter) and letter.worker == self._name:
                self._heard_at = now
                self._waiting.append(to_worker.decode(letter.body))
        if now - self._heard_at > SILENCE_S:
            raise EOFError(f"the conductor has been silent for {SILENCE_S:g} s")
