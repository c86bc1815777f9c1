"""Writing messages to standard output: in batches when they come fast, one by one when they do not."""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from mqctl.cli.formats import Formatter, Record
from mqctl.errors import MeasuredWrong
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
            BrokenPipeError: The reader of our output has gone.
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


def write_out(out: BinaryIO, data: bytes) -> None:
    """Write and flush.

    Raises:
        MeasuredWrong: The disk is full, or something else is wrong with where standard output leads.
        BrokenPipeError: Its reader has gone.
    """
    try:
        out.write(data)
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = "no space left on the device" if error.errno == errno.ENOSPC else error.strerror
        raise MeasuredWrong(f"cannot write to standard output: {reason}") from error
