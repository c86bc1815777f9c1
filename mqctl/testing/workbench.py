"""What the fixtures hand out: the broker under test, proxies before brokers, and connections, all closed at the end."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from mqctl.adapters.base import Connection, EventSink
from mqctl.errors import UsageError
from mqctl.faults.link import Link
from mqctl.model import Topic
from mqctl.target import Endpoint, ReconnectOptions, Target, parse_url, with_protocol
from mqctl.testing.recorder import Recorder
from mqctl.testing.verdict import Hinted

PAUSE_MAX_S = 0.5


def written(url: str) -> Target:
    """The target of a URL that stands in a test: it alone counts, no profile and no environment.

    Raises:
        ConfigError: It is no URL, or does not say which protocol is spoken.
    """
    parsed = with_protocol(parse_url(url), None)
    return Target(
        scheme=parsed.scheme,
        endpoints=parsed.endpoints,
        path=parsed.path,
        user=parsed.user,
        password=parsed.password,
    )


def chosen(url: str | None, profile: str | None, cwd: Path) -> Target:
    """The target that somebody chose who runs the tests, resolved as `mqctl --url --profile` does.

    Raises:
        MqctlError: As `load_settings` and `Settings.target`.
    """
    from mqctl.adapters.registry import check_scheme
    from mqctl.aws import ask_secrets_manager
    from mqctl.profiles import load_settings

    settings = load_settings(
        {"url": url, "profile": profile}, environ=os.environ, cwd=cwd, warn=_warn, ask_aws=ask_secrets_manager
    )
    target = settings.target()
    check_scheme(target.scheme)
    return target


class Proxies:
    """Makes fault proxies.

    Args:
        target: The broker under test.
        stack: Closes them.
    """

    def __init__(self, target: Target, stack: ExitStack) -> None:
        self._target = target
        self._stack = stack

    def __call__(self, at: str | Endpoint | None = None) -> Link:
        """A proxy, listening.

        Args:
            at: Before what: a URL or an endpoint; None is the broker under test.

        Raises:
            UsageError: Nothing can stand there between: it is one that has no network, or one of TLS.
        """
        __tracebackhide__ = True
        if isinstance(at, Endpoint):
            return self._stack.enter_context(Link(at))
        with Hinted():
            target = self._target if at is None else written(at)
            if why := _unbreakable(target):
                raise UsageError(
                    f"no proxy before {target.name}: {why}",
                    hint="name a listener without TLS, or leave the test out with -k or -m",
                )
        return self._stack.enter_context(Link(target.endpoints[0]))


class Connections:
    """Makes connections.

    Args:
        target: The broker under test.
        stack: Closes them.
    """

    def __init__(self, target: Target, stack: ExitStack) -> None:
        self._target = target
        self._stack = stack

    def __call__(
        self, *sinks: EventSink, url: str | None = None, via: Link | None = None, within_s: float = 0.0, **changes: Any
    ) -> tuple[Connection, Recorder]:
        """Connect.

        Args:
            sinks: Are given all events, before the recorder: a `Consumer` or `Producer` of a history.
            url: Where to; None is the broker under test.
            via: By a proxy.
            within_s: So long another connection is sought where this one is lost.
            changes: Of `Target`, such as `client_id`.

        Returns:
            The connection, and the recorder of its events.

        Raises:
            MqctlError: As `Adapter.connect`; ConfigError, the URL cannot be one of a broker.
        """
        __tracebackhide__ = True
        recorder = Recorder()
        with Hinted():
            target = self._target if url is None else written(url)
            if via is not None:
                target = replace(target, endpoints=(via.endpoint,))
            target = replace(target, reconnect=ReconnectOptions(within_s, PAUSE_MAX_S), **changes)
            return self._stack.enter_context(_connect(target, _all_of(*sinks, recorder))), recorder


def fresh_name() -> Topic:
    """A topic that nobody else uses."""
    import secrets

    return Topic(levels=("mqctl-test", secrets.token_hex(6)))


def _connect(target: Target, sink: EventSink) -> Connection:
    from mqctl.adapters import reconnecting
    from mqctl.adapters.registry import adapter_for

    adapter = adapter_for(target.scheme)
    if target.reconnect.within_s:
        return reconnecting.connect(adapter, target, sink=sink)
    return adapter.connect(target, sink=sink)


def _all_of(*sinks: EventSink) -> EventSink:
    def tell(events: Any) -> None:
        for sink in sinks:
            sink(events)

    return tell


def _unbreakable(target: Target) -> str:
    from mqctl.laboratory.wiring import why_unbreakable

    return why_unbreakable(target)


def _warn(sentence: str) -> None:
    sys.stderr.write(f"mqctl: {sentence}\n")
