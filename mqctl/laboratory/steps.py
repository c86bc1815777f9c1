"""Runs whose steps are taken one by one: a folder, a history, a numbered stream, and what all that proves."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from mqctl.errors import MqctlError, RefusedError, UnsupportedError
from mqctl.experiments.answers import Answer, Property
from mqctl.experiments.check import Report
from mqctl.experiments.events import Confirmed, Delivered, Foreign, Header, Publish
from mqctl.experiments.planting import Planter
from mqctl.laboratory.archive import Folder, clock, host, versions
from mqctl.laboratory.conversation import Arrival, Conversation, Forgotten
from mqctl.laboratory.illustration import illustrate
from mqctl.laboratory.outcome import Outcome
from mqctl.laboratory.pace import keep_to, punctual
from mqctl.laboratory.scribe import Scribe
from mqctl.laboratory.trial import Place, examine
from mqctl.measurement.load import NS_PER_S
from mqctl.measurement.stamp import SIZE_MIN, Mark, reader, writer
from mqctl.measurement.verdict import Verdict
from mqctl.model import Topic

PRODUCER: Final = "A"
WITNESSES_SHOWN: Final = 2


class Record:
    """What happens in a run.

    Attributes:
        case: What is tried.
        seed: Of the places of faults.
        folder: Where it is kept.
        topic: Nobody else's.
        deadline: When the run must be over, by `time.monotonic`; None is never.
        number: Stamped on its messages, so that those of others are known.
        put: Takes events of the history.

    Args:
        case: As above.
        seed: As above.
        folder: As above.
        scribe: Writes the history.
        place: Where it is run.
    """

    def __init__(self, case: str, seed: int, folder: Folder, scribe: Scribe, place: Place) -> None:
        self.case, self.seed, self.folder, self.put = case, seed, folder, scribe.put
        self.deadline = place.deadline
        self.topic = Topic(levels=(*place.ground.name.split("."), secrets.token_hex(6)))
        self.number = secrets.randbits(63)
        self.read = reader(self.number, SIZE_MIN)
        self.payload = writer(self.number, SIZE_MIN)

    def wait_until(self, at_ns: int) -> None:
        """Sleep until then.

        Raises:
            OperationTimeout: The run must be over before.
        """
        at = at_ns / NS_PER_S
        last = at if self.deadline is None else min(at, self.deadline)
        time.sleep(max(0.0, last - time.monotonic()))
        keep_to(self.deadline)

    def came(self, consumer: str, arrivals: Sequence[Arrival], planter: Planter) -> None:
        """Put down what came to a consumer, spoiled by its planter."""
        for arrival in arrivals:
            mark = self.read(arrival.payload)
            if mark is None:
                self.put(Foreign(consumer, arrival.at_ns))
                continue
            event = Delivered(consumer, PRODUCER, mark.sequence, arrival.at_ns, mark.intended_ns)
            for each in planter.take(event):
                self.put(each)


class Stream:
    """Numbered messages, one at a time, each confirmed before the next.

    Attributes:
        sent: How many there were.

    Args:
        talk: Whose they are.
        channel: Where to.
        record: Of the run.
    """

    def __init__(self, talk: Conversation, channel: str, record: Record) -> None:
        self.sent = 0
        self._talk, self._channel, self._record = talk, channel, record

    def send(self) -> None:
        """Publish the next one.

        Raises:
            MqctlError: The server refuses it, or does not answer.
        """
        self._stay()
        now_ns = time.monotonic_ns()
        self.sent += 1
        payload = self._record.payload(Mark(1, 0, self.sent, now_ns, now_ns))
        self._record.put(Publish(PRODUCER, self.sent, "", now_ns, now_ns))
        if (refusal := self._talk.publish(self._channel, payload)) is not None:
            raise RefusedError(f"the server refused a message: {refusal}")
        self._record.put(Confirmed(PRODUCER, self.sent, time.monotonic_ns()))

    def _stay(self) -> None:
        """Keep the publisher's own session."""
        try:
            self._talk.connect()
        except Forgotten:
            self._talk.shake_hands()


