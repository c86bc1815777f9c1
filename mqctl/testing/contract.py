"""The contract of a transport as tests.

Subclass `AdapterContract`, give it a `subject`, run pytest:

    class TestMine(AdapterContract):
        @pytest.fixture
        def subject(self):
            yield from Subject(adapter=MyAdapter(), target=...).serve()

Each test names a law of `mqctl.adapters.base`. What the subject cannot do is skipped with the reason.
"""

from __future__ import annotations

from mqctl.faults.link import Link
from mqctl.testing.laws_acknowledge import AcknowledgeLaws
from mqctl.testing.laws_connect import ConnectLaws
from mqctl.testing.laws_publish import PublishLaws
from mqctl.testing.laws_retained import RetainedLaws
from mqctl.testing.laws_session import SessionLaws
from mqctl.testing.laws_subscribe import SubscribeLaws
from mqctl.testing.laws_transactions import TransactionLaws
from mqctl.testing.recorder import Recorder
from mqctl.testing.subject import Subject, fresh_topic

__all__ = ["AdapterContract", "Link", "Recorder", "Subject", "fresh_topic"]


class AdapterContract(
    ConnectLaws, PublishLaws, SubscribeLaws, AcknowledgeLaws, TransactionLaws, RetainedLaws, SessionLaws
):
    """All laws. A subclass provides the fixture `subject`."""
