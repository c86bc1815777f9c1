"""From the options that choose a broker to a live connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mqctl.adapters.base import Connection
from mqctl.adapters.inbox import Inbox
from mqctl.aws import ask_secrets_manager
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags
from mqctl.errors import ConnectError
from mqctl.profiles import Settings, load_settings
from mqctl.target import Target

NOBODY_HINT = "start a hub: mqctl hub (tail and watch bring their own), or name a broker: --url, --profile"


def settings_for(context: AppContext, flags: Flags) -> Settings:
    """Merge a command's options with those before the command, the environment and the profiles."""
    before = {"url": context.url, "profile": context.profile}
    given = {name: before.get(name) if value is None else value for name, value in flags.items()}
    settings = load_settings(
        given, environ=context.environ, cwd=context.cwd, warn=context.report, ask_aws=ask_secrets_manager
    )
    for notice in settings.notices:
        context.report(notice)
    return settings


@contextmanager
def connected(target: Target, inbox: Inbox) -> Iterator[Connection]:
    """Connect, and close at the end whatever happens.

    Raises:
        MqctlError: As `Adapter.connect`.
    """
    from mqctl.adapters.registry import adapter_for

    with adapter_for(target.scheme).connect(target, sink=inbox.put_batch) as connection:
        yield connection


@contextmanager
def connected_as_set(settings: Settings, inbox: Inbox) -> Iterator[Connection]:
    """As `connected`, to the broker of the settings; with the `local` profile the hint is how to get a hub."""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(connected(settings.target(), inbox))
        except ConnectError as error:
            if _could_be_hosted(settings, error):
                error.hint = NOBODY_HINT
            raise
        yield connection


@contextmanager
def connected_or_hosted(context: AppContext, settings: Settings, inbox: Inbox) -> Iterator[Connection]:
    """As `connected`; with the `local` profile and nobody listening, host the hub here until the end, and say so."""
    target = settings.target()
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(connected(target, inbox))
        except ConnectError as error:
            if not _could_be_hosted(settings, error):
                raise
            stack.enter_context(_hosting(context, target))
            connection = stack.enter_context(connected(target, inbox))
        yield connection


def _could_be_hosted(settings: Settings, error: ConnectError) -> bool:
    """Where somebody listens and does not answer, there is no room for a hub."""
    return settings.local_hub and isinstance(error.__cause__, ConnectionRefusedError)


@contextmanager
def _hosting(context: AppContext, target: Target) -> Iterator[None]:
    from mqctl.hub.config import HubConfig
    from mqctl.hub.thread import HubThread

    endpoint = target.endpoints[0]
    with HubThread(HubConfig(stomp=(endpoint,))):
        context.say(f"nobody listens at {endpoint}, so this hosts a hub there until it ends")
        yield
