"""Everything that can be said about a profile without connecting."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from mqctl.errors import ConfigError, UnsupportedError
from mqctl.profiles.amazonmq import check_url, how_to_fill_in
from mqctl.profiles.foreign import FOREIGN
from mqctl.profiles.readers import did_you_mean
from mqctl.profiles.resolve import Firmness, Settings, placeholder
from mqctl.profiles.schema import parse_profile
from mqctl.profiles.store import Found, Store, read_document
from mqctl.target import with_protocol

_FILES = ("ca_file", "cert_file", "key_file", "crl_file")


class Report(NamedTuple):
    """What is wrong with a profile; and what is not wrong in a sample.

    `to_fill_in` is a part of its URL, `cure` how to do that; `unavailable` says why it has no URL.
    """

    problems: tuple[str, ...] = ()
    to_fill_in: str | None = None
    cure: str | None = None
    unavailable: str | None = None


def check(store: Store, found: Found, *, schemes: Collection[str], views: Collection[str]) -> Report:
    """Check a profile, its parents, its URL's scheme against `schemes`, its views, and the files it names."""
    try:
        _, problems = parse_profile(read_document(found.path), name=found.name, path=str(found.path))
        if problems:
            return Report(tuple(problems))
        settings = store.settings(found, firmness=Firmness.FLAG, warn=print)
    except ConfigError as error:
        return Report((str(error),))
    if settings.unavailable:
        return Report(tuple(_wrong(settings, views)), unavailable=settings.unavailable)
    url = settings.get("url")
    if url is None:
        return Report(("it has no url, and no parent that has one",))
    wrong = (*_wrong_url(settings, schemes), *_wrong(settings, views))
    blank = placeholder(url)
    return Report(wrong, blank, how_to_fill_in(url, found.name) if blank else None)


def _wrong_url(settings: Settings, schemes: Collection[str]) -> Iterator[str]:
    try:
        check_url(settings.get("url"))
        url = with_protocol(settings.get("url"), settings.get("protocol"))
    except (ConfigError, UnsupportedError) as error:
        yield "; ".join(filter(None, (str(error), error.hint)))
        return
    if url.scheme in schemes:
        return
    if foreign := FOREIGN.get(url.scheme):
        yield f"{url.scheme}:// {foreign.meaning}; {foreign.hint}"
    else:
        yield f"no transport for {url.scheme}://; {did_you_mean(url.scheme, schemes)}"


def _wrong(settings: Settings, views: Collection[str]) -> Iterator[str]:
    for name in _FILES:
        path = settings.path(name)
        if path and not Path(path).is_file():
            yield f"{name.removesuffix('_file')}: no file at {path}"
    for key, value in settings.presets():
        if key.endswith(".view") and value.value not in views:
            yield f"{key}: no view {value.value!r}; {did_you_mean(value.value, views)}"
