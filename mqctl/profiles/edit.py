"""Writes what the user's own configuration remembers: new profiles, and which one is in use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from mqctl.errors import ConfigError, UsageError
from mqctl.profiles.resolve import Firmness
from mqctl.profiles.schema import check_profile
from mqctl.profiles.store import SUFFIX, Found, Place, Store, read_document

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def compose(said: Mapping[str, str | bool | None]) -> str:
    """A profile's file that says this, by dotted key; None is left out."""
    import tomlkit  # noqa: PLC0415 - only who writes a profile pays for it

    return _say(tomlkit.document(), said)


def _say(document: Any, said: Mapping[str, str | bool | None]) -> str:
    import tomlkit  # noqa: PLC0415

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
    path = check_name(store, name, force=force)
    text = _checked(store, Found(name, path, Place.USER), compose(said))
    with nullcontext() if force else _claimed(name, path):
        _write(path, text)
    return path


def update(store: Store, name: str, said: Mapping[str, str | bool | None]) -> Path:
    """Say something else in a profile of the user, keep the rest with its comments, and return its file.

    Raises:
        UsageError: As `own`.
        ConfigError: The profile is wrong, or would be; nothing was written.
    """
    import tomlkit  # noqa: PLC0415

    found = own(store, name)
    check_profile(read_document(found.path), name=name, path=str(found.path))
    document = tomlkit.parse(found.path.read_text("utf-8-sig"))
    _write(found.path, _checked(store, found, _say(document, said)))
    return found.path


def remove(store: Store, name: str) -> Path:
    """Delete a profile of the user, and forget the choice of it if nothing else has its name; return what its file was.

    Raises:
        UsageError: As `own`.
        ConfigError: It cannot be deleted.
    """
    path = own(store, name).path
    with _explained(path):
        path.unlink()
        if store.choice()[:2] == (name, Firmness.USED) and name not in {each.name for each in store.all()}:
            store.used_file.unlink()
    return path


def own(store: Store, name: str) -> Found:
    """A profile of the user's own by its name; only these are changed.

    Raises:
        UsageError: It is another's, or nobody's.
    """
    for found in store.all():
        if found.place is Place.USER and found.name == name:
            return found
    other = store.find(name)
    raise UsageError(
        f"{other.path} is not one of your own profiles ({other.place.value})",
        hint="those are in " + str(store.config_dir() / "profiles") + "; make one: mqctl profile add NAME --extends …",
    )


def _checked(store: Store, found: Found, text: str) -> str:
    """The same text, where it is that of a profile whose parent is there."""
    import tomllib  # noqa: PLC0415

    profile = check_profile(tomllib.loads(text), name=found.name, path=f"profile {found.name}")
    if profile.extends:
        store.parent(found, profile.extends)
    return text


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
    return UsageError(
        f"the profile {name} exists already: {path}", hint="--force replaces it, --update changes what is said of it"
    )


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
