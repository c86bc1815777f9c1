"""`mqctl publish`: send messages, and say what became of each."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import typer

from mqctl import application, topics
from mqctl.adapters.inbox import Inbox
from mqctl.cli import sources
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.help import Command, command_app
from mqctl.cli.interrupts import Interrupts
from mqctl.cli.options import CountOption, NativeOption, QosOption, TimeoutOption, duration, duration_option, one_of
from mqctl.cli.outages import Outages
from mqctl.cli.publishing import CONFIRM_TIMEOUT_S, GRACE_S, Publisher, Tally
from mqctl.cli.resent import Resending
from mqctl.cli.sources import Encoder, Source
from mqctl.cli.target import connected_as_set, settings_for
from mqctl.errors import ExitCode, MqctlError, OperationTimeout, UsageError
from mqctl.generators import GENERATORS, parse_generator
from mqctl.model import Confirmation, Outgoing, Topic
from mqctl.profiles import Settings


class NumbersAreValues(Command):
    """Takes `-45` for a value, and still refuses an option that does not exist."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, then look among the values for what was meant as an option."""
        typed = args[: args.index("--")] if "--" in args else list(args)
        rest: list[str] = super().parse_args(ctx, args)
        for value in (ctx.params["topic"] or "", *(ctx.params["values"] or ())):
            if value in typed and value.startswith("-") and not _is_number(value):
                known = [name for parameter in self.params for name in parameter.opts]
                raise _no_such_option(value, known)
        return rest


def _no_such_option(name: str, known: list[str]) -> UsageError:
    import difflib

    # What follows a misspelt --password= is not repeated.
    name = name.partition("=")[0]
    near = difflib.get_close_matches(name, known, n=1)
    return UsageError(f"no such option: {name}", hint=f"did you mean {near[0]}?" if near else "mqctl publish --help")


