"""Which transport serves a scheme."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from mqctl.adapters import registry
from mqctl.adapters.stomp import StompAdapter
from mqctl.errors import ConfigError, PluginError


@pytest.fixture
def plugins(monkeypatch):
    """Entry points that a test declares."""
    declared: list[EntryPoint] = []

    def entry_points(*, group):
        assert group == "mqctl.adapters.v1"
        return EntryPoints(declared)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    return declared


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, registry.GROUP)


@pytest.mark.parametrize("scheme", ["stomp", "stomp+ssl"])
def test_stomp_is_built_in(scheme, plugins):
    assert isinstance(registry.adapter_for(scheme), StompAdapter)


def test_a_plugin_is_found_by_its_scheme(plugins):
    plugins.append(point("mine", "mqctl.adapters.stomp:StompAdapter"))
    assert isinstance(registry.adapter_for("mine"), StompAdapter)
    assert "mine" in registry.schemes()


def test_a_plugin_cannot_take_a_built_in_scheme(plugins):
    plugins.append(point("stomp", "no.such.module:X"))
    assert isinstance(registry.adapter_for("stomp"), StompAdapter)


def test_an_unknown_scheme_names_the_nearest(plugins):
    with pytest.raises(ConfigError, match="stmop://") as caught:
        registry.adapter_for("stmop")
    assert caught.value.hint == "did you mean stomp://?"


def test_an_unknown_scheme_near_nothing_lists_all(plugins):
    with pytest.raises(ConfigError) as caught:
        registry.adapter_for("zzzzzz")
    assert caught.value.hint == "schemes: " + ", ".join(registry.schemes())


@pytest.mark.parametrize("value", ["no.such.module:X", "mqctl.adapters.stomp:Missing", "mqctl:__doc__"])
def test_a_plugin_that_does_not_load_is_named(value, plugins):
    plugins.append(point("broken", value))
    with pytest.raises(PluginError, match="broken://") as caught:
        registry.adapter_for("broken")
    assert value in (caught.value.hint or "")


def test_two_claims_of_one_scheme_are_refused(plugins):
    plugins.extend([point("twice", "a:A"), point("twice", "b:B")])
    with pytest.raises(PluginError, match="a:A and b:B"):
        registry.adapter_for("twice")


def test_a_built_in_that_does_not_import_is_a_plugin_error(monkeypatch):
    monkeypatch.setitem(registry.BUILT_IN, "stomp", "mqctl.adapters.no_such:X")
    with pytest.raises(PluginError, match="does not load"):
        registry.adapter_for("stomp")


def test_nothing_is_imported_that_is_not_asked_for():
    script = "import sys, mqctl.adapters.registry as r; r.schemes(); sys.exit('stomp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
