"""A session: how long a connect waits, what it brings, what is kept, and when it is over."""

from __future__ import annotations

import pytest

from mqctl.protocols.bayeux.message import Message
from mqctl.protocols.bayeux.queue import Fate
from mqctl.protocols.bayeux.session import State
from tests.unit.protocols.bayeux.house import MS, Caller, House


def done(reply, **more):
    return {"id": reply["id"], "channel": "/meta/connect", "successful": True, **more}


@pytest.fixture
def house():
    return House()


@pytest.fixture(params=[False, True], ids=["request", "socket"])
def socket(request):
    return request.param


def test_the_first_connect_does_not_wait_and_the_second_does(house, socket):
    caller = Caller(house, socket=socket)
    (first,) = caller.connect()
    assert first == done(first, advice={"reconnect": "retry", "interval": 0, "timeout": 20_000})
    assert caller.connect() == []
    house.sleep(19_999)
    assert caller.poll() == []
    house.sleep(1)
    assert caller.session.next_deadline_ns() == house.now_ns
    assert caller.poll() == [{"id": "2", "channel": "/meta/connect", "successful": True}]


def test_a_client_that_asks_does_not_wait(house, socket):
    caller = Caller(house, socket=socket).connected()
    (reply,) = caller.connect(advice={"timeout": 0})
    assert reply["advice"]["timeout"] == 20_000


@pytest.mark.parametrize(
    ("asked", "ms"), [(500, 500), (500.5, 500), (99_999, 20_000), (-1, 20_000), (True, 20_000), ("5", 20_000)]
)
def test_how_long_a_client_may_ask_to_wait(house, asked, ms):
    caller = Caller(house).connected()
    assert caller.connect(advice={"timeout": asked}) == []
    assert caller.session.next_deadline_ns() == ms * MS


def test_a_message_ends_the_wait_of_a_request(house):
    caller = Caller(house).subscribe("/a").connected()
    caller.connect()
    house.send("/a", b"1")
    assert caller.poll() == [{"channel": "/a", "data": 1}, {"id": "3", "channel": "/meta/connect", "successful": True}]
    assert caller.poll() == []


def test_a_connect_that_could_wait_for_more(house):
    """Only where messages are all that would end its wait."""
    caller = Caller(house).subscribe("/a").connected()
    caller.connect()
    assert not caller.session.eager(house.now_ns)
    house.send("/a", b"1")
    assert caller.session.eager(house.now_ns)
    assert not caller.session.eager(house.now_ns + 20_000 * MS)
    caller.poll()
    assert not caller.session.eager(house.now_ns)


def test_over_a_socket_a_message_leaves_the_connect_waiting(house):
    caller = Caller(house, socket=True).subscribe("/a").connected()
    caller.connect()
    house.send("/a", b"1")
    assert caller.poll() == [{"channel": "/a", "data": 1}]
    assert caller.session.held is not None
    assert caller.session.straight


def test_what_waits_ends_the_next_connect_at_once(house):
    caller = Caller(house).subscribe("/a").connected()
    house.send("/a", b"1")
    assert [each["channel"] for each in caller.connect()] == ["/a", "/meta/connect"]


def test_any_answer_brings_what_waits(house):
    """That is the default; the order over two connections is nobody's promise."""
    caller = Caller(house).subscribe("/a").connected()
    caller.connect()
    house.send("/a", b"1")
    assert [each["channel"] for each in caller.publish("/b")] == ["/a", "/b"]
    assert caller.poll() == []


def test_deliver_only(socket):
    """Then connects alone bring messages, over a socket too."""
    house = House(deliver_only=True)
    caller = Caller(house, socket=socket).subscribe("/a").connected()
    caller.connect()
    house.send("/a", b"1")
    assert not caller.session.straight
    assert [each["channel"] for each in caller.publish("/b")] == ["/b"]
    assert [each["channel"] for each in caller.poll()] == ["/a", "/meta/connect"]
    house.send("/a", b"2")
    assert caller.poll() == []
    assert [each["channel"] for each in caller.connect()] == ["/a", "/meta/connect"]


def test_deliver_only_for_one_session(house, socket):
    """A client asks for it in its handshake, strictly, and is told; others are as they were."""
    ordered = Caller(house, socket=socket, ext={"metaConnectDeliverOnly": True}).subscribe("/a").connected()
    assert ordered.greeting["ext"] == {"metaConnectDeliverOnly": True}
    others = [Caller(house, socket=socket, ext={"metaConnectDeliverOnly": said}) for said in (False, 1, "true")]
    assert not any("ext" in other.greeting or other.session.deliver_only for other in others)
    house.send("/a", b"1")
    assert [each["channel"] for each in ordered.publish("/b")] == ["/b"]
    assert [each["channel"] for each in ordered.connect()] == ["/a", "/meta/connect"]


