"""pytest plugin: fixtures for projects that test against mqctl. Costs nothing until one of them is used."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mqctl.testing import offers

if TYPE_CHECKING:
    from mqctl.hub.thread import HubThread
    from mqctl.model import Topic
    from mqctl.target import Target
    from mqctl.testing.history import History
    from mqctl.testing.workbench import Connections, Proxies

pytest.register_assert_rewrite(
    "mqctl.testing.laws_acknowledge",
    "mqctl.testing.laws_connect",
    "mqctl.testing.laws_publish",
    "mqctl.testing.laws_refuse",
    "mqctl.testing.laws_retained",
    "mqctl.testing.laws_session",
    "mqctl.testing.laws_subscribe",
    "mqctl.testing.laws_transactions",
    "mqctl.testing.subject",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The broker under test, and where histories are kept."""
    group = parser.getgroup("mqctl", "brokers and histories (mqctl)")
    group.addoption("--mqctl-url", metavar="URL", help="test against this broker, not a hub")
    group.addoption("--mqctl-profile", metavar="NAME", help="test against the broker of a profile of mqctl")
    group.addoption("--mqctl-run-dir", metavar="DIR", help="keep histories there, not in the test's temporary folder")


def pytest_configure(config: pytest.Config) -> None:
    """The markers of the contract."""
    for marker in offers.MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem() -> Generator[None, object, object]:
    """Of a law, only the cases that can be."""
    made = yield
    if not isinstance(made, list):
        return made
    return [each for each in made if not isinstance(each, pytest.Item) or offers.applies(each)]


@pytest.fixture
def mqctl_hub() -> Iterator[HubThread]:
    """A hub that lives as long as the test, on a free port of loopback; its `url` and `endpoint` say where."""
    from mqctl.hub.config import HubConfig
    from mqctl.hub.thread import HubThread
    from mqctl.target import Endpoint

    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as hub:
        yield hub


@pytest.fixture(scope="session")
def _mqctl_chosen(pytestconfig: pytest.Config) -> Target | None:
    """The broker of the options; None where there are none."""
    url, profile = pytestconfig.getoption("--mqctl-url"), pytestconfig.getoption("--mqctl-profile")
    if url is None and profile is None:
        return None
    from mqctl.errors import MqctlError
    from mqctl.testing.workbench import chosen

    try:
        return chosen(url, profile, pytestconfig.invocation_params.dir)
    except MqctlError as error:
        pytest.fail("\n".join(filter(None, (f"--mqctl-url or --mqctl-profile: {error}", error.hint))), pytrace=False)


@pytest.fixture
def mqctl_target(request: pytest.FixtureRequest, _mqctl_chosen: Target | None) -> Target:
    """The broker under test: that of `--mqctl-url` or `--mqctl-profile`, else a hub of this test alone."""
    from mqctl.testing.workbench import written

    return _mqctl_chosen or written(request.getfixturevalue("mqctl_hub").url)


@pytest.fixture
def mqctl_topic() -> Topic:
    """A topic that nobody else uses."""
    from mqctl.testing.workbench import fresh_name

    return fresh_name()


@pytest.fixture
def _mqctl_stack() -> Iterator[ExitStack]:
    """Closes connections before the proxies that they go by. To be asked for behind the hub, which is closed last."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def mqctl_proxy(mqctl_target: Target, _mqctl_stack: ExitStack) -> Proxies:
    """Call it for a proxy before the broker under test, or before any other: a `Link`."""
    from mqctl.testing.workbench import Proxies

    return Proxies(mqctl_target, _mqctl_stack)


@pytest.fixture
def mqctl_connection(mqctl_target: Target, _mqctl_stack: ExitStack) -> Connections:
    """Call it for a connection and the recorder of its events; closed after the test."""
    from mqctl.testing.workbench import Connections

    return Connections(mqctl_target, _mqctl_stack)


@pytest.fixture
def mqctl_history(request: pytest.FixtureRequest) -> Iterator[History]:
    """A history of this test, kept in its `tmp_path` or below `--mqctl-run-dir`."""
    from mqctl.testing.history import History

    with History(_history_path(request), request.node.name) as history:
        yield history


def _history_path(request: pytest.FixtureRequest) -> Path:
    from mqctl.laboratory.archive import HISTORY, Folder

    kept: str | None = request.config.getoption("--mqctl-run-dir")
    if kept is None:
        folder: Path = request.getfixturevalue("tmp_path")
        return folder / HISTORY
    return Folder(request.config.invocation_params.dir / kept, re.sub(r"[^\w.-]+", "-", request.node.name)).history
