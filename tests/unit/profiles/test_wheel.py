"""The samples are part of what people install."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import mqctl

ROOT = Path(mqctl.__file__).parent.parent


def test_wheel_ships_profiles(tmp_path):
    """The wheel has every profile of the checkout, and the mqctl in it finds them there."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    shipped = installed / "mqctl" / "profiles" / "shipped"
    checkout = {path.name: path.read_text("utf-8") for path in (ROOT / "profiles").glob("*.toml")}
    assert {path.name: path.read_text("utf-8") for path in shipped.iterdir()} == checkout
    run = subprocess.run(
        [sys.executable, "-c", "from mqctl.profiles.store import shipped_dir; print(shipped_dir())"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert run.stdout == f"{shipped}\n"
