"""From the options that choose a broker to a live connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from math import inf

from mqctl.adapters.base import Adapter, Connection, EventSink
from mqctl.aws import ask_secrets_manager
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags
from mqctl.errors import ConnectError, RefusedError, UnsupportedError
from mqctl.profiles import Settings, load_settings
from mqctl.target import Target, is_http

UNATTENDED_S = 60.0
"""How long a lost connection is sought again where nobody looks on and nobody said otherwise: scripts must end."""

NOBODY_HINT = "start a hub: mqctl hub (tail and watch bring their own), or name a broker: --url, --profile"


def settings_for(context: AppContext, flags: Flags) -> Settings:
    """Merge a command's options with those before the command, the environment and the profiles."""
    before = {"url": context.url, "profile": context.profile}
    given = {name: before.get(name) if value is None else value for name, value in flags.items()}
    if context.desk is not None and given["url"] is None and given["profile"] is None:
        given |= {name: value for name, value in context.desk.flags.items() if given.get(name) is None}
    settings = load_settings(
        given, environ=context.environ, cwd=context.cwd, warn=context.report, ask_aws=ask_secrets_manager
    )
    for notice in settings.notices:
        context.report(notice)
    return settings


def target_for(context: AppContext, settings: Settings) -> Target:
    """The target of the settings. Who looks on may wait for a lost connection as long as they like.

    Raises:
        MqctlError: As `Settings.target`.
    """
    target = settings.target()
    if settings.get("within_s") is not None:
        return target
    return replace(target, reconnect=target.reconnect._replace(within_s=inf if context.attended else UNATTENDED_S))


@contextmanager
def connected(target: Target, sink: EventSink, adapter: Adapter | None = None) -> Iterator[Connection]:
    """Connect, and close at the end whatever happens; between, connect again as the target says.

    Args:
        target: Where to.
        sink: Takes the events.
        adapter: The transport; None is the one of the target's scheme.

    Raises:
        MqctlError: As `Adapter.connect`.
    """
    from mqctl.adapters.registry import adapter_for

    adapter = adapter or adapter_for(target.scheme)
    if not target.reconnect.within_s:
        with advised(target), adapter.connect(target, sink=sink) as connection:
            yield connection
        return
    from mqctl.adapters import reconnecting

    with advised(target), reconnecting.connect(adapter, target, sink=sink) as lasting:
        yield lasting


@contextmanager
def advised(target: Target) -> Iterator[None]:
    """Where a broker at Amazon MQ says no or hangs up inside, its error names the usual next steps there."""
    try:
        yield
    except UnsupportedError:
        raise
    except (RefusedError, ConnectError) as error:
        from mqctl.profiles.amazonmq import Problem, hint_for

        if isinstance(error, RefusedError):
            error.hint = error.hint or hint_for(target.endpoints[0], Problem.DENIED)
        elif _hung_up(error.__cause__):
            error.hint = hint_for(target.endpoints[0], Problem.HUNG_UP) or error.hint
        raise


def _hung_up(cause: BaseException | None) -> bool:
    """Whether the peer ended a connection that it had taken; by name, to import neither TLS nor WebSocket for it."""
    names = ("SSLEOFError", "WebSocketConnectionClosedException")
    return isinstance(cause, EOFError | ConnectionResetError | BrokenPipeError) or type(cause).__name__ in names


@contextmanager
def connected_as_set(context: AppContext, settings: Settings, sink: EventSink) -> Iterator[Connection]:
    """As `connected`, to the broker of the settings; with the `local` profile the hint is how to get a hub.

    In a console that is connected to this broker, the connection is the console's.
    """
    with ExitStack() as stack:
        if (share := _of_console(context, settings, sink)) is not None:
            yield stack.enter_context(share)
            return
        yield stack.enter_context(connected_with_hint(settings, target_for(context, settings), sink))


@contextmanager
def connected_with_hint(settings: Settings, target: Target, sink: EventSink) -> Iterator[Connection]:
    """As `connected`, to the target of the settings; with the `local` profile the hint is how to get a hub."""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(connected(target, sink))
        except ConnectError as error:
            if could_be_hosted(settings, error):
                error.hint = NOBODY_HINT
            raise
        yield connection


@contextmanager
def connected_or_hosted(context: AppContext, settings: Settings, sink: EventSink) -> Iterator[Connection]:
    """As `connected_as_set`; with the `local` profile and nobody listening, host the hub here until the end."""
    with ExitStack() as stack:
        if (share := _of_console(context, settings, sink)) is not None:
            yield stack.enter_context(share)
            return
        target = target_for(context, settings)
        try:
            connection = stack.enter_context(connected(target, sink))
        except ConnectError as error:
            if not could_be_hosted(settings, error):
                raise
            stack.enter_context(hosting(context, target))
            connection = stack.enter_context(connected(target, sink))
        yield connection


def _of_console(context: AppContext, settings: Settings, sink: EventSink) -> Connection | None:
    return None if context.desk is None else context.desk.borrow(settings, sink)


def could_be_hosted(settings: Settings, error: ConnectError) -> bool:
    """Where somebody listens and does not answer, there is no room for a hub."""
    return settings.local_hub and isinstance(error.__cause__, ConnectionRefusedError)


@contextmanager
def hosting(context: AppContext, target: Target) -> Iterator[None]:
    """Inside, a hub serves at a target where nobody does."""
    from mqctl.hub.config import HubConfig
    from mqctl.hub.thread import HubThread

    endpoint = target.endpoints[0]
    with HubThread(HubConfig(stomp=(), http=(endpoint,)) if is_http(target.scheme) else HubConfig(stomp=(endpoint,))):
        context.say(f"nobody listens at {endpoint}, so this hosts a hub there until it ends")
        yield
