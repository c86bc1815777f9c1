"""Who gets messages: a consumer that gets all of them, or a group that shares them; and what they got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from mqctl.measurement.ranges import Ranges


class Stream:
    """What a party got of one producer. Memory grows with the gaps, not with the messages.

    Attributes:
        seen: The numbers of the messages that came.
    """

    __slots__ = ("_latest", "seen")

    def __init__(self) -> None:
        self.seen = Ranges()
        self._latest: dict[str, int] = {}

    @property
    def top(self) -> int:
        """One above all that came."""
        return self.seen.stop

    def pass_over(self, latest: Mapping[str, int], start: int, stop: int) -> None:
        """Take in what is in sequence and above all that came; `latest` is the last of each line of consumers."""
        self.seen.append(start, stop)
        self._latest.update(latest)

    def take(self, line: str, n: int) -> tuple[bool, int]:
        """Take in any message.

        Args:
            line: Within it, order is to hold.
            n: Which message.

        Returns:
            Whether it came for the first time, and the highest that came before in its line, -1 where there is none.
        """
        first = bool(self.seen.add(n, n + 1))
        before = self._latest.get(line, -1)
        if first and n > before:
            self._latest[line] = n
        return first, before


@dataclass(slots=True)
class Party:
    """One consumer, or those that share messages.

    Attributes:
        name: Of the consumer or the group.
        topic: What it is subscribed to; "" is everything.
        shared: Whether it is a group.
        exclusive: Whether a group is served one member at a time.
        since: For each producer, the first number that it is to get; 0 where it is not in there.
        members: The consumers.
        gone: The members that are subscribed no more.
        streams: What came, by producer.
        given_back: Messages that a member refused or gave back, and how often they are still to come again for that.
    """

    name: str
    topic: str = ""
    shared: bool = False
    exclusive: bool = False
    since: Mapping[str, int] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    streams: dict[str, Stream] = field(default_factory=dict)
    given_back: Counter[tuple[str, int]] = field(default_factory=Counter)

    def stream(self, producer: str) -> Stream:
        """What came of a producer."""
        try:
            return self.streams[producer]
        except KeyError:
            return self.streams.setdefault(producer, Stream())

    def takes_again(self, producer: str, n: int) -> bool:
        """A message comes again; whether a member gave it back before."""
        key = (producer, n)
        times = self.given_back.pop(key, 0)
        if times > 1:
            self.given_back[key] = times - 1
        return times > 0

    @property
    def ordered(self) -> bool:
        """Whether all its members together see one order."""
        return self.exclusive or not self.shared

    def line(self, consumer: str) -> str:
        """Within what order is to hold: each member of a group sees an order of its own."""
        return self.name if self.ordered else consumer
