"""One frame of the live screen: a 100×30 line chart of 500 points, a rectangle, dots; and a whole live process."""

from __future__ import annotations

import io
import os
import pty
import random
import signal
import subprocess
import threading
import time

from rich.console import Console

from benchmarks.measure import ENVIRONMENT, MQCTL, cpu_s, hub, median, table
from mqctl import application
from mqctl.cli.board import Board, Drawing
from mqctl.model import SubscriptionId
from mqctl.views.base import ViewOptions
from mqctl.views.layout import Pane, Status
from mqctl.views.registry import VIEWS
from mqctl.views.theme import UNICODE

WIDTH, HEIGHT, POINTS, FRAMES = 100, 30, 500, 300
RATE, SETTLE_S, SECONDS = 10_000, 1.0, 5.0
NS_PER_S = 1_000_000_000


def board_of(view: str, payloads: list[bytes]) -> Board:
    """A board that has seen the payloads, a tenth of a second apart."""
    drawing = Drawing(Pane(view, VIEWS[view](ViewOptions())))
    for n, payload in enumerate(payloads):
        drawing.view.observe(view, application.decode(payload), n * NS_PER_S // 10)
    return Board({SubscriptionId(view): drawing}, Status("benchmark"), UNICODE)


def frames(board: Board) -> tuple[list[float], list[float]]:
    """Seconds of processor time to compose one frame, and to have written it to a terminal that swallows everything."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=WIDTH, height=HEIGHT)
    composed, shown = [], []
    with console.screen():
        for n in range(FRAMES):
            start = time.process_time()
            lines = board.draw(WIDTH, HEIGHT, POINTS * NS_PER_S // 10 + n * NS_PER_S // 30)
            composed.append(time.process_time() - start)
            console.update_screen_lines(lines)
            shown.append(time.process_time() - start)
            console.file.seek(0)
            console.file.truncate()
    return composed, shown


def live_cpu(url: str) -> tuple[float, float]:
    """The share of a core that `mqctl watch` uses on a terminal at RATE messages a second, and the rate it had."""
    master, slave = pty.openpty()
    swallow = threading.Thread(target=_swallow, args=(master,), daemon=True)
    swallow.start()
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": str(HEIGHT)}
    watcher = subprocess.Popen(
        [MQCTL, "watch", "load", "--view", "chart", "--url", url],
        stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=environment, text=True,
    )  # fmt: skip
    assert watcher.stderr is not None
    watcher.stderr.readline()
    publisher = subprocess.Popen(
        [MQCTL, "publish", "load", "--generate", "sine", "--rate", str(RATE), "--url", url, "--confirm", "socket"],
        stderr=subprocess.PIPE, env=ENVIRONMENT, text=True,
    )  # fmt: skip
    time.sleep(SETTLE_S)
    before = cpu_s(watcher.pid)
    time.sleep(SECONDS)
    used = cpu_s(watcher.pid) - before
    publisher.send_signal(signal.SIGINT)
    _, summary = publisher.communicate()
    watcher.send_signal(signal.SIGINT)
    watcher.wait()
    sent = int(summary.split("attempted ")[1].split(",")[0])
    return used / SECONDS, sent / (SETTLE_S + SECONDS)


def _swallow(master: int) -> None:
    try:
        while os.read(master, 65536):
            pass
    except OSError:
        return


def main() -> None:
    """Print the tables."""
    rng = random.Random(1)
    boards = {
        "chart, line": board_of("chart", [b"%f" % rng.uniform(0, 100) for _ in range(POINTS)]),
        "chart, bars": board_of("chart", [b"[3,1,4,1,5,9,2]"]),
        "rect": board_of("rect", [b"45", b"95"]),
        "dots": board_of("dots", [b'{"x":%d,"y":%d,"producerId":"p%d"}' % (n * 5, n * 3, n) for n in range(90)]),
    }
    rows = []
    for name, board in boards.items():
        composed, shown = frames(board)
        rows.append([name, median(composed, "ms", 1000), median(shown, "ms", 1000), "≤ 1 ms"])
    table(f"One frame, {WIDTH}×{HEIGHT}, {POINTS} points", ["view", "composed", "on the terminal", "target"], rows)
    with hub() as (url,):
        share, rate = live_cpu(url)
    table(
        "A live line chart, 30 frames a second at most",
        ["messages/s", "share of a core", "target"],
        [[f"{rate:,.0f}", f"{share:.0%}", "≤ 25 % at 10,000/s"]],
    )


if __name__ == "__main__":
    main()
