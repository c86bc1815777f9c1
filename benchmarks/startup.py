"""`mqctl publish rect 45`, confirmed, as a whole process, against a bare script that does the same on the library."""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.measure import MQCTL, broker, hub, in_turn, median, ratio, table, wall_s
from mqctl.target import parse_url

ROUNDS = 21
STOMP_PY = """
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
PAHO = """
import os, sys
from paho.mqtt import client as paho
client = paho.Client(paho.CallbackAPIVersion.VERSION2)
client.username_pw_set(os.environ["MQCTL_USER"], os.environ["MQCTL_PASSWORD"])
client.on_connect = lambda *_: client.publish(
    "rect", '{"producerId":"abcdef","data":45,"date":"2026-01-01T00:00:00.000Z"}', qos=1
)
client.on_publish = lambda *_: client.disconnect()
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_forever()
"""


def row(over: str, library: str, bare: str, url: str, **login: str) -> list[str]:
    """Both acts over one transport."""
    settings = {f"MQCTL_{name.upper()}": value for name, value in login.items()}
    port = str(parse_url(url).endpoints[0].port)
    commands = [MQCTL, "publish", "rect", "45", "--url", url], [sys.executable, "-c", bare, port]
    ours, theirs = in_turn(ROUNDS, *(partial(wall_s, command, settings) for command in commands))
    return [over, median(ours, "ms", 1000), f"{median(theirs, 'ms', 1000)}, {library}", ratio(ours, theirs), "≤ 1.6×"]


def main() -> None:
    """Print the table."""
    rows = []
    with hub() as (url,):
        rows.append(row("STOMP, the hub", "stomp.py", STOMP_PY, url))
    with broker("mosquitto") as facts:
        if facts:
            login = {"user": facts["user"], "password": facts["password"]}
            rows.append(row(f"MQTT, Mosquitto {facts['version']}", "paho-mqtt", PAHO, facts["mqtt"], **login))
    table(
        "Start-up: a confirmed publish, whole process",
        ["over", "mqctl publish rect 45", "a bare script", "ratio", "target"],
        rows,
    )


if __name__ == "__main__":
    main()
