"""What a console holds between two commands: its connection, its subscriptions, and the topics it has seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from mqctl import topics
from mqctl.adapters.base import Connection, EventSink, SubscribeSpec
from mqctl.adapters.inbox import Inbox, WhenFull
from mqctl.adapters.sharing import SharedConnection
from mqctl.cli.formats import Formatter, Record
from mqctl.cli.outages import Outages
from mqctl.cli.receiving import Limits, Receiver
from mqctl.cli.streams import ReaderGone
from mqctl.errors import ConnectionLost, MeasuredWrong, MqctlError, UsageError
from mqctl.model import AckMode, Delivery, SubscriptionId
from mqctl.profiles import Settings
from mqctl.profiles.resolve import LOOPBACK

INBOX_LIMIT: Final = 10_000
"""Messages kept while something else is on the screen; the oldest give way."""

TOPICS_REMEMBERED: Final = 1_000

_STEP_S: Final = 0.2


@dataclass(slots=True)
class Subscribed:
    """A subscription of the console."""

    name: str
    id: SubscriptionId
    formatter: Formatter
    ack_mode: AckMode
    count: int = 0


@dataclass(slots=True, kw_only=True)
class Desk:
    """The state of one console.

    Attributes:
        write: Prints messages, above the prompt where there is one.
        tell: Prints what is no data, likewise.
        flags: The options that chose the broker, for the commands that follow.
        seen: The names of topics seen so far, for completion; a dictionary keeps their order.
    """

    write: Callable[[bytes], None]
    tell: Callable[[str], None]
    flags: Mapping[str, Any] = field(default_factory=dict)
    seen: dict[str, None] = field(default_factory=lambda: {"rect": None, "chart": None})
    subscriptions: dict[SubscriptionId, Subscribed] = field(default_factory=dict)
    settings: Settings | None = None
    received: int = 0
    depth: int = 0
    """How many files run each other."""
    outages: Outages = field(default_factory=Outages)
    _awaited: int = 0
    _modes: dict[SubscriptionId, AckMode] = field(default_factory=dict)
    _shared: SharedConnection | None = None
    _own: Connection | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _talking: threading.Event = field(default_factory=threading.Event)
    _arrived: threading.Condition = field(default_factory=threading.Condition)
    _end: Exception | None = None
    """Why nothing is printed any more."""

    def use(
        self, settings: Settings, flags: Mapping[str, Any], connect: Callable[[EventSink, ExitStack], Connection]
    ) -> None:
        """Connect to another broker; the connection before it is closed, its subscriptions are gone.

        To the same broker there is one connection after the other: two of one client id would throw each other out, and
        a hub that is hosted here ends with its connection.

        Args:
            settings: The broker.
            flags: The options that chose it.
            connect: Makes the connection, and leaves with the stack what ends with it.

        Raises:
            MqctlError: As `Adapter.connect`; then a connection to another broker stays as it is.
        """
        if self._shared is None or self.settings is None or not _elsewhere(settings, self.settings):
            self.close()
            self.settings, self.flags = settings, flags
        with ExitStack() as stack:
            shared = SharedConnection(lambda sink: connect(sink, stack))
            stack.callback(shared.close)
            self.close()
            self._stack = stack.pop_all()
        self.settings, self.flags = settings, flags
        self.outages = Outages(self.tell)
        self._shared, self._end = shared, None
        self._own = self._listen(shared)
        self._talking.set()

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._shared = self._own = None
        # What is on its way from the connection that ends finds its own, and not those of the next.
        self.subscriptions, self._modes = {}, {}
        self._stack.close()

    @property
    def connection(self) -> Connection:
        """This console's part of the connection.

        Raises:
            ConnectionLost: There is none.
        """
        if self._own is None or self._shared is None or self._shared.lost:
            raise _not_connected()
        return self._own

    @property
    def standing(self) -> Settings:
        """What the connection was made with.

        Raises:
            ConnectionLost: There is none.
        """
        if self.settings is None or self._own is None:
            raise _not_connected()
        return self.settings

    def borrow(self, settings: Settings, sink: EventSink) -> Connection | None:
        """A part of the connection for a command, where the command wants the same broker."""
        if self._shared is None or self._shared.lost or not _same(settings, self.settings):
            return None
        return self._shared.share(sink)

    def subscribe(self, spec: SubscribeSpec, formatter: Formatter, *, timeout_s: float) -> None:
        """Print what arrives for a subscription from now on.

        Raises:
            MqctlError: As `Connection.subscribe`.
        """
        name = topics.text_of(spec.topic)
        if any(each.name == name for each in self.subscriptions.values()):
            raise UsageError(f"already subscribed to {name}")
        with self._arrived:
            # What arrives meanwhile waits here until it is known how to print it.
            subscription = self.connection.subscribe(spec, timeout_s=timeout_s)
            self._modes[subscription] = spec.ack_mode
            self.subscriptions[subscription] = Subscribed(name, subscription, formatter, spec.ack_mode)
        self.see(name)

    def unsubscribe(self, name: str, *, timeout_s: float) -> None:
        """End a subscription.

        Raises:
            UsageError: There is none of this name.
            MqctlError: As `Connection.unsubscribe`.
        """
        found = next((each for each in self.subscriptions.values() if each.name == name), None)
        if found is None:
            raise UsageError(f"not subscribed to {name}", hint=f"subscriptions: {', '.join(self.names()) or 'none'}")
        self.connection.unsubscribe(found.id, timeout_s=timeout_s)
        with self._arrived:
            del self.subscriptions[found.id]

    def names(self) -> list[str]:
        """What this console is subscribed to."""
        return [each.name for each in self.subscriptions.values()]

    def see(self, topic: str) -> None:
        """Remember a topic's name."""
        if len(self.seen) < TOPICS_REMEMBERED:
            self.seen[topic] = None

    def wait(self, count: int, timeout_s: float | None) -> bool:
        """Wait until `count` messages were printed since the last such wait; whether they were.

        Raises:
            ConnectionLost: They cannot come any more.
        """
        with self._arrived:
            goal = self._awaited + count
            self._arrived.wait_for(lambda: self.received >= goal or self._end, timeout_s)
            came = self.received >= goal
            self._awaited = min(goal, self.received)
        if not came and isinstance(self._end, ConnectionLost):
            raise _not_connected()
        # What cannot be printed ends the script, and `check` says why.
        return came or self._end is not None

    def check(self) -> None:
        """See whether messages could be printed.

        Raises:
            MeasuredWrong: They could not be written.
            ReaderGone: As it says.
        """
        if isinstance(self._end, (MeasuredWrong, ReaderGone)):
            raise self._end

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Print nothing meanwhile: something else has the screen."""
        self._talking.clear()
        try:
            yield
        finally:
            self._talking.set()

    def _listen(self, shared: SharedConnection) -> Connection:
        inbox = Inbox(limit=INBOX_LIMIT, when_full=WhenFull.DROP_OLDEST)
        share = shared.share(inbox.put_batch)
        receiver = Receiver(
            connection=share,
            inbox=inbox,
            ack_modes=self._modes,
            limits=Limits(),
            complain=self.tell,
            handle=partial(self._print, self.subscriptions),
            outages=self.outages,
        )
        threading.Thread(target=self._run, args=(receiver, shared), name="mqctl.console", daemon=True).start()
        return share

    def _run(self, receiver: Receiver, shared: SharedConnection) -> None:
        try:
            while receiver.step(_STEP_S):
                self._talking.wait()
        except (MqctlError, ReaderGone) as error:
            with self._arrived:
                if self._shared is not shared:
                    return
                self._end = error
                self._arrived.notify_all()
            if isinstance(error, ConnectionLost):
                self.tell(str(error))

    def _print(
        self, subscriptions: Mapping[SubscriptionId, Subscribed], deliveries: Sequence[Delivery], _first: int
    ) -> None:
        self._talking.wait()
        epoch_ns = time.time_ns() - time.monotonic_ns()
        lines: list[bytes] = []
        with self._arrived:
            for delivery in deliveries:
                known = subscriptions.get(delivery.subscription)
                if known is None:
                    # It was not printed, so it is still the broker's.
                    delivery.ack = None
                    continue
                known.count += 1
                self.see(delivery.topic)
                record = Record(delivery, known.count, delivery.received_ns + epoch_ns, known.ack_mode)
                lines.append(known.formatter(record))
            self.write(b"".join(lines))
            self.received += len(lines)
            self._arrived.notify_all()


def _not_connected() -> ConnectionLost:
    return ConnectionLost("not connected", hint="use NAME or use URL connects")


def _same(wanted: Settings, standing: Settings | None) -> bool:
    """Whether both mean the same broker, as the same user, in the same way."""
    if standing is None:
        return False
    return {name: value.value for name, value in wanted.values.items()} == {
        name: value.value for name, value in standing.values.items()
    }


def _elsewhere(wanted: Settings, standing: Settings) -> bool:
    """Whether the two have no endpoint in common; this machine has several names."""
    return not _endpoints(wanted) & _endpoints(standing)


def _endpoints(settings: Settings) -> set[tuple[str, int]]:
    url = settings.get("url")
    found = () if url is None else url.endpoints
    return {("localhost" if host in LOOPBACK else host, port) for host, port in found}