def test_scripts_keep_their_order(house):
    caller = Caller(house).subscribe("/a").connected()
    house.send("/a", b"1")
    caller.link.ordered = True
    assert [each["channel"] for each in caller.publish("/b")] == ["/b"]
    assert [each["channel"] for each in caller.connect()] == ["/a", "/meta/connect"]


def test_a_connect_among_others_does_not_wait_over_http(house, socket):
    caller = Caller(house, socket=socket).connected()
    replies = caller.ask(
        *(
            {"id": name, "channel": name, "clientId": caller.client_id, "data": 1}
            for name in ("/a", "/meta/connect", "/b")
        )
    )
    assert [reply["id"] for reply in replies] == ["/a", "/b"] + ["/meta/connect"] * (not socket)


def test_a_newer_connect_takes_the_place_of_the_older(house, socket):
    caller = Caller(house, socket=socket).connected()
    caller.connect()
    caller.connect()
    assert house.superseded == [caller.session]
    house.sleep(20_000)
    assert [reply["id"] for reply in caller.poll()] == ["3"]


def test_a_connect_hurried(house):
    caller = Caller(house).connected()
    caller.session.hurry(house.now_ns)
    caller.connect()
    caller.session.hurry(house.now_ns)
    assert len(caller.poll()) == 1


def test_one_connect_of_a_browser_waits(house):
    """The others are told to come again later, and may: they are kept alive so long."""
    first = Caller(house)
    second = Caller(house)
    second.link.owner = first.link.owner
    (greeting,) = second.ask({"channel": "/meta/handshake"})
    second.client_id = greeting["clientId"]
    first.connected().connect()
    second.connected()
    (told,) = second.connect()
    assert told["advice"] == {"multiple-clients": True, "reconnect": "retry", "interval": 2000, "timeout": 20_000}
    assert second.session.next_deadline_ns() == 12_000 * MS
    first.session.hurry(0)
    first.poll()
    assert second.connect() == []


def test_an_event_source_connects_now_and_then():
    house = House()
    caller = Caller(house).connected()
    (reply,) = caller.say("/meta/connect", connectionType="eventsource")
    assert reply["advice"] == {"reconnect": "retry", "interval": 20_000, "timeout": 0}
    assert caller.session.next_deadline_ns() == 30_000 * MS


def test_the_time_of_a_connect_that_waited(house):
    caller = Caller(house).connected()
    caller.connect(ext={"timesync": {"tc": 1_000_000, "l": 0, "o": 0}})
    house.sleep(20_000)
    (reply,) = caller.poll()
    assert reply["ext"] == {"timesync": {"tc": 1_000_000, "ts": 1_000_000, "p": 20_000, "a": 0}}
    (reply,) = caller.connect(advice={"timeout": 0}, ext={"timesync": {"tc": 1_000_000, "l": 1, "o": 0}})
    assert "ext" not in reply


def test_a_session_without_connects_expires(house):
    """Ten seconds after the handshake, though other messages keep it a little longer."""
    caller = Caller(house)
    session = caller.session
    assert session.next_deadline_ns() == 10_000 * MS
    house.sleep(9_999)
    assert not house.server.lapse(session, house.now_ns)
    caller.publish("/a")
    house.sleep(9_999)
    assert not house.server.lapse(session, house.now_ns)
    house.sleep(1)
    assert house.server.lapse(session, house.now_ns)
    assert house.dismissed == [(session, None, "the client did not connect again in time", True)]
    assert session.state is State.ENDED
    assert not session.straight
    assert caller.connect()[0]["advice"] == {"reconnect": "handshake", "interval": 0}


def test_a_session_that_waits_does_not_expire(house):
    caller = Caller(house).connected()
    caller.connect()
    caller.publish("/a")
    house.sleep(10**9)
    assert not house.server.lapse(caller.session, house.now_ns)
    caller.session.rest(house.now_ns)
    assert caller.session.next_deadline_ns() == house.now_ns + 10_000 * MS