@contextmanager
def recorded(place: Place, case: str, seed: int, header: Header) -> Iterator[Record]:
    """A run: what is recorded inside is its history.

    Args:
        place: Where.
        case: What is tried.
        seed: Of the places of faults.
        header: Of the history.

    Raises:
        MqctlError: What was raised inside; the folder stays, with the history so far.
    """
    folder = Folder(place.run_dir, f"{place.experiment}-{case}")
    place.begun(folder.path)
    with punctual():
        yield from _recorded(place, case, seed, header, folder)


def _recorded(place: Place, case: str, seed: int, header: Header, folder: Folder) -> Iterator[Record]:
    folder.note(
        experiment=f"{place.experiment} {case}",
        seed=seed,
        target=place.target.name,
        broker={"server": place.greeting.server, "peer": place.greeting.peer},
        expect=list(header.expect),
        processes=1,
        versions=versions(),
        host=host(),
        clock=clock(),
    )
    try:
        with folder.history.open("xb", buffering=0) as file, Scribe(file, header) as scribe:
            yield Record(case, seed, folder, scribe, place)
    except UnsupportedError as error:
        folder.note(outcome="unsupported", reason=str(error))
        raise
    except BaseException as error:
        folder.note(
            outcome="not finished", reason=str(error) if isinstance(error, MqctlError) else type(error).__name__
        )
        raise


class Findings:
    """What speaks against a run: what is wrong, and what makes it prove nothing.

    Args:
        record: Of a run that is over.
    """

    def __init__(self, record: Record) -> None:
        self.wrong: list[str] = []
        self.doubts: list[str] = []
        self.report: Report = examine(record.folder.history)
        self._record = record
        for each in self.report.judged:
            if each.verdict is Verdict.FAIL:
                self.wrong.append(f"{each.answer.about}: {each.answer.violations:,} of {each.answer.chances:,}")
                self.wrong += [witness.text for witness in each.answer.witnesses[:WITNESSES_SHOWN]]
            elif each.verdict is Verdict.INCONCLUSIVE:
                self.doubts += [f"{each.answer.about}: {why}" for why in each.why]

    def answer(self, about: Property) -> Answer:
        """What the history says about a property, be it judged or not."""
        return next(each.answer for each in self.report.judged if each.answer.about is about)

    def witnesses(self, about: Property) -> list[str]:
        """The first cases of what is not judged by itself."""
        return [f"for example: {each.text}" for each in self.answer(about).witnesses[:WITNESSES_SHOWN]]

    def unseen(self, about: Property) -> None:
        """Doubt what a blind checker says."""
        answer = self.answer(about)
        if not answer.planted:
            self.doubts.append(f"{about}: nothing was planted, so nothing shows that it would be found")
        elif answer.found < answer.planted:
            self.doubts.append(f"{about}: {answer.found} of {answer.planted} planted faults were found")

    def outcome(self, *, expected: str, observed: str, notes: Sequence[str] = (), **numbers: object) -> Outcome:
        """All of it, kept in the run's folder too.

        Args:
            expected: What had to be seen.
            observed: What was.
            notes: What else is good to know.
            numbers: What was measured.
        """
        verdict = Verdict.FAIL if self.wrong else Verdict.INCONCLUSIVE if self.doubts else Verdict.PASS
        record = self._record
        illustrate(record.folder.history, self.report, self.doubts, expected)
        record.folder.note(outcome=verdict, wrong=self.wrong, doubts=self.doubts, observed=observed, **numbers)
        return Outcome(
            case=record.case,
            seed=record.seed,
            verdict=verdict,
            folders=(record.folder.path,),
            expected=expected,
            observed=observed,
            against=(*(f"fail: {each}" for each in self.wrong), *(f"doubt: {each}" for each in self.doubts)),
            notes=tuple(notes),
            numbers=numbers,
        )


def header(place: Place, case: str, mode: str, seed: int, expect: Sequence[Property], **more: object) -> Header:
    """The first line of a history. `more` are facts."""
    facts = {"seed": seed, "broker": place.ground.broker, "target": place.target.name, **more}
    return Header(
        version=1,
        name=f"{place.experiment} {case}",
        protocol=place.ground.protocol,
        mode=mode,
        expect=tuple(expect),
        facts=facts,
    )
