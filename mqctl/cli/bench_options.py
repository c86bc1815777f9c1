"""The options of `mqctl bench`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from mqctl.bench.messages import Job
from mqctl.cli.options import (
    AckOption,
    NativeOption,
    PrefetchOption,
    QosOption,
    SharedOption,
    TimeoutOption,
    duration_option,
    one_of,
)
from mqctl.cli.publishing import CONFIRM_TIMEOUT_S
from mqctl.errors import UsageError
from mqctl.measurement.load import Load
from mqctl.measurement.stamp import SIZE_MIN
from mqctl.model import AckMode, Confirmation, Topic
from mqctl.sizes import format_size, parse_size

SIZE_MAX = 256 * 2**20
RATE_MAX = 10_000_000
PUBLISHERS_MAX = SUBSCRIBERS_MAX = 1000
WORKERS_MAX = 64
COUNT_MAX = 1_000_000_000
DURATION_S = 10.0
IN_FLIGHT = 100
DRAIN_S = 5.0
WAIT_S = 60.0
CONTROL = "mqctl.bench"
WORKERS_USUAL = 2
"""One to send and one to receive, so that neither delays the other."""


def _size(text: str | int) -> int:
    if isinstance(text, int):
        return text
    try:
        size = parse_size(text)
    except UsageError as error:
        raise typer.BadParameter(f"{error}; {error.hint}") from error
    if not SIZE_MIN <= size <= SIZE_MAX:
        raise typer.BadParameter(f"a message takes {SIZE_MIN} bytes to {format_size(SIZE_MAX)}, not {text}")
    return size


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How much is sent, by how many, to how many."""

    TITLE: ClassVar = "The load"

    publishers: Annotated[
        int, typer.Option("-x", "--publishers", min=1, max=PUBLISHERS_MAX, metavar="N", help="Connections that send.")
    ] = 1
    subscribers: Annotated[
        int, typer.Option("-y", "--subscribers", min=0, max=SUBSCRIBERS_MAX, metavar="N", help="Those that receive.")
    ] = 1
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", metavar="N", help="Messages per second of all together; if absent, as fast as confirmations come."
        ),
    ] = None
    size: Annotated[
        int, typer.Option("--size", parser=_size, metavar="SIZE", help="Of a message, such as 512 or 64KiB.")
    ] = 128
    duration: Annotated[
        float | None, duration_option("--duration", f"How long to measure; {DURATION_S:g}s if absent.")
    ] = None
    count: Annotated[
        int | None,
        typer.Option("-n", "--count", min=1, max=COUNT_MAX, metavar="N", help="How many to measure instead."),
    ] = None
    warmup: Annotated[float | None, duration_option("--warmup", "How long to send before measuring begins.")] = None
    in_flight: Annotated[
        int, typer.Option("--in-flight", min=1, metavar="N", help="Unconfirmed messages of a publisher without --rate.")
    ] = IN_FLIGHT

    def load(self, run: int) -> Load:
        """The same as a value.

        Raises:
            UsageError: An impossible rate, or no time.
        """
        if self.rate is not None and not 0 < self.rate <= RATE_MAX:
            raise UsageError(f"--rate is above 0 and at most {RATE_MAX:,}, not {self.rate:g}")
        if self.duration is not None and self.duration <= 0:
            raise UsageError("--duration is above 0")
        return Load(
            run=run,
            publishers=self.publishers,
            subscribers=self.subscribers,
            rate=self.rate,
            size=self.size,
            warmup_s=self.warmup or 0.0,
            duration_s=self.duration or (DURATION_S if self.count is None else None),
            count=self.count,
            in_flight=self.in_flight,
            shared=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HowOptions:
    """How messages are sent and received."""

    TITLE: ClassVar = "How to send and receive"

    confirm: Annotated[
        str, typer.Option("--confirm", metavar="none|socket|broker", help="Whose word counts as sent.")
    ] = "broker"
    confirm_timeout: Annotated[
        float, duration_option("--confirm-timeout", "A publisher that waits this long for a confirmation ends.")
    ] = CONFIRM_TIMEOUT_S
    persistent: Annotated[bool, typer.Option("--persistent", help="The broker keeps the messages on disk.")] = False
    qos: QosOption = None
    ack: AckOption = None
    prefetch: PrefetchOption = None
    shared: SharedOption = None
    native: NativeOption = None

    def job(self, load: Load, topic: Topic) -> Job:
        """What all workers together have to do.

        Raises:
            UsageError: No such confirmation or acknowledgement.
        """
        confirm = one_of(Confirmation, self.confirm, "--confirm")
        if self.qos == 0:
            # Nobody answers (MQTT 3.1.1, 4.3.1), so the books must not say "confirmed".
            confirm = min(confirm, Confirmation.SOCKET)
        return Job(
            load=load,
            topic=topic,
            publishers=tuple(range(load.publishers)),
            subscribers=tuple(range(load.subscribers)),
            clocks=(),
            confirm=confirm,
            confirm_timeout_s=self.confirm_timeout,
            persistent=self.persistent,
            qos=self.qos,
            ack=one_of(AckMode, self.ack or AckMode.AUTO, "--ack"),
            prefetch=self.prefetch,
            group=self.shared,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Who does the work, when it ends, what is printed."""

    TITLE: ClassVar = "The run"

    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, max=WORKERS_MAX, metavar="N", help=f"Processes; {WORKERS_USUAL} if absent."),
    ] = None
    remote: Annotated[
        int | None,
        typer.Option("--remote", min=1, max=WORKERS_MAX, metavar="N", help="Let N workers that --join do the work."),
    ] = None
    join: Annotated[
        str | None, typer.Option("--join", metavar="URL", help="Be such a worker: wait there for a run, and do a part.")
    ] = None
    name: Annotated[str | None, typer.Option("--as", metavar="NAME", help="What the report calls this worker.")] = None
    control: Annotated[
        str, typer.Option("--control", metavar="TOPIC", help="Below it, --remote and --join find each other.")
    ] = CONTROL
    wait: Annotated[float, duration_option("--wait", "How long --remote waits for its workers.")] = WAIT_S
    drain: Annotated[
        float, duration_option("--drain", "Once all is sent, what does not come for this long counts as lost.")
    ] = DRAIN_S
    timeout: TimeoutOption = None
    json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False
