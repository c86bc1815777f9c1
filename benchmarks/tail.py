"""`mqctl tail` from the socket to its output, against stomp.py's bare receive loop that only counts."""

from __future__ import annotations

import sys

from benchmarks.measure import MQCTL, in_turn, median, ratio, serving, table, wall_s

COUNT, SIZE, ROUNDS = 200_000, 64, 7
BARE = """
import os, sys, threading
os.environ["STOMP_SKIP_HOSTNAME_SCAN"] = "1"
import stomp
done = threading.Event()
wanted = int(sys.argv[2])
class Listener(stomp.ConnectionListener):
    seen = 0
    def on_message(self, frame):
        self.seen += 1
        if self.seen == wanted:
            done.set()
connection = stomp.Connection12([("127.0.0.1", int(sys.argv[1]))])
connection.set_listener("", Listener())
connection.connect(wait=True)
connection.subscribe("/topic/bench", id="1")
done.wait()
connection.disconnect(receipt="2")
"""


def main() -> None:
    """Print the table."""
    forms = {"text": [], "--json": ["--json"], "--format '%t %n %p\\n'": ["--format", r"%t %n %p\n"]}
    with serving([sys.executable, "-m", "benchmarks.firehose", str(COUNT), str(SIZE)]) as (port,):
        tails = [
            [MQCTL, "tail", "bench", "--count", str(COUNT), "--url", f"stomp://127.0.0.1:{port}", *form]
            for form in forms.values()
        ]
        bare, *ours = in_turn(
            ROUNDS,
            lambda: COUNT / wall_s([sys.executable, "-c", BARE, port, str(COUNT)]),
            *(lambda command=command: COUNT / wall_s(command) for command in tails),
        )
    table(
        f"Tail: {COUNT:,} messages of {SIZE} bytes, whole process, start-up and output included",
        ["mqctl tail", "messages/s", "stomp.py, counting only", "ratio", "target"],
        [
            [form, median(o, "/s"), median(bare, "/s"), ratio(o, bare), "≥ 1×"]
            for form, o in zip(forms, ours, strict=True)
        ],
    )


if __name__ == "__main__":
    main()
