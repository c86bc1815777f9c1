"""`mqctl tail` from the socket to its output, against clients that only count, or print as it does.

Each is a whole process and reads the same messages from the firehose, over each transport.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from benchmarks.measure import MQCTL, in_turn, median, ratio, serving, table, wall_s
from tests.brokers.files import NotInstalled, foreign

COUNT, SIZE, ROUNDS = 200_000, 64, 5
FORMS = {"text": [], "--json": ["--json"], "--format '%t %n %p\\n'": ["--format", r"%t %n %p\n"]}

STOMP_PY = """
import os, sys, threading
os.environ["STOMP_SKIP_HOSTNAME_SCAN"] = "1"
import stomp
done = threading.Event()
wanted = int(sys.argv[3])
class Listener(stomp.ConnectionListener):
    seen = 0
    def on_message(self, frame):
        self.seen += 1
        if self.seen == wanted:
            done.set()
kind = {"stomp": stomp.Connection12, "stomp+ws": stomp.WSConnection}[sys.argv[1]]
connection = kind([("127.0.0.1", int(sys.argv[2]))])
connection.set_listener("", Listener())
connection.connect(wait=True)
connection.subscribe("/topic/bench", id="1")
done.wait()
connection.disconnect(receipt="2")
"""

PAHO = """
import sys
from paho.mqtt import client as paho
wanted, seen = int(sys.argv[3]), 0
def on_message(client, data, message):
    global seen
    seen += 1
    if seen == wanted:
        client.disconnect()
transport = {"mqtt": "tcp", "mqtt+ws": "websockets"}[sys.argv[1]]
client = paho.Client(paho.CallbackAPIVersion.VERSION2, transport=transport)
client.on_connect = lambda *_: client.subscribe("bench")
client.on_message = on_message
client.connect("127.0.0.1", int(sys.argv[2]))
client.loop_forever()
"""

LIBRARIES = {"stomp": ("stomp.py", STOMP_PY), "mqtt": ("paho-mqtt", PAHO)}
SCRIPTS = {
    "stomp+ws": ("@stomp/stompjs", "stompjs", "/topic/bench"),
    "mqtt": ("mqtt.js", "mqttjs", "bench"),
    "mqtt+ws": ("mqtt.js", "mqttjs", "bench"),
}
"""Clients on Node.js: what each is called, its folder, and its name for the topic."""


def peers(scheme: str, port: str) -> Iterator[tuple[str, list[str]]]:
    """Each client to be compared with: what it is, and its command."""
    name, code = LIBRARIES[scheme.partition("+")[0]]
    yield f"{name}, counting only", [sys.executable, "-c", code, scheme, port, str(COUNT)]
    if scheme == "mqtt" and (program := shutil.which("mosquitto_sub")):
        yield "mosquitto_sub, printing", [program, "-p", port, "-t", "bench", "-C", str(COUNT)]
    if scheme in SCRIPTS:
        name, folder, topic = SCRIPTS[scheme]
        url = f"{scheme.rpartition('+')[2]}://127.0.0.1:{port}/"
        with suppress(NotInstalled):
            yield f"{name}, counting only", [*foreign(folder, "count.js"), url, topic, str(COUNT)]


def rate(command: list[str]) -> float:
    """Messages a second over the whole life of a process."""
    return COUNT / wall_s(command)


def rows(scheme: str) -> Iterator[list[str]]:
    """All forms against all clients over one transport."""
    with serving([sys.executable, "-m", "benchmarks.firehose", scheme, str(COUNT), str(SIZE)]) as (port,):
        url = f"{scheme}://127.0.0.1:{port}"
        tail = [MQCTL, "tail", "bench", "--count", str(COUNT), "--url", url]
        against = dict(peers(scheme, port))
        commands = [*([*tail, *form] for form in FORMS.values()), *against.values()]
        measured = in_turn(ROUNDS, *(partial(rate, command) for command in commands))
    ours, theirs = measured[: len(FORMS)], measured[len(FORMS) :]
    # The first form against everybody; the others against the library alone.
    pairs = [(0, at) for at in range(len(theirs))] + [(at, 0) for at in range(1, len(ours))]
    for form, other in pairs:
        yield [
            scheme,
            list(FORMS)[form],
            median(ours[form], "/s"),
            list(against)[other],
            median(theirs[other], "/s"),
            ratio(ours[form], theirs[other]),
            "≥ 1×",
        ]


def main() -> None:
    """Print the table."""
    table(
        f"Tail: {COUNT:,} messages of {SIZE} bytes, whole process, start-up and output included",
        ["over", "mqctl tail", "messages/s", "against", "theirs", "ratio", "target"],
        [row for scheme in ("stomp", "stomp+ws", "mqtt", "mqtt+ws") for row in rows(scheme)],
    )


if __name__ == "__main__":
    main()
