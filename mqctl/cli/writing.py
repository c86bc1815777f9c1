"""Writing messages to standard output: in batches when they come fast, one by one when they do not."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from mqctl.cli.formats import Formatter, Record
from mqctl.cli.streams import write_out
from mqctl.model import AckMode, Delivery, SubscriptionId


@dataclass(frozen=True, slots=True)
class Writer:
    """Formats deliveries and writes them out, flushed."""

    out: BinaryIO
    formatter: Formatter
    ack_modes: Mapping[SubscriptionId, AckMode]

    def __call__(self, deliveries: Sequence[Delivery], first: int) -> None:
        """Write a batch; `first` is the number of its first message.

        Raises:
            MeasuredWrong: It could not be written.
            ReaderGone: As it says.
        """
        # One offset for the batch: the wall clock may be set while we run, and a call per message would cost.
        epoch_ns = time.time_ns() - time.monotonic_ns()
        formatter, modes = self.formatter, self.ack_modes
        write_out(
            self.out,
            b"".join(
                [
                    formatter(Record(delivery, n, delivery.received_ns + epoch_ns, modes[delivery.subscription]))
                    for n, delivery in enumerate(deliveries, first)
                ]
            ),
        )
