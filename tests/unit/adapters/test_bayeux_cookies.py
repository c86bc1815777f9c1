"""What is kept of the cookies that a server sets."""

from __future__ import annotations

from email.message import Message
from types import SimpleNamespace

from mqctl.adapters.bayeux_http import Cookies


def setting(*cookies):
    """A response that sets these."""
    headers = Message()
    for cookie in cookies:
        headers["Set-Cookie"] = cookie
    return SimpleNamespace(headers=headers)


def test_they_come_and_go():
    cookies = Cookies({"a": "1"})
    cookies.keep(setting("b=2; Path=/; HttpOnly", "c=3"))
    cookies.keep(setting("a=; Max-Age=0", "c=4", "no cookie at all"))
    assert cookies.header() == {"Cookie": "b=2; c=4"}
    assert Cookies().header() == {}


def test_another_thread_may_be_reading_them():
    cookies = Cookies({"a": "1"})
    reading = iter(cookies.values.items())
    cookies.keep(setting("b=2"))
    assert list(reading) == [("a", "1")]