def test_a_client_may_ask_for_a_longer_pause(house):
    caller = Caller(house).connected()
    (reply,) = caller.connect(advice={"timeout": 0, "interval": 5000})
    assert reply["advice"]["interval"] == 5000
    assert caller.session.next_deadline_ns() == 15_000 * MS
    caller.connect(advice={"timeout": 0, "interval": 10**12})
    assert caller.session.next_deadline_ns() == 3_610_000 * MS
    caller.connect(advice={"timeout": 0})
    assert caller.session.next_deadline_ns() == 10_000 * MS


def test_activity():
    """Who does nothing but connect is told to go."""
    house = House(inactive_ms=60_000)
    caller = Caller(house).connected()
    for _ in range(3):
        caller.connect()
        house.sleep(20_000)
        caller.poll()
    assert caller.connect() == []
    house.sleep(20_000)
    caller.poll()
    assert caller.connect() == [
        {"id": "6", "channel": "/meta/connect", "successful": True, "advice": {"reconnect": "none"}}
    ]
    assert house.dismissed[0][2] == "the client did nothing but connect"


@pytest.mark.parametrize(("channel", "fields"), [("/a", {"data": 1}), ("/meta/subscribe", {"subscription": "/b"})])
def test_whatever_is_no_connect_is_activity(channel, fields):
    """Of the client: what it is sent is none of its own."""
    house = House(inactive_ms=60_000)
    caller = Caller(house).subscribe("/to").connected()
    house.sleep(50_000)
    house.send("/to", b"1")
    caller.say(channel, **fields)
    house.sleep(50_000)
    house.send("/to", b"1")
    assert caller.connect(advice={"timeout": 0})[-1]["advice"]["reconnect"] == "retry"
    house.sleep(10_001)
    house.send("/to", b"1")
    assert caller.connect()[-1]["advice"] == {"reconnect": "none"}


def test_lazy_messages_wait_for_others_or_for_a_while(house, socket):
    house.lazy.add("/lazy")
    caller = Caller(house, socket=socket).subscribe("/lazy", "/a").connected()
    caller.connect()
    house.send("/lazy", b"1")
    house.sleep(1000)
    house.send("/lazy", b"2")
    assert caller.poll() == []
    assert caller.session.next_deadline_ns() == 5_000 * MS
    house.sleep(4000)
    assert [each.get("data") for each in caller.poll()][:2] == [1, 2]
    house.send("/lazy", b"3")
    house.send("/a", b"4")
    assert [each.get("data") for each in (caller.poll() if socket else caller.connect())][:2] == [3, 4]


class TestAck:
    """The ack extension."""

    @pytest.fixture
    def caller(self, house, socket):
        caller = Caller(house, socket=socket, ext={"ack": True}).subscribe("/a")
        assert caller.greeting["ext"] == {"ack": True}
        return caller

    def test_nobody_is_made_to(self, house):
        assert "ext" not in Caller(house, ext={"ack": 1}).greeting
        assert "ext" not in Caller(house, ext={"ack": False}).greeting

    def test_lost_replies_are_made_good(self, house, caller):
        """The exchange of CometD's documentation."""
        assert caller.connect(ext={"ack": 0}, advice={"timeout": 0})[-1]["ext"] == {"ack": 1}
        assert caller.connect(ext={"ack": 1}) == []
        house.send("/a", b"1")
        assert [*caller.poll()[0].values()] == ["/a", 1]
        again = caller.connect(ext={"ack": 1})
        assert [each.get("data") for each in again] == [1, None]
        assert again[-1]["ext"] == {"ack": 3}
        house.send("/a", b"2")
        both = caller.connect(ext={"ack": 1})
        assert [each.get("data") for each in both] == [1, 2, None]
        assert caller.session.waiting == 2
        assert caller.connect(ext={"ack": both[-1]["ext"]["ack"]}) == []
        assert caller.session.waiting == 0
        house.sleep(20_000)
        assert caller.poll()[-1]["ext"] == {"ack": 5}

    def test_only_connects_bring_messages(self, house, caller):
        house.send("/a", b"1")
        assert [each["channel"] for each in caller.publish("/b")] == ["/b"]

    def test_no_ack_acknowledges_nothing(self, house, caller):
        caller.connect()
        house.send("/a", b"1")
        for ext in ({}, {"ack": -1}, {"ack": "9"}, {"ack": None}):
            assert [each.get("data") for each in caller.connect(ext=ext)] == [1, None]

    def test_what_is_kept_is_bounded(self):
        house = House(queue_items=3)
        caller = Caller(house, ext={"ack": True}).subscribe("/a").connected()
        for number in range(3):
            house.send("/a", b"%d" % number)
        assert len(caller.connect(ext={"ack": 1})) == 4
        ((dropped, why),) = house.send("/a", b"3")
        assert (dropped.data, why) == (b"0", Fate.QUEUE_FULL)
        assert [each.get("data") for each in caller.connect(ext={"ack": 1})] == [1, 2, 3, None]


