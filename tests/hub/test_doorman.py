"""Which pages and names are let through."""

from __future__ import annotations

import pytest

from mqctl.errors import ConfigError
from mqctl.hub.doorman import is_elsewhere, read_origin, refused_host, refused_origin

US = "127.0.0.1:61680"


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "welcome"),
    [
        (None, US, [], True),
        ("http://localhost:3000", US, [], True),
        ("https://127.1.2.3", US, [], True),
        ("http://[::1]:80", US, [], True),
        ("http://hub.example:61680", "hub.example:61680", [], True),
        ("http://hub.example", "hub.example:61680", [], False),
        ("http://localhost.evil.example", US, [], False),
        ("http://evil.example#localhost", US, [], False),
        ("http://localhost@evil.example", US, [], False),
        ("http://[bad", US, [], False),
        ("null", US, [], False),
        ("", US, [], False),
        ("", "", [], False),
        ("null", US, ["null"], True),
        ("https://app.example", US, ["https://app.example"], True),
        ("http://app.example", US, ["https://app.example"], False),
        ("https://app.example:444", US, ["https://app.example"], False),
        ("https://anything.example", US, ["*"], True),
    ],
)
def test_origins(origin, host, allowed, welcome):
    assert (refused_origin(origin, host, allowed) is None) is welcome


@pytest.mark.parametrize(
    ("host", "allowed", "welcome"),
    [
        ("localhost", [], True),
        ("localhost:61680", [], True),
        ("127.0.0.1:1", [], True),
        ("[::1]:61680", [], True),
        ("app.localhost.example", [], False),
        ("", [], False),
        ("[", [], False),
        ("192.0.2.1", [], False),
        ("app.example", ["https://app.example:8443"], True),
        ("app.example", ["null"], False),
        ("app.example", ["*"], True),
    ],
)
def test_hosts(host, allowed, welcome):
    assert (refused_host(host, allowed) is None) is welcome


@pytest.mark.parametrize(
    ("origin", "host", "elsewhere"),
    [
        (None, US, False),
        ("http://127.0.0.1:3000", US, False),
        ("http://localhost:3000", US, True),
        ("https://app.example", "hub.example", True),
        ("https://HUB.example", "hub.example:8443", False),
        ("null", US, True),
        ("http://[bad", US, True),
        ("http://a", "[", True),
    ],
)
def test_pages_of_other_hosts(origin, host, elsewhere):
    assert is_elsewhere(origin, host) is elsewhere


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://App.Example/", "https://app.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("*", "*"),
        ("null", "null"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_origins_are_read_as_browsers_write_them(text, origin):
    assert read_origin(text) == origin


@pytest.mark.parametrize("text", ["", "app.example", "https://", "https://a/b", "https://u@a", "https://a b"])
def test_what_is_no_origin(text):
    with pytest.raises(ConfigError, match="not an origin") as caught:
        read_origin(text)
    assert "https://app.example:8443" in caught.value.hint
