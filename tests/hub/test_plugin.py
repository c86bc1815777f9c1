"""The fixtures for other projects' tests."""

from __future__ import annotations

import threading

import pytest

from mqctl.adapters.base import SubscribeSpec
from mqctl.errors import ConfigError, ConnectError, UsageError
from mqctl.model import AckMode, Delivery, Interrupted, Resumed, Topic
from mqctl.target import Endpoint, parse_url
from mqctl.testing import Inconclusive, assert_history
from tests.hub.client import Client

COUNT = 60


def swapped(sink):
    """A sink before which the 20th message and the next change places."""
    held = []
    count = 0

    def tell(events):
        nonlocal count
        for event in events:
            count += isinstance(event, Delivery)
            if count == 20 and isinstance(event, Delivery):
                held.append(event)
                continue
            sink([event])
            if held and isinstance(event, Delivery):
                sink([held.pop()])

    return tell


@pytest.fixture
def play(mqctl_history, mqctl_connection, mqctl_topic):
    """One producer and two consumers, of which the second hears what `spoil` makes of it."""

    def play(spoil=lambda sink: sink, count=COUNT, plant=None):
        consumers = mqctl_history.consumer("c1", plant=plant or {}), mqctl_history.consumer("c2")
        for consumer, sink in zip(consumers, (consumers[0], spoil(consumers[1])), strict=True):
            consumer.subscribe(mqctl_connection(sink)[0], mqctl_topic)
        producer = mqctl_history.producer("A")
        producer.send(mqctl_connection(producer)[0], mqctl_topic, count=count)
        return mqctl_history

    return play


def test_mqctl_hub(mqctl_hub):
    """A running hub, and where it is in both spellings."""
    assert parse_url(mqctl_hub.url).endpoints == (mqctl_hub.endpoint,)
    with Client(mqctl_hub.endpoint) as client:
        client.subscribe("/topic/a")
        client.publish("/topic/a", b"x")
        assert client.bodies(1) == [b"x"]