class TestBounds:
    """What a client that does not take its messages costs."""

    def test_the_oldest_make_room(self):
        house = House(queue_items=3)
        caller = Caller(house).subscribe("/a").connected()
        dropped = [each for number in range(5) for each in house.send("/a", b"%d" % number)]
        assert [item.data for item, _ in dropped] == [b"0", b"1"]
        assert [each.get("data") for each in caller.connect()] == [2, 3, 4, None]
        assert house.budget.room == 1_000_000

    def test_bytes(self):
        house = House(queue_bytes=250)
        caller = Caller(house).subscribe("/a").connected()
        for number in range(3):
            house.send("/a", b"%d" % number)
        assert caller.session.waiting == 2
        house.send("/a", b"9", cost_bytes=9999)
        assert [each.get("data") for each in caller.connect()] == [9, None]

    def test_or_the_session_ends(self):
        house = House(queue_items=1, drop_oldest=False)
        caller = Caller(house).subscribe("/a").connected()
        house.send("/a", b"0")
        assert not caller.session.overflowed
        ((item, why),) = house.send("/a", b"1")
        assert (item.data, why) == (b"1", Fate.QUEUE_FULL)
        assert caller.session.overflowed

    def test_memory(self):
        house = House(room=2)
        caller = Caller(house).subscribe("/a").connected()
        dropped = [each for number in range(3) for each in house.send("/a", b"%d" % number)]
        assert [(item.data, why) for item, why in dropped] == [(b"2", Fate.MEMORY_FULL)]
        caller.say("/meta/disconnect")
        assert house.budget.room == 2

    def test_memory_of_what_is_not_acknowledged(self):
        house = House(room=2)
        caller = Caller(house, ext={"ack": True}).subscribe("/a").connected()
        house.send("/a", b"1")
        caller.connect(ext={"ack": 1})
        assert house.budget.room == 1
        house.server.end(caller.session, "gone")
        assert house.budget.room == 2

    def test_a_reply_has_its_share_and_the_next_the_rest(self, socket):
        house = House(reply_bytes=250)
        caller = Caller(house, socket=socket).subscribe("/a").connected()
        for number in range(5):
            house.send("/a", b"%d" % number)
        ask = caller.poll if socket else caller.connect
        got = [[each["data"] for each in ask() if "data" in each] for _ in range(3)]
        assert got == [[0, 1], [2, 3], [4]]
        assert caller.poll() == []

    @pytest.mark.parametrize("deliver_only", [False, True])
    def test_the_rest_presses_where_it_may_be_pushed(self, deliver_only):
        house = House(reply_bytes=250, deliver_only=deliver_only)
        caller = Caller(house, socket=True).subscribe("/a").connected()
        for number in range(3):
            house.send("/a", b"%d" % number)
        assert caller.session.pressing is not deliver_only
        caller.poll()
        assert caller.session.pressing is not deliver_only
        caller.poll()
        assert not caller.session.pressing

    @pytest.mark.parametrize("deliver_only", [False, True])
    def test_a_reply_that_goes_apart_takes_along_what_connects_alone_deliver(self, deliver_only):
        house = House(deliver_only=deliver_only)
        caller = Caller(house, socket=True).subscribe("/a")
        house.send("/a", b"1")
        caller.session.connect(Message(channel="/meta/connect"), house.now_ns, may_hold=True)
        messages, reply = caller.session.poll(house.now_ns, pushed=True, apart=True)
        assert reply is not None
        assert len(messages) == deliver_only


def test_only_messages_make_a_connect_eager(house):
    """Not one that does not wait, nor one whose time is over, nor one for which nothing is there."""
    caller = Caller(house).subscribe("/a")
    session = caller.session
    assert not session.eager(house.now_ns)
    house.send("/a", b"1")
    assert not session.eager(house.now_ns)
    assert [each.get("data") for each in caller.connect()] == [1, None]
    assert caller.connect() == []
    assert not session.eager(house.now_ns)
    house.send("/a", b"2")
    assert session.eager(house.now_ns)
    house.sleep(20_000)
    assert not session.eager(house.now_ns)