def _is_number(text: str) -> bool:
    try:
        application.parse_number(text)
    except UsageError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions:
    """Where the messages come from, and what they are made of."""

    TITLE: ClassVar = "What to send"

    topic: Annotated[
        str | None, typer.Argument(metavar="TOPIC", help="Where to; leave it out for the topics that --jsonl names.")
    ] = None
    values: Annotated[
        list[str] | None, typer.Argument(metavar="VALUE...", help="A message each; on chart, several are one message.")
    ] = None
    json_data: Annotated[
        str | None, typer.Option("--json-data", metavar="JSON", help="Any JSON, in the envelope where there is one.")
    ] = None
    lines: Annotated[bool, typer.Option("-l", "--lines", help="A message for each line of standard input.")] = False
    jsonl: Annotated[bool, typer.Option("--jsonl", help="A message for each line, as 'tail --json' writes it.")] = False
    file: Annotated[
        str | None, typer.Option("-f", "--file", metavar="PATH", help="A file as one message; - is standard input.")
    ] = None
    generate: Annotated[
        str | None, typer.Option("--generate", metavar="NAME[:PARAMS]", help=f"Made values: {', '.join(GENERATORS)}.")
    ] = None
    seed: Annotated[int | None, typer.Option("--seed", help="Makes --generate repeat itself.")] = None
    envelope: Annotated[
        bool | None,
        typer.Option("--envelope/--bare", help="With producer and date, usual on rect and chart, or alone."),
    ] = None
    each: Annotated[bool, typer.Option("--each", help="A message for each VALUE on chart too.")] = False
    native: NativeOption = None

    def given(self) -> str:
        """The one source that is given.

        Raises:
            UsageError: None or several are.
        """
        candidates = {
            "VALUE": self.values,
            "--json-data": self.json_data is not None,
            "--lines": self.lines,
            "--jsonl": self.jsonl,
            "--file": self.file is not None,
            "--generate": self.generate is not None,
        }
        given = [name for name, is_given in candidates.items() if is_given]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} exclude each other")
        if not given:
            raise UsageError(
                "nothing to publish", hint=f"give one of {', '.join(candidates)}; a VALUE of '' is an empty message"
            )
        if self.topic is None and not self.jsonl:
            raise UsageError("publish where? A TOPIC is missing")
        return given[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageOptions:
    """What every message of the run carries."""

    TITLE: ClassVar = "Each message"

    header: Annotated[
        list[str] | None, typer.Option("-H", "--header", metavar="NAME=VALUE", help="May be given again.")
    ] = None
    content_type: Annotated[
        str | None, typer.Option("--content-type", metavar="TYPE", help="Such as application/json.")
    ] = None
    persistent: Annotated[
        bool | None, typer.Option("--persistent/--no-persistent", help="Survives a restart of the broker.")
    ] = None
    expires: Annotated[float | None, duration_option("--expires", "Not delivered any more after this.")] = None
    priority: Annotated[int | None, typer.Option("--priority", min=0, max=9, help="9 is the most urgent.")] = None
    qos: QosOption = None
    retain: Annotated[
        bool | None, typer.Option("-r", "--retain/--no-retain", help="The broker keeps it for newcomers (MQTT).")
    ] = None
    reply_to: Annotated[
        str | None,
        typer.Option("--reply-to", metavar="TOPIC", help="Where to answer, in the broker's own words."),
    ] = None
    as_text: Annotated[
        bool | None, typer.Option("--text/--bytes", help="What JMS readers see; if absent, text where it is UTF-8.")
    ] = None

    def template(self, topic: Topic, settings: Settings) -> Outgoing:
        """A message without its payload.

        Raises:
            UsageError: A header without `=`.
        """
        preset = _preset(settings)
        expires_s = preset("expires", self.expires)
        return Outgoing(
            topic=topic,
            payload=b"",
            headers=dict(_header(item) for item in self.header or ()),
            content_type=preset("content-type", self.content_type),
            persistent=bool(preset("persistent", self.persistent)),
            expires_ms=None if expires_s is None else round(duration(expires_s) * 1000),
            priority=preset("priority", self.priority),
            as_text=self.as_text,
            qos=preset("qos", self.qos),
            retain=bool(preset("retain", self.retain)),
            reply_to=self.reply_to,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How fast, how long, and what counts as sent."""

    TITLE: ClassVar = "The run"

    count: CountOption = None
    rate: Annotated[float | None, typer.Option("--rate", metavar="N", help="Messages per second.")] = None
    interval: Annotated[float | None, duration_option("--interval", "Time between two messages.")] = None
    confirm: Annotated[
        str | None,
        typer.Option(
            "--confirm", metavar="none|socket|broker", help="Whose word counts as sent; the broker's if absent."
        ),
    ] = None
    confirm_timeout: Annotated[
        float, duration_option("--confirm-timeout", "A message not confirmed after this is unknown.")
    ] = CONFIRM_TIMEOUT_S
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Send what follows a bad line of input.")] = False
    resend_unknown: Annotated[
        bool,
        typer.Option(
            "--resend-unknown",
            help="Send again what was on its way when a connection was lost: nothing is missed, some may come twice.",
        ),
    ] = False
    timeout: TimeoutOption = None

    def interval_s(self, usual_s: float) -> float:
        """Seconds between two messages.

        Raises:
            UsageError: Both a rate and an interval, or an impossible rate.
        """
        if self.rate is None:
            return usual_s if self.interval is None else self.interval
        if self.interval is not None:
            raise UsageError("--rate and --interval exclude each other")
        if not 0 < self.rate <= RATE_MAX:
            raise UsageError(f"--rate is above 0 and at most {RATE_MAX:,}, not {self.rate:g}")
        return 1 / self.rate

    def resending(self, asked: Confirmation) -> Resending | None:
        """What marks what is sent again, if that is wanted.

        Raises:
            UsageError: Nobody is asked what became of the messages.
        """
        if not self.resend_unknown:
            return None
        if asked is not Confirmation.BROKER:
            raise UsageError("--resend-unknown needs --confirm broker: nobody else knows what is unknown")
        return Resending(os.urandom(8).hex())


RATE_MAX = 1_000_000
READ_BY_LINE = ("--lines", "--jsonl")

app = command_app()


@app.command(cls=NumbersAreValues, context_settings={"ignore_unknown_options": True})
@with_groups
def publish(ctx: typer.Context, what: InputOptions, message: MessageOptions, how: RunOptions, flags: Flags) -> None:
    """Send messages to a topic, and say what became of each.

    Examples:
        mqctl publish rect 45
        mqctl publish chart 3 7 12
        mqctl publish chart --generate bars --count 10
        mqctl publish /queue/orders --lines --persistent < orders.txt
    """
    context: AppContext = ctx.obj
    given = what.given()
    topic = topics.parse(what.topic, native=bool(what.native)) if what.topic is not None else None
    settings = settings_for(context, flags)
    template = message.template(topic or Topic(), settings)
    source, usual_s, count = _source(given, what, template, settings, context)
    interval_s = how.interval_s(usual_s)
    tally = Tally(asked=one_of(Confirmation, _preset(settings)("confirm", how.confirm) or "broker", "--confirm"))
    resending = how.resending(tally.asked)
    inbox = Inbox()
    with connected_as_set(context, settings, inbox.put_batch) as connection:
        publisher = Publisher(
            connection=connection,
            inbox=inbox,
            tally=tally,
            complain=context.report,
            interval_s=interval_s,
            confirm_timeout_s=how.confirm_timeout,
            keep_going=how.keep_going,
            interrupts=Interrupts(how.timeout),
            outages=Outages(context.say),
            resending=resending,
        )
        if given in READ_BY_LINE and context.stdin.isatty():
            context.say("a message for each line that you type; Ctrl-D ends")
        try:
            code = _run(context, publisher, source, how.count or count)
        finally:
            # A second Ctrl-C does not wait for what is under way, and is told the books as they stand.
            _account(context, publisher)
            if tally.given_up:
                connection.close(timeout_s=GRACE_S)
    raise typer.Exit(code if code is not None else tally.exit_code())


def _account(context: AppContext, publisher: Publisher) -> None:
    tally, outages = publisher.tally, publisher.outages
    for reason in tally.reasons:
        if reason != tally.cut and (context.quiet or reason not in outages.reasons):
            context.report(reason)
    if tally.untold:
        context.report(f"{tally.untold} more were rejected or are unknown for other reasons")
    if tally.lost and outages.reconnects:
        context.report(
            f"{tally.lost} unknown were under way when a connection was lost; --resend-unknown sends such again"
        )
    context.report(tally.line() + outages.summary())


def _run(context: AppContext, publisher: Publisher, source: Source, count: int | None) -> ExitCode | None:
    """Send everything and wait for its fate; a code when the run was ended from outside."""
    try:
        with publisher.interrupts:
            publisher.run(source, count)
            publisher.settle(publisher.confirm_timeout_s)
    except KeyboardInterrupt:
        publisher.settle(GRACE_S, again=False)
        return ExitCode.INTERRUPTED
    except OperationTimeout as error:
        publisher.settle(GRACE_S, again=False)
        context.complain(error)
        return ExitCode.TIMEOUT
    except MqctlError as error:
        publisher.settle(publisher.confirm_timeout_s)
        context.complain(error)
        return error.exit_code
    return None


def _source(
    given: str, what: InputOptions, template: Outgoing, settings: Settings, context: AppContext
) -> tuple[Source, float, int | None]:
    """The messages, the usual time between two in seconds, and how many there are unless the user says otherwise."""
    rng = random.Random(what.seed)  # noqa: S311 - made values and names, no secrets
    encoder = Encoder.for_run(enveloped=_enveloped(what, template.topic, settings), rng=rng)
    match given:
        case "VALUE":
            values = what.values or []
            fold = what.topic in application.FOLDED and len(values) > 1 and not what.each
            return sources.from_values(values, template, encoder, fold=fold), 0.0, 1 if fold else len(values)
        case "--json-data":
            return sources.from_json(what.json_data or "", template, encoder), 0.0, 1
        case "--file":
            return sources.from_file(_read(what.file or "", context), template), 0.0, 1
        case "--lines":
            return sources.from_lines(context.stdin, template, encoder), 0.0, None
        case "--jsonl":
            return sources.from_jsonl(context.stdin, template, template.topic if what.topic else None), 0.0, None
        case _:
            generator = parse_generator(what.generate or "")
            return sources.from_generator(generator.values(rng), template, encoder), generator.interval_s, None


def _read(path: str, context: AppContext) -> bytes:
    if path == "-":
        return context.stdin.read()
    try:
        return (context.cwd / path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _enveloped(what: InputOptions, topic: Topic, settings: Settings) -> bool:
    answers = (
        what.envelope,
        settings.topic(topic).envelope,
        settings.command_default("publish", "envelope"),
    )
    return next((answer for answer in answers if answer is not None), what.topic in application.ENVELOPED)


def _preset(settings: Settings) -> Any:
    """Looks an option up: as typed, else as the profile presets it."""
    return lambda name, typed: settings.command_default("publish", name) if typed is None else typed


def _header(item: str) -> tuple[str, str]:
    """`NAME=VALUE`, or `NAME:VALUE` as other tools write it; the first of the two signs divides."""
    at = min((index for index in (item.find("="), item.find(":")) if index > 0), default=-1)
    if at < 0:
        raise UsageError(f"a header looks like NAME=VALUE, not {item!r}")
    return item[:at], item[at + 1 :]
