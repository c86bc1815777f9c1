"""The books of a publisher."""

from __future__ import annotations

from mqctl.measurement.load import NS_PER_S, Due
from mqctl.measurement.sending import LATE_NS, REASONS_MAX, Sending
from mqctl.model import Confirmation, Confirmed, Rejected, Unknown, UnknownCause

CONFIRMED = Confirmed(Confirmation.BROKER)


def test_every_message_is_confirmed_rejected_or_unknown():
    books = Sending(3, 0)
    outcomes = [CONFIRMED, Rejected("no"), CONFIRMED, Unknown("gone", UnknownCause.LOST), Rejected("no")]
    for outcome in outcomes:
        sequence = books.begin(Due(0, measured=True), 0)
        books.settled(sequence, outcome, 500)
    sent = books.result()
    assert (sent.publisher, sent.attempted) == (3, 5)
    assert (sent.rejected, sent.unknown) == (((1, 2), (4, 5)), ((3, 4),))
    assert sent.reasons == ("no", "gone")
    assert sum(sent.confirming.counts.values()) == 2


def test_what_nobody_settled_is_unknown():
    books = Sending(0, 0)
    for _ in range(3):
        books.begin(Due(0, measured=True), 0)
    books.settled(0, CONFIRMED, None)
    assert books.result().unknown == ((1, 3),)
    assert not books.result().confirming.counts


def test_reasons_are_few():
    books = Sending(0, 0)
    for number in range(REASONS_MAX + 1):
        books.settled(books.begin(Due(0, measured=True), 0), Rejected(str(number)), None)
    assert books.result().reasons == tuple(map(str, range(REASONS_MAX)))


def test_lateness_is_of_measured_messages_and_starts_above_its_limit():
    books = Sending(0, 0)
    for late_ns, measured in ((0, True), (LATE_NS, True), (LATE_NS + 1, True), (10 * LATE_NS, False)):
        books.begin(Due(100, measured=measured), 100 + late_ns)
    sent = books.result()
    assert (sent.sends, sent.late, sent.held, sent.late_max_ns) == (3, 1, 0, LATE_NS + 1)


def test_what_waited_for_the_transport_is_told_until_the_schedule_is_kept_again():
    books = Sending(0, 0)
    books.begin(Due(0, measured=True), 0)
    books.handed_over(5 * LATE_NS)
    books.begin(Due(LATE_NS, measured=True), 5 * LATE_NS)
    books.handed_over(1)
    books.begin(Due(2 * LATE_NS, measured=True), 5 * LATE_NS)
    books.begin(Due(6 * LATE_NS, measured=True), 6 * LATE_NS)
    books.begin(Due(7 * LATE_NS, measured=True), 9 * LATE_NS)
    sent = books.result()
    assert (sent.late, sent.held) == (3, 2)


def test_seconds_count_from_when_measuring_began():
    books = Sending(0, 10 * NS_PER_S)
    books.begin(Due(0, measured=False), 9 * NS_PER_S)
    for second in (10, 10, 12):
        books.begin(Due(second * NS_PER_S, measured=True), second * NS_PER_S + 5)
    sent = books.result()
    assert sent.seconds == {0: 2, 2: 1}
    assert sent.last_after_ns == 2 * NS_PER_S + 5
    assert Sending(0, 5).result().last_after_ns is None
