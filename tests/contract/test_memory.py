"""The transport inside the process keeps its contract."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from mqctl.adapters.memory import MemoryAdapter
from mqctl.model import Topic
from mqctl.target import Endpoint, Target
from mqctl.testing.contract import AdapterContract, Subject, lacking


@lacking("link", "nobody", "stranger", "forbidden")
class TestMemory(AdapterContract):
    adapter = MemoryAdapter()

    @pytest.fixture
    def subject(self, request: pytest.FixtureRequest) -> Iterator[Subject]:
        yield from Subject(
            adapter=self.adapter,
            target=Target(scheme="mem", endpoints=(Endpoint(f"contract-{secrets.token_hex(6)}", 0),)),
            queue=lambda: Topic(native=f"/queue/contract-{secrets.token_hex(6)}"),
        ).serve(request)
