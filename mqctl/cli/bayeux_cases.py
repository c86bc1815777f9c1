"""The cases of the experiments about Bayeux, each with how it is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags
from mqctl.cli.target import connected, settings_for
from mqctl.errors import UnsupportedError
from mqctl.target import Endpoint, Target

if TYPE_CHECKING:
    from mqctl.laboratory.outcome import Outcome
    from mqctl.laboratory.trial import Place

RESUME_MESSAGES: Final = 300
RATE: Final = 100.0
EXCHANGES: Final = 50
AT_MOST_S: Final = 30.0
TOLERANCE_S: Final = 0.1
SKEW_S: Final = 5.0

Attempt: TypeAlias = "Callable[[Place, int], Outcome]"
"""Tries a case once, at a place with a seed."""

Cases: TypeAlias = Mapping[str, Attempt]
"""How each case of an experiment is tried, by its name."""


def expiry_cases(*, max_interval_s: float | None = None, at_most_s: float = AT_MOST_S) -> Cases:
    """Of `mqctl experiment expiry`, by what the user said."""

    def case(*, ack: bool) -> Attempt:
        def attempt(place: Place, seed: int) -> Outcome:
            from mqctl.laboratory.expiry import expiry

            return expiry(place, ack=ack, lives_s=max_interval_s, at_most_s=at_most_s, seed=seed)

        return attempt

    return {"ack": case(ack=True), "plain": case(ack=False)}


def resume_cases(*, messages: int = RESUME_MESSAGES, rate: float = RATE) -> Cases:
    """Of `mqctl experiment resume`."""

    def case(*, state: bool) -> Attempt:
        def attempt(place: Place, seed: int) -> Outcome:
            from mqctl.laboratory.resuming import resume

            return resume(place, state=state, messages=messages, rate=rate, seed=seed)

        return attempt

    return {"with-state": case(state=True), "without-state": case(state=False)}


def clock_cases(*, exchanges: int = EXCHANGES, tolerance_s: float = TOLERANCE_S, skew_s: float = SKEW_S) -> Cases:
    """Of `mqctl experiment clock`."""

    def attempt(place: Place, seed: int) -> Outcome:
        from mqctl.laboratory.clocks import clocks

        return clocks(place, exchanges=exchanges, tolerance_ms=tolerance_s * 1000, skew_ms=skew_s * 1000, seed=seed)

    return {"clock": attempt}


def why_no_bayeux(place: Place) -> str:
    """Why a broker is none for these experiments; "" where it is one."""
    if place.ground.protocol == "bayeux":
        return ""
    return f"this experiment is about Bayeux, and {place.target.scheme} is something else"


def bayeux_place(
    context: AppContext,
    experiment: str,
    run_dir: Path,
    flags: Flags,
    stack: ExitStack,
    *,
    max_interval_s: float | None = None,
) -> Place:
    """Where an experiment about Bayeux is run: at a hub of our own, if nobody chose a broker.

    Args:
        context: Of the command.
        experiment: Its name.
        run_dir: Where runs are kept.
        flags: Choose the server.
        stack: Ends our own hub.
        max_interval_s: How long that one keeps sessions; None is as usual.

    Raises:
        UnsupportedError: What the user named is no server of Bayeux.
        MqctlError: As `place_of`.
    """
    from mqctl.cli.experiment import place_at, place_of

    settings = settings_for(context, flags)
    if settings.local_hub and not settings.speaks("bayeux"):
        target = _own_hub(context, stack, max_interval_s)
        with connected(target, lambda _events: None) as scout:
            place = place_at(target, scout.greeting, experiment, context.cwd / run_dir)
    else:
        place = place_of(context, settings, experiment, context.cwd / run_dir, stack)
    if why := why_no_bayeux(place):
        raise UnsupportedError(why, hint="the URL of a server of Bayeux looks like bayeux+http://localhost:8080/cometd")
    context.say(f"{place.ground.broker} at {place.target.name}")
    return replace(place, begun=lambda folder: context.say(f"{experiment}: the history is in {folder}"))


def _own_hub(context: AppContext, stack: ExitStack, max_interval_s: float | None) -> Target:
    from mqctl.hub.config import HubConfig
    from mqctl.hub.thread import HubThread
    from mqctl.protocols.bayeux.session import Terms

    terms = Terms() if max_interval_s is None else Terms(max_interval_ms=round(max_interval_s * 1000))
    config = HubConfig(stomp=(), http=(Endpoint("127.0.0.1", 0),), bayeux_terms=terms, drain_s=0)
    hub = stack.enter_context(HubThread(config))
    context.say("no server of Bayeux is named, so this hosts a hub until it ends")
    return Target(scheme="bayeux+http", endpoints=(hub.endpoint,))