class TestHistory:
    def test_what_holds_is_said_in_a_report(self, play):
        report = play().expect("fifo", "no-loss", "no-duplicates")
        assert {each.answer.chances for each in report.judged if each.answer.about == "no-loss"} == {2 * COUNT}

    def test_a_swap_is_shown(self, play):
        with pytest.raises(AssertionError) as failure:
            play(swapped).expect("fifo", "no-loss")
        text = str(failure.value)
        assert "fifo: fail: 1 found" in text
        assert "c2 got A20 after A21" in text
        assert "│ A21! │ A20! │" in text
        assert "no-loss" not in text
        assert f"attempted {COUNT}, confirmed {COUNT}" in text
        assert "history.jsonl" in text

    def test_a_loss_is_shown(self, play):
        def lossy(sink):
            return lambda events: sink([each for each in events if b"A 7 " not in getattr(each, "payload", b"")])

        with pytest.raises(AssertionError, match="no A7"):
            play(lossy).expect("no-loss")

    def test_what_nobody_could_see_is_no_pass_and_no_failure(self, mqctl_history):
        with pytest.raises(Inconclusive, match=r"no-loss: inconclusive: .*there were no deliveries of confirmed"):
            mqctl_history.expect("no-loss", quiet_s=0.01)
        assert not issubclass(Inconclusive, AssertionError)

    def test_a_planted_fault_is_found_and_counts_for_nothing(self, play):
        history = play(plant={"swap": 10, "drop": 20, "duplicate": 30})
        report = history.expect("fifo", "no-loss", "no-duplicates", controls_required=True)
        assert sum(each.answer.found for each in report.judged) >= 3

    def test_what_was_held_back_to_change_places_is_not_lost_where_nothing_follows(self, mqctl_history):
        producer, consumer = mqctl_history.producer("A"), mqctl_history.consumer("c", plant={"swap": 1})
        consumer.subscribed()
        n = producer.publish()
        producer.confirmed(n)
        consumer.delivered("A", n)
        mqctl_history.expect("no-loss", quiet_s=0.01)

    def test_without_a_planted_fault_a_required_control_is_missing(self, play):
        with pytest.raises(Inconclusive, match="no fault of this kind was planted"):
            play().expect("fifo", controls_required=True)

    def test_a_history_is_judged_again_from_its_file(self, play):
        history = play()
        history.drain()
        history.expect("fifo,no-loss")
        assert_history(history, "fifo,no-loss")
        assert_history(str(history.path), expect=("fifo", "no-loss"))

    def test_an_unknown_expectation_is_told_before_anything_is_waited_for(self, mqctl_history):
        with pytest.raises(UsageError, match="nothing is known about 'fifoo'") as error:
            mqctl_history.expect("fifoo", quiet_s=60)
        assert any("agreement" in note for note in error.value.__notes__)
        with pytest.raises(UsageError, match="nothing is expected"):
            mqctl_history.expect()

    def test_an_unknown_fault_and_a_file_that_is_not_there(self, mqctl_history, tmp_path):
        with pytest.raises(UsageError, match=r"'swop'.*drop, duplicate, swap, delay"):
            mqctl_history.consumer("c", plant={"swop": 1})
        with pytest.raises(UsageError, match="cannot read"):
            assert_history(tmp_path / "nothing")

    def test_a_producer_is_one_stream_to_one_topic(self, mqctl_history):
        producer = mqctl_history.producer("A")
        producer.publish("a")
        with pytest.raises(UsageError, match="publishes to a, and now to b"):
            producer.publish("b")

    def test_what_is_written_by_hand_is_judged(self, mqctl_history):
        producer, consumer = mqctl_history.producer("A"), mqctl_history.consumer("c")
        consumer.subscribed("t", ack="individual")
        taken, refused, forgotten = (producer.publish("t") for _ in range(3))
        producer.confirmed(taken)
        producer.rejected(refused, "no room")
        producer.unknown(forgotten, "timeout")
        consumer.delivered("A", taken)
        consumer.acked("A", taken)
        consumer.delivered("A", refused)
        consumer.foreign()
        with pytest.raises(AssertionError, match="no-strangers: fail: 2 found"):
            mqctl_history.expect("no-loss", "no-strangers", quiet_s=0.01)

    def test_what_is_refused_is_to_come_again(self, mqctl_history):
        producer, consumer = mqctl_history.producer("A"), mqctl_history.consumer("c")
        consumer.subscribed(ack="individual")
        consumer.delivered("A", producer.publish())
        consumer.nacked("A", 1)
        with pytest.raises(AssertionError, match="redelivery: fail"):
            mqctl_history.expect("redelivery", quiet_s=0.01)

    def test_control_characters_of_names_do_not_reach_the_terminal(self, mqctl_history):
        consumer = mqctl_history.consumer("\x1b[31mred")
        consumer.delivered("A", 2)
        consumer.delivered("A", 1)
        with pytest.raises(AssertionError) as failure:
            mqctl_history.expect("fifo", quiet_s=0.01)
        assert "\x1b" not in str(failure.value)


