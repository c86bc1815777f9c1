"""What `mqctl experiment transports` does: rounds of all transports in turn, and a table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from mqctl.cli.artifacts import refuse_unwritable
from mqctl.cli.bayeux_cases import Attempt, Cases, bayeux_place
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags
from mqctl.cli.experiment import trials
from mqctl.cli.experiment_options import RunOptions, WhatOptions
from mqctl.cli.experiment_outcome import as_json, as_text, conclude
from mqctl.cli.experiment_report import as_text as trial_as_text
from mqctl.cli.tables import emit_table
from mqctl.errors import ExitCode
from mqctl.laboratory.outcome import Outcome
from mqctl.laboratory.transports import PUBLISHER, SUBSCRIBER, WAYS, Account, Way, case_of, offered, run, why_not
from mqctl.measurement.verdict import Verdict

if TYPE_CHECKING:
    from mqctl.adapters.base import Adapter
    from mqctl.laboratory.trial import Place, Trial
    from mqctl.target import Target

_QUANTILES = ("p50", "p90", "p99", "max")
_COSTS = (
    (SUBSCRIBER, "bytes_in"),
    (SUBSCRIBER, "bytes_out"),
    (SUBSCRIBER, "requests"),
    (PUBLISHER, "bytes_out"),
    (PUBLISHER, "bytes_in"),
    (PUBLISHER, "requests"),
)
"""What stands in the table, by client: as `Cost` names it."""

_HEADER = (
    *("transport", "verdict", "messages", *(f"{name} ms" for name in _QUANTILES), "lost"),
    *("in B/msg", "out B/msg", "req/msg", "sent B/msg", "back B/msg", "req/msg"),
)


def compare(context: AppContext, what: WhatOptions, options: RunOptions, flags: Flags) -> ExitCode:
    """Run all rounds, tell what came of them, and return the worst verdict."""
    refuse_unwritable(context, junit=options.junit)
    seed = options.first_seed()
    with ExitStack() as stack:
        place = bayeux_place(context, "transports", options.run_dir, flags, stack)
        accounts = _tried(context, place, what, replace(options, seed=seed))
    outcomes = [outcome_of(account, seed) for account in accounts]
    if options.json:
        for outcome in outcomes:
            context.emit(as_json(outcome))
    else:
        emit_table(context, _HEADER, map(_row, accounts))
        for outcome in outcomes:
            if outcome.verdict is not Verdict.PASS:
                context.emit(as_text(outcome))
    return conclude(context, "transports", outcomes, options.junit)


def transport_cases(context: AppContext, what: WhatOptions, options: RunOptions) -> Cases:
    """Each transport, in one round of its own."""

    def case(way: Way) -> Attempt:
        def attempt(place: Place, seed: int) -> Outcome:
            account = Account(way, why_not(way, place.adapter, place.target))
            if not account.unsupported:
                left_s = None if place.deadline is None else place.deadline - time.monotonic()
                _round(context, account, place, what, replace(options, repeat=1, seed=seed, timeout=left_s))
            return outcome_of(account, seed)

        return attempt

    return {way.name: case(way) for way in WAYS}


def _tried(context: AppContext, place: Place, what: WhatOptions, options: RunOptions) -> list[Account]:
    """All rounds."""
    accounts = offered(place.adapter, place.target)
    deadline = None if options.timeout is None else time.monotonic() + options.timeout
    for number in range(options.repeat):
        for account in _in_turn(accounts, number):
            left_s = None if deadline is None else deadline - time.monotonic()
            seed = options.first_seed() + number
            verdict = _round(context, account, place, what, replace(options, repeat=1, seed=seed, timeout=left_s))
            context.say(f"{account.way.name}: {verdict}")
    return accounts


def _in_turn(accounts: list[Account], number: int) -> Iterator[Account]:
    """Those that can be tried; each round begins with another one."""
    able = [account for account in accounts if not account.unsupported]
    for i in range(len(able)):
        yield able[(number + i) % len(able)]


def _round(context: AppContext, account: Account, place: Place, what: WhatOptions, options: RunOptions) -> str:
    def attempt(adapter: Adapter, target: Target) -> Trial:
        here = replace(place, adapter=adapter, target=target)
        return next(trials(context, [case_of(account.way)], here, what=what, run=options, restart=None))

    trial = run(account, place.adapter, place.target, attempt)
    return trial.verdict or trial.unsupported


def outcome_of(account: Account, seed: int) -> Outcome:
    """The same as a line of a report."""
    if account.unsupported:
        return Outcome(case=account.way.name, seed=seed, unsupported=account.unsupported)
    bad = [trial for trial in account.trials if trial.verdict is not Verdict.PASS]
    return Outcome(
        case=account.way.name,
        seed=seed,
        verdict=account.verdict,
        folders=[trial.folder for trial in account.trials if trial.folder is not None],
        against=[line for trial in bad for line in _against(trial)],
        numbers={
            "messages": account.messages,
            "lost": account.lost,
            "disordered": account.disordered,
            "latency_ms": account.quantiles_ms(),
            "subscriber_per_message": account.per_message(SUBSCRIBER),
            "publisher_per_message": account.per_message(PUBLISHER),
        },
    )


def _against(trial: Trial) -> Iterator[str]:
    """What speaks against a round; how late its messages were is told of all rounds."""
    _verdict, *lines, _folder = map(str.strip, trial_as_text(trial).splitlines())
    return (line for line in lines if not line.startswith("latency "))


def _row(account: Account) -> list[str]:
    if account.verdict is None:
        return [account.way.name, "unsupported"]
    quantiles = account.quantiles_ms()
    costs = [account.per_message(SUBSCRIBER), account.per_message(PUBLISHER)]
    return [
        account.way.name,
        account.verdict,
        f"{account.messages:,}",
        *(_number(quantiles[name], 2) for name in _QUANTILES),
        f"{account.lost:,}",
        *(_number((costs[client] or {}).get(name), 2 if name == "requests" else 0) for client, name in _COSTS),
    ]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
