"""Writes what the user's own configuration remembers: new profiles, and which one is in use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
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
    with nullcontext() if force else _claimed(name, path):
        _write(path, text)
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
    _write(store.used_file, remembered + "\n")
    return remembered


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all: who reads it meanwhile, or whose disk is full, has what was there before.

    Raises:
        ConfigError: It cannot be written.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path.resolve(), text)  # where it is a link, what it leads to is written


@contextmanager
def _claimed(name: str, path: Path) -> Iterator[None]:
    """The name of a new profile is nobody else's inside, and free again if that fails."""
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.open("x").close()
        except FileExistsError:
            raise _taken(name, path) from None
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, "utf-8")
        if path.exists():
            beside.chmod(path.stat().st_mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
