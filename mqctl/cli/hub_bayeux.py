"""The options of `mqctl hub` that are about Bayeux."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from mqctl.cli.help import DURATION
from mqctl.cli.options import duration
from mqctl.hub.rules import Rule, read_rule
from mqctl.protocols.bayeux.session import Terms

_TERMS = Terms()
_MS_PER_S = 1000


def _option(flag: str, help_text: str, **more: Any) -> Any:
    return typer.Option(flag, help=help_text, rich_help_panel="Bayeux", **more)


def _lasts(flag: str, help_text: str) -> Any:
    return _option(flag, help_text, parser=duration, metavar=DURATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class BayeuxOptions:
    """How clients of CometD and Faye are dealt with."""

    hold: Annotated[
        float, _lasts("--hold", "How long a connect waits, CometD's timeout; proxies cut it after some 30 s.")
    ] = _TERMS.timeout_ms / _MS_PER_S
    max_interval: Annotated[float, _lasts("--max-interval", "How long a session lives without a connect.")] = (
        _TERMS.max_interval_ms / _MS_PER_S
    )
    max_inactive: Annotated[float | None, _lasts("--max-inactive", "How long a client may do nothing but connect.")] = (
        None
    )
    deliver_only: Annotated[
        bool, _option("--deliver-only", "Deliver with replies to connects only, which keeps the order over HTTP.")
    ] = False
    lazy: Annotated[
        list[str] | None, _option("--lazy", "Topics whose messages wait for others, 5 s at most.", metavar="PATTERN")
    ] = None
    no_markup: Annotated[
        list[str] | None,
        _option("--no-markup", "Topics in whose texts < and > become &lt; and &gt;.", metavar="PATTERN"),
    ] = None
    timestamps: Annotated[
        bool, _option("--timestamps", "Say in all that is sent when it left, as CometD's timestamp extension.")
    ] = False
    callback_polling: Annotated[
        bool, _option("--callback-polling", "Answer with scripts too (JSONP), which any page can read.")
    ] = False
    max_sessions_per_address: Annotated[
        int, _option("--max-sessions-per-address", "Sessions of one address.", min=1, metavar="N")
    ] = _TERMS.sessions_per_address

    def terms(self) -> Terms:
        """How sessions are dealt with."""
        return replace(
            _TERMS,
            timeout_ms=int(self.hold * _MS_PER_S),
            max_interval_ms=int(self.max_interval * _MS_PER_S),
            inactive_ms=None if self.max_inactive is None else int(self.max_inactive * _MS_PER_S),
            deliver_only=self.deliver_only,
            sessions_per_address=self.max_sessions_per_address,
        )

    def lazy_rules(self) -> tuple[Rule, ...]:
        """What may wait."""
        return tuple(map(read_rule, self.lazy or ()))

    def markup_rules(self) -> tuple[Rule, ...]:
        """Where there is to be no markup."""
        return tuple(map(read_rule, self.no_markup or ()))
