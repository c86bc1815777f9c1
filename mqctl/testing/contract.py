"""The contract of a transport as tests.

Subclass `AdapterContract`, name the transport, give it a `subject`, run pytest:

    @lacking("queue", "stranger", "forbidden")
    class TestMine(AdapterContract):
        adapter = MyAdapter()

        @pytest.fixture
        def subject(self, request):
            with Link(Endpoint("localhost", 61613)) as link:
                target = Target(scheme="mine", endpoints=(link.endpoint,))
                nobody = Target(scheme="mine", endpoints=(Endpoint("localhost", 1),))
                yield from Subject(adapter=self.adapter, target=target, link=link, nobody=nobody).serve(request)

Each test names a law of `mqctl.adapters.base`. Everything is expected of the subject that the adapter's `info` has, and
all of `mqctl.testing.offers.TRAITS`, but for what it is declared to lack: of that, there are no laws but that it is
refused. Where the fixture has parameters that lack more, they say so: `pytest.param(..., marks=lacking("selector"))`.
"""

from __future__ import annotations

from typing import ClassVar

from mqctl.adapters.base import Adapter
from mqctl.faults.link import Link
from mqctl.testing.laws_acknowledge import AcknowledgeLaws
from mqctl.testing.laws_connect import ConnectLaws
from mqctl.testing.laws_publish import PublishLaws
from mqctl.testing.laws_refuse import RefuseLaws
from mqctl.testing.laws_retained import RetainedLaws
from mqctl.testing.laws_session import SessionLaws
from mqctl.testing.laws_subscribe import SubscribeLaws
from mqctl.testing.laws_transactions import TransactionLaws
from mqctl.testing.offers import lacking
from mqctl.testing.recorder import Recorder
from mqctl.testing.subject import Subject, fresh_topic

__all__ = ["AdapterContract", "Link", "Recorder", "Subject", "fresh_topic", "lacking"]


class AdapterContract(
    ConnectLaws,
    PublishLaws,
    SubscribeLaws,
    AcknowledgeLaws,
    TransactionLaws,
    RetainedLaws,
    SessionLaws,
    RefuseLaws,
):
    """All laws. A subclass names its `adapter` and provides the fixture `subject`."""

    adapter: ClassVar[Adapter]
