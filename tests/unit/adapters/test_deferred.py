"""Modules that are imported when something of them is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mqctl.adapters.deferred import defer


def test_a_module_is_imported_when_something_of_it_is_used(monkeypatch, tmp_path):
    (tmp_path / "deferred_one.py").write_text("VALUE = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "deferred_one", raising=False)
    defer("deferred_one")
    import deferred_one as stand_in

    assert "VALUE" not in vars(stand_in)
    assert stand_in.VALUE == 7
    import deferred_one

    assert vars(deferred_one)["VALUE"] == 7
    assert stand_in.VALUE == 7
    monkeypatch.delitem(sys.modules, "deferred_one")


def test_what_is_imported_already_stays():
    before = sys.modules["json"]
    defer("json")
    assert sys.modules["json"] is before


def test_a_module_that_is_not_there_fails_when_it_is_used(monkeypatch):
    defer("no_such_module_here")
    stand_in = sys.modules["no_such_module_here"]
    with pytest.raises(ModuleNotFoundError):
        _ = stand_in.anything


@pytest.mark.parametrize(
    "use",
    ["import websocket; websocket.create_connection", "from websocket import WebSocketApp", "import websocket._abnf"],
)
def test_stomp_py_leaves_its_websocket_library_usable_to_others(use):
    code = f"import mqctl.adapters.stomp_library, sys; assert 'websocket._core' not in sys.modules; {use}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=25)