class TestProxy:
    def test_a_cut_loses_what_is_not_acknowledged(self, mqctl_history, mqctl_connection, mqctl_proxy, mqctl_topic):
        """Of a topic, a message that was on its way is gone, and the witness says which."""
        consumer, producer, link = mqctl_history.consumer("c"), mqctl_history.producer("A"), mqctl_proxy()
        connection, events = mqctl_connection(consumer, via=link, within_s=10)
        consumer.subscribe(connection, mqctl_topic)
        sending, _ = mqctl_connection(producer)
        link.down.cut_at(producer.payload(5))
        producer.send(sending, mqctl_topic, count=10)
        with pytest.raises(AssertionError, match="no A5"):
            mqctl_history.expect("no-loss", "fifo")
        assert events.of(Interrupted)
        assert events.of(Resumed)

    def test_nothing_is_lost_that_is_acknowledged(self, mqctl_history, mqctl_connection, mqctl_proxy):
        queue = Topic(native="/queue/gate")
        consumer, producer, link = mqctl_history.consumer("c"), mqctl_history.producer("A"), mqctl_proxy()
        connection, _ = mqctl_connection(consumer, via=link, within_s=10)
        consumer.subscribe(connection, SubscribeSpec(topic=queue, ack_mode=AckMode.INDIVIDUAL), group="gate")
        with mqctl_history.trouble("cut"):
            cut = link.down.cut_at(producer.payload(5))
            producer.send(mqctl_connection(producer)[0], queue, count=10)
            assert cut.wait(10)
        report = mqctl_history.expect("no-loss", "fifo")
        assert [fault.fault for fault in report.faults] == ["cut", "cut"]

    def test_while_a_connection_is_sought_nothing_is_drained(
        self, mqctl_history, mqctl_connection, mqctl_proxy, mqctl_topic
    ):
        consumer, producer, link = mqctl_history.consumer("c"), mqctl_history.producer("A"), mqctl_proxy()
        lost = threading.Event()
        tell = lambda events: [lost.set() for event in events if isinstance(event, Interrupted)]  # noqa: E731
        connection, _ = mqctl_connection(consumer, tell, via=link, within_s=10)
        consumer.subscribe(connection, mqctl_topic)
        link.refuse()
        link.cut()
        assert lost.wait(10)
        producer.send(mqctl_connection()[0], mqctl_topic, count=2)
        with pytest.raises(Inconclusive, match="no-loss: inconclusive"):
            mqctl_history.expect("no-loss", quiet_s=0.01, timeout_s=0.5)

    @pytest.mark.parametrize("fault", ["stall", "delay", "swallow"])
    def test_trouble_at_a_place(self, fault, mqctl_history, mqctl_connection, mqctl_proxy, mqctl_topic):
        """What is only late is in order and all there; what is swallowed is missed."""
        consumer, producer, link = mqctl_history.consumer("c"), mqctl_history.producer("A"), mqctl_proxy()
        consumer.subscribe(mqctl_connection(consumer, via=link)[0], mqctl_topic)
        sending, _ = mqctl_connection(producer)
        actions = {"stall": link.stall, "delay": lambda: link.down.delay(0.2), "swallow": link.down.swallow}
        begun = link.down.call_at(producer.payload(5), 1, actions[fault])
        producer.send(sending, mqctl_topic, count=5)
        assert begun.wait(10)
        producer.send(sending, mqctl_topic, count=5)
        link.resume()
        if fault == "swallow":
            with pytest.raises(AssertionError, match="no A6"):
                mqctl_history.expect("no-loss")
        else:
            mqctl_history.expect("no-loss", "fifo")

    def test_whose_connection_is_gone_for_good_cannot_tell_of_loss(
        self, mqctl_history, mqctl_connection, mqctl_proxy, mqctl_topic
    ):
        consumer, producer, link = mqctl_history.consumer("c"), mqctl_history.producer("A"), mqctl_proxy()
        connection, events = mqctl_connection(consumer, via=link)
        consumer.subscribe(connection, mqctl_topic)
        link.cut()
        events.disconnected()
        producer.send(mqctl_connection()[0], mqctl_topic, count=2)
        with pytest.raises(Inconclusive, match="no-loss: inconclusive"):
            mqctl_history.expect("no-loss", quiet_s=0.01)

    def test_before_any_endpoint(self, mqctl_hub, mqctl_proxy, mqctl_connection):
        for at in (mqctl_hub.url, mqctl_hub.endpoint):
            mqctl_connection(via=mqctl_proxy(at))

    def test_no_proxy_before_tls(self, mqctl_proxy):
        with pytest.raises(UsageError, match="no proxy before stomp\\+ssl://h:1: a certificate is not valid"):
            mqctl_proxy("stomp+ssl://h:1")


class TestConnection:
    @pytest.mark.parametrize("scheme", ["stomp", "stomp+ws", "bayeux+http"])
    def test_of_any_transport(self, scheme, start, mqctl_history, mqctl_connection, mqctl_proxy, mqctl_topic):
        """Recorded, and by a proxy."""
        hub = start(http=(Endpoint("127.0.0.1", 0),)).thread
        url = next(url for url in hub.urls if url.startswith(f"{scheme}:"))
        consumer, producer = mqctl_history.consumer("c"), mqctl_history.producer("A")
        connection, _ = mqctl_connection(consumer, url=url, via=mqctl_proxy(url))
        consumer.subscribe(connection, mqctl_topic)
        producer.send(connection, mqctl_topic, count=COUNT)
        mqctl_history.expect("fifo", "no-loss", "no-duplicates", "no-strangers")

    def test_a_url_of_ones_own(self, mqctl_connection, mqctl_hub):
        _, events = mqctl_connection(url=mqctl_hub.url)
        assert events.events

    def test_errors_say_what_to_do(self, mqctl_connection):
        with pytest.raises(ConfigError) as error:
            mqctl_connection(url="stmp://localhost")
        assert error.value.__notes__ == ["hint: did you mean stomp://?"]
        with pytest.raises(ConnectError):
            mqctl_connection(url="stomp://127.0.0.1:1", connect_timeout_s=1.0)
