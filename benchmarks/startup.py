"""`mqctl publish rect 45`, confirmed, as a whole process, against a bare script that does the same on stomp.py."""

from __future__ import annotations

import sys

from benchmarks.measure import MQCTL, hub, in_turn, median, ratio, table, wall_s

ROUNDS = 21
BARE = """
import os, sys, threading
os.environ["STOMP_SKIP_HOSTNAME_SCAN"] = "1"
import stomp
done = threading.Event()
class Listener(stomp.ConnectionListener):
    def on_receipt(self, frame):
        done.set()
connection = stomp.Connection12([("127.0.0.1", int(sys.argv[1]))])
connection.set_listener("", Listener())
connection.connect(wait=True)
connection.send("/topic/rect", '{"producerId":"abcdef","data":45,"date":"2026-01-01T00:00:00.000Z"}', receipt="1")
done.wait()
connection.disconnect(receipt="2")
"""


def main() -> None:
    """Print the table."""
    with hub() as (url,):
        port = url.rpartition(":")[2]
        ours, bare = in_turn(
            ROUNDS,
            lambda: wall_s([MQCTL, "publish", "rect", "45", "--url", url]),
            lambda: wall_s([sys.executable, "-c", BARE, port]),
        )
    table(
        "Start-up: a confirmed publish, whole process",
        ["mqctl publish rect 45", "bare stomp.py script", "ratio", "target"],
        [[median(ours, "ms", 1000), median(bare, "ms", 1000), ratio(ours, bare), "≤ 1.6×"]],
    )


if __name__ == "__main__":
    main()
