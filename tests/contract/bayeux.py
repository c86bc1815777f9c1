"""The contract as Bayeux keeps it: its channels are poorer than the topics of others."""

from __future__ import annotations

import pytest

from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.bayeux import BayeuxAdapter
from mqctl.errors import TopicError
from mqctl.model import Outgoing, Topic
from mqctl.testing.contract import AdapterContract, Subject


class BayeuxContract(AdapterContract):
    """All laws, and in place of two of them what channels can do."""

    adapter = BayeuxAdapter()

    def test_a_topic_comes_back_by_its_name_in_any_script(self, subject: Subject) -> None:
        """Channels have few characters: all of those come back, and any other is refused before anything is sent."""
        connection, recorder = subject.connect()
        topic = Topic(levels=(*subject.topic().levels, "Az09-_!~()$@"))
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        subject.publish(connection, topic, b"x")
        assert recorder.message(b"x").topic == ".".join(topic.levels)
        with pytest.raises(TopicError):
            connection.submit(Outgoing(topic=Topic(levels=("한국",)), payload=b"x"))
        assert connection.stats().messages_out == 1

    def test_a_wildcard_takes_what_it_matches_and_no_more(self, subject: Subject) -> None:
        """It is the last segment, or refused."""
        connection, recorder = subject.connect()
        root = subject.topic().levels
        one = connection.subscribe(SubscribeSpec(topic=Topic(levels=(*root, "*"))), timeout_s=subject.patience_s)
        for rest in ((), ("a",), ("b",), ("a", "b")):
            subject.publish(connection, Topic(levels=(*root, *rest)), ".".join(rest).encode())
        subject.barrier(connection, recorder)
        matched = [each.payload for each in recorder.deliveries(2) if each.subscription == one]
        assert subject.as_published(matched) == [b"a", b"b"]
        with pytest.raises(TopicError):
            connection.subscribe(SubscribeSpec(topic=Topic(levels=(*root, "*", "x"))), timeout_s=subject.patience_s)
