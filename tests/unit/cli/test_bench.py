"""What of `bench` needs no broker to be seen."""

from __future__ import annotations

import pytest

from mqctl import topics
from mqctl.cli.bench import is_shared
from mqctl.cli.bench_live import Moment, line


@pytest.mark.parametrize(
    ("topic", "group", "scheme", "shared"),
    [
        ("/queue/x", None, "stomp", True),
        ("/amq/queue/x", None, "stomp+ssl", True),
        ("/queue/x", None, "mem", True),
        ("/queue/x", None, "mqtt", False),
        ("/topic/x", None, "stomp", False),
        ("queue.x", None, "stomp", False),
        ("x", "group", "mqtt+ws", True),
    ],
)
def test_who_shares_messages(topic, group, scheme, shared):
    assert is_shared(topics.parse(topic), group, scheme) is shared


def test_a_line_a_second_tells_what_is_known():
    assert line(Moment(1000.4, 2000, 1_500_000, None, 10_000_000)) == (
        "sent 1,000/s, delivered 2,000/s, p50 1.50 ms, max 10.00 ms"
    )
    assert line(Moment(0, 0, None, None, None)) == "sent 0/s, delivered 0/s"
