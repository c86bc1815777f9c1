"""The options of `mqctl hub` that are about a broker upstream, and the way to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, assert_never

import typer

from mqctl.cli.context import AppContext
from mqctl.errors import UsageError
from mqctl.model import Disconnected, Fault, Interrupted, Resumed
from mqctl.profiles.schema import SETTINGS
from mqctl.target import Endpoint, Target

if TYPE_CHECKING:
    from mqctl.upstream.bridge import Bridge, Outage


def _option(flag: str, help_text: str, **more: Any) -> Any:
    return typer.Option(flag, help=help_text, rich_help_panel="Upstream", **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamOptions:
    """The broker that the hub stands in front of."""

    upstream: Annotated[str | None, _option("--upstream", "The broker that has the topics.", metavar="URL")] = None
    upstream_profile: Annotated[
        str | None, _option("--upstream-profile", "Its profile: a name or a file.", metavar="NAME")
    ] = None
    upstream_topic: Annotated[
        list[str] | None,
        _option("--upstream-topic", "Topics that are there; the rest stays here. Default all.", metavar="PATTERN"),
    ] = None

    @property
    def wanted(self) -> bool:
        """Whether there is to be one."""
        return self.upstream is not None or self.upstream_profile is not None


@contextmanager
def upstream_of(
    context: AppContext, options: UpstreamOptions, listeners: Sequence[Endpoint]
) -> Iterator[Bridge | None]:
    """The broker upstream, connected; None where none is wanted.

    Raises:
        UsageError: The options contradict each other, or the broker would be the hub itself.
        MqctlError: As `Adapter.connect` and `Connection.subscribe`.
    """
    if not options.wanted:
        if options.upstream_topic:
            raise UsageError("--upstream-topic without a broker upstream", hint="name it: --upstream URL")
        yield None
        return
    from mqctl.cli.target import connected
    from mqctl.upstream.bridge import Bridge
    from mqctl.upstream.scope import EVERYTHING, read_scope, refuse_itself

    scope = read_scope(options.upstream_topic or EVERYTHING)
    target = _target(context, options)
    refuse_itself(target.endpoints, listeners)
    with ExitStack() as stack:
        bridge = stack.enter_context(
            Bridge(
                lambda sink: stack.enter_context(connected(target, sink)),
                scope,
                target=target,
                heed=lambda event: _heed(context, event),
            )
        )
        context.say(f"the broker upstream is {target.name}, and has {_patterns(options)}")
        yield bridge
        left = bridge.stats()
        if left.waiting:
            context.report(f"messages that the broker upstream has not confirmed: {left.waiting}")
        if left.unknown:
            context.report(f"messages that nobody knows of whether the broker upstream has them: {left.unknown}")


def _patterns(options: UpstreamOptions) -> str:
    return ", ".join(options.upstream_topic) if options.upstream_topic else "all topics"


def _target(context: AppContext, options: UpstreamOptions) -> Target:
    """What is known of the broker, from its profile and the environment; the hub's own options say nothing of it."""
    from mqctl.aws import ask_secrets_manager
    from mqctl.profiles import load_settings

    given = dict.fromkeys(setting.name for setting in SETTINGS)
    settings = load_settings(
        {**given, "url": options.upstream, "profile": options.upstream_profile},
        environ=context.environ,
        cwd=context.cwd,
        warn=context.report,
        ask_aws=ask_secrets_manager,
    )
    for notice in settings.notices:
        context.report(notice)
    target = settings.target()
    # A hub is there for as long as its users are, so it never gives up.
    return replace(target, reconnect=target.reconnect._replace(within_s=inf, stubborn=True))


def _heed(context: AppContext, event: Outage) -> None:
    from mqctl.cli.outages import Outages

    match event:
        case Interrupted() | Resumed():
            Outages(lambda text: context.say(f"upstream: {text}")).heed(event)
        case Disconnected(expected=False, reason=reason):
            context.report(f"upstream: the connection is lost for good: {reason}")
        case Disconnected():
            pass
        case Fault(reason=reason):
            context.report(f"upstream: {reason}")
        case _:
            assert_never(event)
