"""A script of a foreign client under way, which says what it sees, a line of JSON each."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from queue import Queue
from typing import Any

from tests.brokers.files import foreign
from tests.brokers.process import Broker

LIMIT_S = 25.0
"""For what must come."""


class Script:
    """See `speaking`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._said: Queue[bytes] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._said.put(line)
        self._said.put(b"")

    def next(self) -> Any:
        """Wait for what it says next."""
        line = self._said.get(timeout=LIMIT_S)
        assert line, "the script ended"
        return json.loads(line)

    def rest(self) -> list[Any]:
        """Wait for its end; what it said and nobody asked for."""
        assert self._process.wait(LIMIT_S) == 0
        return [json.loads(line) for line in iter(self._said.get, b"")]

    def abandon(self) -> None:
        """End it whatever it does."""
        self._process.kill()
        self._process.wait()
        self._reader.join()


def script(client: str, name: str, *arguments: str, environment: Mapping[str, str]) -> AbstractContextManager[Script]:
    """Run a script of a foreign client for Node.js, which does not outlive the block."""
    return speaking([*foreign(client, name), *arguments], environment)


@contextlib.contextmanager
def speaking(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Script]:
    """Run a program that prints lines of JSON, which does not outlive the block."""
    environment = {"PATH": os.environ["PATH"], **environment}
    running = Script(
        subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)  # stderr is ours
    )
    try:
        yield running
    finally:
        running.abandon()


def login_at(broker: Broker) -> dict[str, str]:
    """The environment of a script that logs in and trusts the broker's authority."""
    return {
        "BROKER_USER": broker.user,
        "BROKER_PASSWORD": broker.password,
        "NODE_EXTRA_CA_CERTS": str(broker.ca_file),
    }


def browser_url(broker: Broker, listener: str) -> str:
    """A listener's address as a browser knows it: `wss://…` for `mqtt+wss://…`."""
    return broker.url(listener).rpartition("+")[2]
