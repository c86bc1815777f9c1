"""A small world with a place for profiles at every step of the search."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqctl.profiles.store import Store


class World:
    """Directories under one root; `put` writes a profile into one of them."""

    def __init__(self, root: Path) -> None:
        self.cwd = root / "here"
        self.directories = {
            "directory": root / "given",
            "project": self.cwd / "profiles",
            "user": root / "config" / "mqctl" / "profiles",
            "elsewhere": root / "elsewhere",
        }
        self.cwd.mkdir()
        self.environ = {"XDG_CONFIG_HOME": str(root / "config")}
        self.warned: list[str] = []

    @property
    def store(self) -> Store:
        return Store(self.environ, self.cwd)

    def put(self, place: str, name: str, text: str = "") -> Path:
        directory = self.directories[place]
        directory.mkdir(parents=True, exist_ok=True)
        if place == "directory":
            self.environ["MQCTL_PROFILE_DIR"] = str(directory)
        path = directory / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def load(self, **flags: object):
        return self.store.load(flags, warn=self.warned.append)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)
