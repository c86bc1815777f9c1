"""Writes what the user's own configuration remembers: new profiles, and which one is in use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mqctl.errors import ConfigError, UsageError
from mqctl.profiles.schema import check_profile
from mqctl.profiles.store import SUFFIX, Found, Place, Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def compose(said: Mapping[str, str | bool | None]) -> str:
    """A profile's file that says this, by dotted key; None is left out."""
    import tomlkit  # noqa: PLC0415 - only who writes a profile pays for it

    document = tomlkit.document()
    for key, value in said.items():
        if value is not None:
            *tables, leaf = key.split(".")
            at: Any = document
            for table in tables:
                at = at.setdefault(table, tomlkit.table())
            at[leaf] = value
    return tomlkit.dumps(document)


def add(store: Store, name: str, said: Mapping[str, str | bool | None], *, force: bool = False) -> Path:
    """Write a profile into the user's own ones, and return its file.

    Raises:
        UsageError: As `check_name`.
        ConfigError: What is said is no profile, or its parent is missing; nothing was written.
    """
    import tomllib  # noqa: PLC0415

    path = check_name(store, name, force=force)
    text = compose(said)
    check_profile(tomllib.loads(text), name=name, path=f"profile {name}")
    if parent := said.get("extends"):
        store.parent(Found(name, path, Place.USER), str(parent))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _taken(name, path) from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    return path


def check_name(store: Store, name: str, *, force: bool = False) -> Path:
    """The file that a new profile of the user would be.

    Raises:
        UsageError: The name is none, or is taken and `force` is not set.
    """
    if not _NAME.fullmatch(name) or name.endswith(SUFFIX):
        raise UsageError(f"not a name for a profile: {name!r}", hint="letters, digits, '.', '_' and '-', 100 at most")
    path = store.config_dir() / "profiles" / (name + SUFFIX)
    if path.exists() and not force:
        raise _taken(name, path)
    return path


def _taken(name: str, path: Path) -> UsageError:
    return UsageError(f"the profile {name} exists already: {path}", hint="--force replaces it")


def use(store: Store, found: Found) -> str:
    """Choose a profile for when neither `--profile` nor `MQCTL_PROFILE` does; return what was remembered.

    A file outside the user's own profiles is remembered by its path, so that its name never means another file.
    """
    remembered = found.name if found.place in (Place.USER, Place.SHIPPED) else str(found.path)
    try:
        store.used_file.parent.mkdir(parents=True, exist_ok=True)
        store.used_file.write_text(remembered + "\n", "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {store.used_file}: {error.strerror}") from None
    return remembered
