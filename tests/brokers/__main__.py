"""`python -m tests.brokers run classic` serves until SIGTERM or Ctrl-C, and prints how to reach it.

One `name=value` line for each fact, quoted for a shell; the lines stand when the broker serves.
"""

from __future__ import annotations

import argparse
import re
import shlex
import signal
import sys
from collections.abc import Iterator

from tests.brokers.files import NotInstalled
from tests.brokers.launch import HEAP_MB, LAUNCHERS, launch
from tests.brokers.process import Broker, BrokerFailed


def main() -> int:
    """Run one broker in the foreground."""
    options = _options()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        with launch(options.broker, heap_mb=options.heap) as broker:
            print("\n".join(_facts(broker)), flush=True)
            while True:
                signal.pause()
    except (NotInstalled, BrokerFailed) as error:
        print(error, file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.brokers", description=__doc__)
    run = parser.add_subparsers(required=True, metavar="run").add_parser("run", help="serve until SIGTERM")
    run.add_argument("broker", choices=LAUNCHERS)
    run.add_argument("--heap", type=int, default=HEAP_MB, metavar="MB", help="memory, %(default)s MB unless given")
    return parser.parse_args()


def _facts(broker: Broker) -> Iterator[str]:
    facts = {
        **{re.sub("[+-]", "_", name): broker.url(name) for name in broker.ports},
        "user": broker.user,
        "password": broker.password,
        "limited_user": broker.credentials.limited_user,
        "limited_password": broker.credentials.limited_password,
        "ca_file": broker.ca_file,
        "version": broker.version,
        "pid": broker.pid,
        "log": broker.log,
    }
    return (f"{name}={shlex.quote(str(value))}" for name, value in facts.items())


if __name__ == "__main__":
    sys.exit(main())
