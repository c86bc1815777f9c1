"""What becomes of messages and acknowledgements that belong together."""

from __future__ import annotations

from collections import Counter

import pytest

from mqctl.adapters.base import Connection, SubscribeSpec, Transaction
from mqctl.errors import ConnectionLost, UsageError
from mqctl.model import AckMode, AckToken, Confirmed, Outgoing, Topic, Unknown, UnknownCause
from mqctl.testing.offers import needs
from mqctl.testing.recorder import Recorder
from mqctl.testing.subject import Subject

_THREE = (b"1", b"2", b"3")


class TransactionLaws:
    """Laws of transactions."""

    @needs("transactions")
    def test_an_empty_transaction_is_committed(self, subject: Subject) -> None:
        connection, _ = subject.connect()
        self._commit(subject, connection.begin())

    @needs("transactions")
    def test_nothing_of_a_transaction_comes_before_its_commit_and_all_in_order_after(self, subject: Subject) -> None:
        connection, recorder, topic = self._listening(subject)
        transaction = self._sent(connection.begin(), topic)
        subject.barrier(connection, recorder)
        assert not set(recorder.payloads) & set(_THREE)
        self._commit(subject, transaction)
        recorder.message(_THREE[-1])
        came = [payload for payload in recorder.payloads if payload in _THREE]
        assert subject.as_published(came) == list(_THREE)

    @needs("transactions")
    def test_transactions_do_not_mix(self, subject: Subject) -> None:
        connection, recorder, topic = self._listening(subject)
        first, second = connection.begin(), connection.begin()
        for transaction, payload in ((first, b"first"), (second, b"second"), (first, b"first too")):
            transaction.submit(Outgoing(topic=topic, payload=payload))
        first.abort()
        self._commit(subject, second)
        recorder.message(b"second")
        subject.barrier(connection, recorder)
        assert not {b"first", b"first too"} & set(recorder.payloads)

    @needs("transactions")
    def test_nothing_of_an_aborted_transaction_comes(self, subject: Subject) -> None:
        connection, recorder, topic = self._listening(subject)
        aborted = self._sent(connection.begin(), topic).abort().outcome(subject.patience_s)
        assert isinstance(aborted, Confirmed), aborted
        subject.publish(connection, topic, b"end")
        recorder.message(b"end")
        subject.barrier(connection, recorder)
        assert not set(recorder.payloads) & set(_THREE)

    @needs("transactions")
    def test_what_was_committed_or_aborted_is_used_up(self, subject: Subject) -> None:
        connection, _ = subject.connect()
        committed, aborted = connection.begin(), connection.begin()
        self._commit(subject, committed)
        aborted.abort()
        message = Outgoing(topic=subject.topic(), payload=b"late")
        for transaction in (committed, aborted):
            for use in (transaction.commit, transaction.abort, lambda used=transaction: used.submit(message)):
                with pytest.raises(UsageError):
                    use()
        assert isinstance(connection.begin().commit().outcome(subject.patience_s), Confirmed)

    @needs("transactions", "queue", "individual", "transacted-acks")
    def test_a_committed_acknowledgement_counts(self, subject: Subject) -> None:
        queue = subject.a_queue()
        connection, tokens = self._held(subject, queue)
        transaction = connection.begin()
        for token in tokens[:2]:
            transaction.ack(token)
        self._commit(subject, transaction)
        connection.close()
        self._what_is_left(subject, queue, [b"3"])

    @needs("transactions", "queue", "individual", "transacted-acks")
    def test_an_aborted_acknowledgement_does_not_count(self, subject: Subject) -> None:
        queue = subject.a_queue()
        connection, tokens = self._held(subject, queue)
        transaction = connection.begin()
        for token in tokens[:2]:
            transaction.ack(token)
        aborted = transaction.abort().outcome(subject.patience_s)
        assert isinstance(aborted, Confirmed), aborted
        connection.ack(tokens[2])
        connection.close()
        self._what_is_left(subject, queue, [b"1", b"2"])

    @needs("transactions", "queue", "individual", "transacted-acks")
    def test_a_token_is_good_once_within_a_transaction_too(self, subject: Subject) -> None:
        connection, tokens = self._held(subject, subject.a_queue())
        transaction = connection.begin()
        transaction.ack(tokens[0])
        for use in (transaction.ack, connection.ack):
            with pytest.raises(UsageError):
                use(tokens[0])
        self._commit(subject, transaction)

    @needs("transactions", "link")
    def test_a_lost_connection_makes_a_commit_unknown(self, subject: Subject) -> None:
        link = subject.a_link()
        connection, _ = subject.connect()
        transaction = self._sent(connection.begin(), subject.topic())
        link.stall()
        pending = transaction.commit()
        link.cut()
        outcome = pending.outcome(subject.patience_s)
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.LOST

    @needs("transactions")
    def test_a_transaction_is_lost_with_its_connection(self, subject: Subject) -> None:
        connection, _ = subject.connect()
        topic = subject.topic()
        transaction = self._sent(connection.begin(), topic)
        connection.close()
        with pytest.raises(ConnectionLost):
            transaction.submit(Outgoing(topic=topic, payload=b"late"))
        outcome = transaction.commit().outcome(subject.patience_s)
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.LOST
        with pytest.raises(ConnectionLost):
            connection.begin()

    def _listening(self, subject: Subject) -> tuple[Connection, Recorder, Topic]:
        connection, recorder = subject.connect()
        topic = subject.topic()
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        return connection, recorder, topic

    def _sent(self, transaction: Transaction, topic: Topic) -> Transaction:
        for payload in _THREE:
            transaction.submit(Outgoing(topic=topic, payload=payload))
        return transaction

    def _commit(self, subject: Subject, transaction: Transaction) -> None:
        outcome = transaction.commit().outcome(subject.patience_s)
        assert outcome == Confirmed(subject.adapter.info.confirmation), outcome

    def _held(self, subject: Subject, queue: Topic) -> tuple[Connection, list[AckToken]]:
        """A connection that holds three messages, and their tokens."""
        connection, recorder = subject.connect()
        subject.publish(connection, queue, *_THREE)
        connection.subscribe(SubscribeSpec(topic=queue, ack_mode=AckMode.INDIVIDUAL), timeout_s=subject.patience_s)
        tokens = [delivery.ack for delivery in recorder.deliveries(len(_THREE))]
        return connection, [token for token in tokens if token is not None]

    def _what_is_left(self, subject: Subject, queue: Topic, expected: list[bytes]) -> None:
        connection, recorder = subject.connect()
        connection.subscribe(SubscribeSpec(topic=queue, ack_mode=AckMode.INDIVIDUAL), timeout_s=subject.patience_s)
        recorder.deliveries(len(expected))
        subject.barrier(connection, recorder)
        assert Counter(payload for payload in recorder.payloads if payload in _THREE) == Counter(expected)
