"""Asking all questions of one broker."""

from __future__ import annotations

from collections.abc import Callable

from mqctl.errors import ConnectError, ConnectionLost, MqctlError, RefusedError, UnsupportedError
from mqctl.model import Connected
from mqctl.probe.checks import Check, all_checks
from mqctl.probe.encryption import encryption
from mqctl.probe.findings import Finding, Outcome, Report
from mqctl.probe.ground import Ground


def survey(ground: Ground, *, max_bytes: int, tell: Callable[[str], None]) -> Report:
    """Ask everything; what goes wrong with one question is its answer.

    Args:
        ground: The broker.
        max_bytes: The largest message to try.
        tell: Called with each question before it is tried out.

    Raises:
        MqctlError: As `Adapter.connect`: the broker is not to be had at all.
    """
    with ground.visit() as visit:
        greeting = visit.connection.greeting
    # The name of a transport may end in a version, which need not be the one that is spoken.
    name = ground.adapter.info.name.partition(" ")[0]
    ground.spoken = f"{name} {greeting.detail.get('version', '')}".rstrip()
    findings = [_greeted(ground, greeting), encryption(ground.target)]
    gone = ""
    for check in all_checks(max_bytes):
        if gone:
            findings.append(Finding(check.question, Outcome.UNCLEAR, gone))
            continue
        tell(check.question)
        try:
            findings.append(_ask(ground, check))
        except ConnectError as error:
            gone = str(error)
            findings.append(Finding(check.question, Outcome.UNCLEAR, gone))
    return Report(f"{ground.target.scheme}://{greeting.peer}", tuple(findings), tuple(ground.left_behind), gone)


def _greeted(ground: Ground, greeting: Connected) -> Finding:
    said = {
        "server": greeting.server,
        "protocol": ground.spoken,
        "dialect": str(greeting.dialect) if greeting.dialect else None,
        "clock": greeting.detail.get("clock"),
    }
    seen = f"{greeting.server or 'a broker that does not say its name'}, {ground.spoken}"
    if greeting.dialect:
        seen += f", read as {greeting.dialect}"
    if said["clock"]:
        seen += f"; its clock is {said['clock']}"
    return Finding("server", Outcome.YES, seen, {name: value for name, value in said.items() if value})


def _ask(ground: Ground, check: Check) -> Finding:
    if check.needs and check.needs not in ground.adapter.info.features:
        return Finding(check.question, Outcome.UNSUPPORTED, f"{ground.spoken} has no such thing")
    try:
        return Finding(check.question, *check.run(ground))
    except UnsupportedError as error:
        return Finding(check.question, Outcome.UNSUPPORTED, str(error))
    except RefusedError as error:
        return Finding(check.question, Outcome.NO, f"refused: {error}")
    except MqctlError as error:
        if isinstance(error, ConnectError) and not isinstance(error, ConnectionLost):
            # Nobody is there any more, who could be asked anything.
            raise
        return Finding(check.question, Outcome.UNCLEAR, str(error))
