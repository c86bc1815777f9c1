"""The manual says what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import mqctl
from mqctl.profiles.resolve import show
from mqctl.profiles.schema import COMMAND_DEFAULTS, SETTINGS, parse_profile
from mqctl.profiles.secrets import COMMAND_TIMEOUT_S, SecretKind

MANUAL = (Path(mqctl.__file__).parent.parent / "docs" / "profiles.md").read_text("utf-8")


def test_table_of_settings():
    """Every setting is a row of the table, in order, with its names, default and meaning."""
    expected = [
        "| "
        + " | ".join(
            (
                f"`{setting.key}`",
                f"`{setting.flag}`",
                f"`{setting.env}`" if setting.env else "",
                "" if setting.default is None else show(setting.default),
                setting.help,
            )
        )
        + " |"
        for setting in SETTINGS
    ]
    assert [line for line in MANUAL.splitlines() if re.match(r"\| `[a-z.-]+` \| `--", line)] == expected


def test_example_is_a_profile():
    """The example of a file is a profile without a mistake."""
    (example,) = re.findall(r"```toml\n(.*?)```", MANUAL, re.DOTALL)
    profile, problems = parse_profile(tomllib.loads(example), name="shop", path="shop.toml")
    assert problems == []
    assert profile.settings["client_id"] == "alice-laptop"


def test_presets_are_named():
    """Each command's list of options that can be preset is complete and in order."""
    text = " ".join(MANUAL.split())
    for command, options in COMMAND_DEFAULTS.items():
        assert f"`[defaults.{command}]` takes {', '.join(f'`{option}`' for option in options)}" in text


def test_references_are_named():
    """Each kind of reference has its row, and the time limit is the real one."""
    assert all(f"| `{kind}" in MANUAL for kind in SecretKind)
    assert f"within {COMMAND_TIMEOUT_S:g} seconds" in MANUAL
