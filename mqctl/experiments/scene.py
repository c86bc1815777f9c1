"""What pictures of a run are made of: what came round a witness, how the run went, how long deliveries took.

It is read in one go, after the verdict is known, and does not grow with the history.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from mqctl.experiments.answers import Cell, Look, Row
from mqctl.experiments.check import Report
from mqctl.experiments.checkers.drawing import place_of
from mqctl.experiments.controls import Place, describe
from mqctl.experiments.events import (
    ConnectionLost,
    ConnectionResumed,
    Delivered,
    Fault,
    FaultBegan,
    FaultEnded,
    Killed,
    Planted,
    Publish,
    Subscribed,
)
from mqctl.experiments.history import Reader
from mqctl.experiments.pages import Page, Turn, stretches
from mqctl.experiments.report import witnesses
from mqctl.measurement.histogram import Buckets, Histogram

HEAD = 24
"""Without a witness, so many messages of each are shown, from the beginning."""

AROUND = 6
"""So many before and after each message of a witness."""

SHOWN_MAX = 48
LANES_MAX = 8
"""So many consumers are shown."""

SLICES_MAX = 96
"""Into so many slices of time a run is divided at most; half as many at least, if it is long enough."""

MARKS_MAX = 200
"""So many periods and moments are kept."""

Key: TypeAlias = tuple[str, int]


class Box(NamedTuple):
    """A message in a lane. `after_gap`: what came before it is not shown. `again`: flagged as redelivered."""

    producer: str
    n: int
    look: Look = Look.PLAIN
    at_ns: int | None = None
    again: bool = False
    after_gap: bool = False


class Lane(NamedTuple):
    """What one actor sent or got, in order; `more`: and later ones, not shown."""

    name: str
    boxes: Sequence[Box]
    more: bool = False


class Period(NamedTuple):
    """From `start_ns` to `stop_ns`, or to the end of the run where that is None."""

    text: str
    start_ns: int
    stop_ns: int | None


class Moment(NamedTuple):
    """Something happened."""

    text: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a run went.

    Attributes:
        start_ns: When it began; None where the history tells no times.
        slice_ns: How long a slice is.
        published, delivered: How many in each slice; of the same length.
        periods: Of trouble.
        moments: Something was killed.
        planted: Faults on purpose.
    """

    start_ns: int | None = None
    slice_ns: int = 1
    published: Sequence[int] = ()
    delivered: Sequence[int] = ()
    periods: Sequence[Period] = ()
    moments: Sequence[Moment] = ()
    planted: Sequence[Moment] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that there is to draw.

    Attributes:
        topics: What is published to.
        sent: What was sent, by whomever.
        lanes: What each consumer got.
        hidden: Consumers that are not shown.
        focused: Whether it shows what came round a witness, and not the beginning.
        course: How the run went.
        latency: Of deliveries that are neither flagged as redelivered nor delayed on purpose, in ns.
    """

    topics: Sequence[str] = ()
    sent: Lane = Lane("", ())  # noqa: RUF009 - immutable
    lanes: Sequence[Lane] = ()
    hidden: int = 0
    focused: bool = False
    course: Course = field(default_factory=Course)
    latency: Buckets = Buckets()  # noqa: RUF009 - immutable


def scene(reader: Reader, report: Report) -> Scene:
    """Read a history again, for its pictures.

    Args:
        reader: At its beginning.
        report: What was found in it; the first witness is what the picture is about.
    """
    stage = _Stage(_focus(report), clocks_agree=reader.header.clocks == "one")
    for batch in reader.batches():
        for part in stretches(batch):
            if isinstance(part, Page):
                stage.read(part)
            else:
                stage.turn(part)
    return stage.scene()


class _Focus(NamedTuple):
    """What a picture is about: messages and how they look, and who got them."""

    looks: Mapping[Key, Look] = {}
    names: Collection[str] = ()


def _focus(report: Report) -> _Focus:
    """The marked messages of the first witness that has a drawing, and the neighbours of what is not there."""
    for _, witness in witnesses(report):
        if witness.rows:
            looks = dict.fromkeys((_key(cell) for row in witness.rows for cell in _beside_absent(row)), Look.PLAIN)
            cells = (cell for row in witness.rows for cell in row.cells if cell.look is not Look.PLAIN)
            return _Focus(looks | dict.fromkeys(map(_key, cells), Look.MARKED), [row.name for row in witness.rows])
    return _Focus()


def _beside_absent(row: Row) -> Iterator[Cell]:
    for one, other in pairwise(row.cells):
        if Look.ABSENT in {one.look, other.look}:
            yield from (one, other)


def _key(cell: Cell) -> Key:
    return (cell.producer, cell.n)


class _Window:
    """Keeps what came round the messages that matter; without any, what came first."""

    def __init__(self, name: str, looks: Mapping[Key, Look]) -> None:
        self._name, self._looks = name, looks
        self._left = 0 if looks else HEAD
        self._recent: deque[Box] = deque(maxlen=AROUND)
        self._skipped = self._cut = False
        self._boxes: list[Box] = []

    def add(self, key: Key, at_ns: int | None, *, again: bool = False) -> None:
        look = self._looks.get(key)
        box = Box(*key, look or Look.PLAIN, at_ns, again)
        if look is not None:
            self._show(*self._recent, box)
            self._recent.clear()
            self._left = AROUND
        elif self._left:
            self._left -= 1
            self._show(box)
        else:
            self._skipped = self._skipped or len(self._recent) == AROUND
            self._recent.append(box)

    def _show(self, *boxes: Box) -> None:
        first, *others = boxes
        room = SHOWN_MAX - len(self._boxes)
        self._boxes += [first._replace(after_gap=self._skipped), *others][:room]
        self._cut = self._cut or len(boxes) > room
        self._skipped = False

    def lane(self) -> Lane:
        return Lane(self._name, self._boxes, self._cut or self._skipped or bool(self._recent))


class _Slices:
    """Counts events by time, in slices that double in length as the run gets longer."""

    def __init__(self) -> None:
        self._first_ns: int | None = None
        self._bits = 0
        self._counts: tuple[Counter[int], Counter[int]] = (Counter(), Counter())

    def add(self, published: Collection[int], delivered: Collection[int]) -> None:
        # Coarser first, lest a batch of many different times makes as many slices.
        self._fit([*_extremes(published), *_extremes(delivered)])
        for counts, times in zip(self._counts, (published, delivered), strict=True):
            counts.update(self._slices(times))

    def _slices(self, times: Collection[int]) -> list[int]:
        """In which they are; the first begins with the first time of all that was heard of."""
        if self._first_ns is None:
            self._first_ns = min(times, default=None)
        first_ns, bits = self._first_ns or 0, self._bits
        return [(at - first_ns) >> bits for at in times]

    def _fit(self, times: Collection[int]) -> None:
        slices = [*self._counts[0], *self._counts[1], *self._slices(times)]
        if not slices:
            return
        more, span = 0, (min(slices), max(slices))
        while (span[1] >> more) - (span[0] >> more) >= SLICES_MAX:
            more += 1
        if more:
            self._bits += more
            self._counts = (_coarser(self._counts[0], more), _coarser(self._counts[1], more))

    def span(self, times: Collection[int]) -> tuple[int | None, int, list[int], list[int]]:
        """From when, how long each, and the counts, when these times are in it too."""
        self._fit(times)
        keys = {*self._counts[0], *self._counts[1], *self._slices(times)}
        if not keys:
            return None, 1, [], []
        places = range(min(keys), max(keys) + 1)
        published, delivered = ([counts[place] for place in places] for counts in self._counts)
        return (self._first_ns or 0) + (places.start << self._bits), 1 << self._bits, published, delivered


def _extremes(times: Collection[int]) -> tuple[int, ...]:
    return (min(times), max(times)) if times else ()


def _coarser(counts: Counter[int], bits: int) -> Counter[int]:
    coarse: Counter[int] = Counter()
    for at, count in counts.items():
        coarse[at >> bits] += count
    return coarse


class _Stage:
    """Takes in a history, and keeps little of it."""

    def __init__(self, focus: _Focus, *, clocks_agree: bool) -> None:
        self._looks, self._wanted = focus
        self._clocks_agree = clocks_agree
        self._nobody = _Window("", {})
        self._sent = _Window("published", self._looks)
        self._lanes: dict[str, _Window] = {}
        self._consumers: dict[str, None] = {}
        self._topics: dict[str, None] = {}
        self._slices, self._latency = _Slices(), Histogram()
        self._now_ns: int | None = None
        self._open: dict[tuple[str, str], int] = {}
        self._periods: list[Period] = []
        self._moments: list[Moment] = []
        self._planted: list[Moment] = []
        self._delayed: set[Place] = set()

    def read(self, page: Page) -> None:
        published: Sequence[Publish] = page.kinds.get(Publish, ())
        delivered: Sequence[Delivered] = page.kinds.get(Delivered, ())
        for event in published:
            self._sent.add((event.producer, event.n), event.sent_ns)
        self._topics |= dict.fromkeys(topic for topic in {event.topic for event in published} if topic)
        for came in delivered:
            self._window(came.consumer).add((came.producer, came.n), came.received_ns, again=came.redelivered)
        sent = [event.sent_ns for event in published if event.sent_ns is not None]
        received = [event.received_ns for event in delivered if event.received_ns is not None]
        self._slices.add(sent, received)
        self._now_ns = max((*sent[-1:], *received[-1:]), default=self._now_ns)
        if self._clocks_agree:
            self._latency.record_all(_latencies(self._undelayed(delivered)))

    def turn(self, event: Turn) -> None:
        if isinstance(event, Subscribed):
            self._window(event.consumer)
        if isinstance(event, Planted) and event.fault is Fault.DELAY:
            self._delayed.add(Place(event.consumer, event.producer, event.n))
        at_ns = self._time_of(event)
        if at_ns is None or len(self._periods) + len(self._moments) + len(self._planted) >= MARKS_MAX:
            return
        match event:
            case FaultBegan(fault=fault, where=where):
                self._open.setdefault((fault, where), at_ns)
            case FaultEnded(fault=fault, where=where):
                self._close((fault, where), at_ns)
            case ConnectionLost(client=client):
                self._open.setdefault(("away", client), at_ns)
            case ConnectionResumed(client=client):
                self._close(("away", client), at_ns)
            case Killed(client=client):
                self._moments.append(Moment(f"{client} killed", at_ns))
            case Planted():
                self._planted.append(Moment(describe(event), at_ns))
            case _:
                pass

    def _undelayed(self, events: Sequence[Delivered]) -> Iterable[Delivered]:
        return [event for event in events if place_of(event) not in self._delayed] if self._delayed else events

    def _time_of(self, event: Turn) -> int | None:
        """What is planted has no time of its own."""
        told = None if isinstance(event, Planted) else event.at_ns
        return self._now_ns if told is None else told

    def scene(self) -> Scene:
        sent, lanes = self._sent.lane(), [window.lane() for window in self._lanes.values()]
        return Scene(
            topics=list(self._topics),
            sent=sent,
            lanes=lanes,
            hidden=len(self._consumers) - len(lanes),
            focused=bool(self._looks),
            course=self._course(),
            latency=self._latency.buckets(),
        )

    def _window(self, consumer: str) -> _Window:
        """That of a consumer; of one too many, one that nobody looks at."""
        window = self._lanes.get(consumer)
        if window is None:
            self._consumers[consumer] = None
            if consumer not in self._wanted and len(self._lanes) >= LANES_MAX:
                return self._nobody
            window = self._lanes[consumer] = _Window(consumer, self._looks)
        return window

    def _close(self, what: tuple[str, str], stop_ns: int) -> None:
        start_ns = self._open.pop(what, None)
        if start_ns is not None:
            self._periods.append(Period(_told(what), start_ns, stop_ns))

    def _course(self) -> Course:
        periods = [*self._periods, *(Period(_told(what), start, None) for what, start in self._open.items())]
        times = [moment.at_ns for moment in (*self._moments, *self._planted)]
        times += [at for period in periods for at in (period.start_ns, period.stop_ns) if at is not None]
        start_ns, slice_ns, published, delivered = self._slices.span(times)
        return Course(
            start_ns=start_ns,
            slice_ns=slice_ns,
            published=published,
            delivered=delivered,
            periods=periods,
            moments=self._moments,
            planted=self._planted,
        )


def _told(what: tuple[str, str]) -> str:
    kind, where = what
    return f"{where} {kind}" if kind == "away" else " of ".join(filter(None, what))


def _latencies(events: Iterable[Delivered]) -> list[int]:
    return [
        max(0, event.received_ns - event.intended_ns)
        for event in events
        if event.received_ns is not None and event.intended_ns is not None and not event.redelivered
    ]
