"""Channels against their grammar, and what they match against a second, slower opinion."""

from __future__ import annotations

from itertools import product

import pytest

from mqctl.protocols.bayeux.channel import Kind, is_legal, is_wild, kind_of, matches, matching, normalised


@pytest.mark.parametrize(
    "channel", ["/a", "/a/b", "/*", "/**", "/a/*", "/a/**", "/-_!~()$@", "/a b", "/#+.{}", "/meta/connect", "/A9"]
)
def test_legal(channel):
    assert is_legal(channel)


@pytest.mark.parametrize(
    "channel",
    ["", "/", "a", "//", "/a/", "/a//b", "/*/a", "/**/a", "/a*", "/*a", "/a/***", "/a<", "/a,b", "/a:b", "/ä", "/a\n"],
)
def test_illegal(channel):
    assert not is_legal(channel)


def test_one_slash_at_the_end_is_nothing():
    assert normalised("/a/") == "/a"
    assert normalised("/a") == "/a"
    assert normalised("/") == "/"
    assert normalised("/a//") == "/a/"


@pytest.mark.parametrize(
    ("channel", "kind"),
    [
        ("/meta/connect", Kind.META),
        ("/meta/foo", Kind.META),
        ("/meta/**", Kind.META),
        ("/meta", Kind.BROADCAST),
        ("/service/x", Kind.SERVICE),
        ("/service", Kind.BROADCAST),
        ("/services/x", Kind.BROADCAST),
        ("/a/meta/connect", Kind.BROADCAST),
    ],
)
def test_kinds(channel, kind):
    assert kind_of(channel) is kind


def test_what_a_channel_matches():
    assert matching("/a/b/c") == ("/a/b/c", "/a/b/*", "/a/b/**", "/a/**", "/**")
    assert matching("/a") == ("/a", "/*", "/**")
    assert is_wild("/a/*")
    assert is_wild("/a/**")
    assert not is_wild("/a/b")


def test_patterns_against_segments():
    """All channels of up to three segments, all patterns of up to three."""
    names = ["/" + "/".join(part) for depth in (1, 2, 3) for part in product("ab", repeat=depth)]
    roots = ["", *names]
    for name in names:
        for pattern in (*names, *(f"{root}/*" for root in roots), *(f"{root}/**" for root in roots)):
            want, have = pattern.split("/")[1:], name.split("/")[1:]
            if want[-1] == "**":
                fits = len(have) >= len(want) and have[: len(want) - 1] == want[:-1]
            elif want[-1] == "*":
                fits = len(have) == len(want) and have[:-1] == want[:-1]
            else:
                fits = have == want
            assert matches(pattern, name) is fits, (pattern, name)
