"""`mqctl profile check`: one profile, its file and its broker."""

from __future__ import annotations

from collections.abc import Iterator

from mqctl.adapters import registry
from mqctl.cli.context import AppContext
from mqctl.cli.target import advised
from mqctl.errors import ExitCode, MqctlError
from mqctl.profiles.check import Report, check
from mqctl.profiles.resolve import Firmness
from mqctl.profiles.store import Found, Store
from mqctl.views.registry import VIEWS


def check_one(
    context: AppContext, store: Store, found: Found, *, firmness: Firmness, connect: bool
) -> tuple[str, ExitCode]:
    """Tell what is wrong with a profile, and with `connect` whether its broker lets us in.

    Returns:
        Its state in a word or a line, and the exit code for it.
    """
    report = _looked_at(store, found)
    for line in _against(found, report):
        context.report(line)
    if report.problems:
        return "wrong", ExitCode.USAGE
    if report.to_fill_in:
        # A sample is fine among all profiles; whoever asks about it wants to use it, and cannot.
        return "to fill in", ExitCode.USAGE if firmness is Firmness.FLAG else ExitCode.OK
    if report.unavailable:
        # As with a sample: only who wants to connect to this very one is disappointed.
        return "unavailable", ExitCode.REFUSED if connect and firmness is Firmness.FLAG else ExitCode.OK
    if not connect:
        return "ok", ExitCode.OK
    try:
        return _greeting(context, store, found, firmness), ExitCode.OK
    except MqctlError as error:
        context.complain(error)
        return "failed", error.exit_code


def warn_about(context: AppContext, store: Store, found: Found) -> None:
    """Tell what keeps anybody from using a profile that was just written or chosen."""
    for line in _against(found, _looked_at(store, found)):
        context.report(line)


def _looked_at(store: Store, found: Found) -> Report:
    return check(store, found, schemes=registry.schemes(), views=VIEWS)


def _against(found: Found, report: Report) -> Iterator[str]:
    """Why a profile cannot be used, a sentence each."""
    yield from (f"{found.path}: {problem}" for problem in report.problems)
    if report.to_fill_in:
        yield (
            f"{found.path} is a sample: its url has {report.to_fill_in} where yours has something else; "
            f"make your own by {report.cure}"
        )
    if report.unavailable:
        yield f"{found.path}: {report.unavailable}"


def _greeting(context: AppContext, store: Store, found: Found, firmness: Firmness) -> str:
    """Connect, and tell who answers."""
    target = store.settings(found, firmness=firmness, warn=context.report).target()
    adapter = registry.adapter_for(target.scheme)
    with advised(target), adapter.connect(target, sink=lambda _: None) as connection:
        greeting = connection.greeting
    return f"ok, {greeting.server or 'a server that does not say its name'} at {greeting.peer}"
