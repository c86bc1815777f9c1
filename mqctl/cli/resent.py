"""Messages that are sent again because nobody knows whether they arrived, and how they are told from others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Final

from mqctl.model import Dialect, Outgoing

RESENT: Final = "mqctl-resent"
"""Header of a message that was sent before, and may have arrived then."""

DUPLICATE_IDS: Final[Mapping[Dialect | None, str]] = {Dialect.ARTEMIS: "_AMQ_DUPL_ID"}
"""The header by which a broker drops a message that it has already."""


class Resending:
    """Marks the messages of a run, so that one that is sent twice is not taken for two.

    Where the transport has no headers (MQTT before version 5), nothing can be marked.

    Args:
        run: A text that no other run has.
    """

    def __init__(self, run: str) -> None:
        self.has_headers = True
        self._run = run
        self._numbers = count(1)

    def first(self, message: Outgoing, dialect: Dialect | None) -> Outgoing:
        """The message as it is sent the first time, to a broker of that dialect."""
        header = DUPLICATE_IDS.get(dialect)
        if header is None or not self.has_headers:
            return message
        return replace(message, headers={header: f"{self._run}-{next(self._numbers)}", **message.headers})

    def again(self, message: Outgoing) -> Outgoing:
        """A message that `first` gave, as it is sent again."""
        return replace(message, headers={**message.headers, RESENT: "true"}) if self.has_headers else message
