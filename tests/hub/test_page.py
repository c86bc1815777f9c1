"""The files of the hub's page as they are served: all of them, with what a browser may do, and none but them."""

from __future__ import annotations

import http.client
import re

import pytest

from mqctl.hub import page as served
from tests.hub.conftest import TestHub

pytestmark = pytest.mark.parametrize("via", ["web-socket"], indirect=True)

FILES = sorted(each.name for each in (served.files("mqctl.hub") / "web").iterdir())


def ask(hub: TestHub, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """An answer and its body."""
    connection = http.client.HTTPConnection(hub.endpoint.host, hub.endpoint.port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=named)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def policy(answer: http.client.HTTPResponse) -> dict[str, list[str]]:
    """What the Content-Security-Policy says, by directive."""
    found = answer.headers["Content-Security-Policy"]
    return {name: rest for name, *rest in (part.split() for part in found.split(";"))}


def test_the_page(hub):
    answer, body = ask(hub, "/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>mqctl hub</title>" in body
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-cache"


def test_the_policy_lets_the_page_do_what_it_needs_and_no_more(hub):
    assert policy(ask(hub, "/")[0]) == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "connect-src": ["'self'", f"ws://{hub.endpoint}", f"wss://{hub.endpoint}"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }


@pytest.mark.parametrize("host", ["localhost:1; script-src *", "localhost, *", "localhost\t*", "local host"])
def test_the_name_of_the_hub_adds_nothing_to_the_policy(start, host):
    answer, _ = ask(start(allow_origins=("*",)), "/", Host=host)
    if answer.status == 200:
        assert policy(answer)["connect-src"] == ["'self'"]
        assert policy(answer)["script-src"] == ["'self'"]


@pytest.mark.parametrize("name", [name for name in FILES if name != "index.html"])
def test_every_file_is_served_as_what_it_is(hub, name):
    answer, body = ask(hub, f"/page/{name}")
    types = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    assert answer.status == 200
    assert answer.headers["Content-Type"].partition(";")[0] == types[name.partition(".")[2]]
    assert body == (served.files("mqctl.hub") / "web" / name).read_bytes()
    assert "Content-Security-Policy" in answer.headers


def test_a_browser_that_has_a_file_is_not_sent_it_again(hub):
    answer, body = ask(hub, "/page/main.js")
    tag = answer.headers["ETag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again, nothing = ask(hub, "/page/main.js", If_None_Match=known)
        assert (again.status, nothing, again.headers["ETag"]) == (304, b"", tag)
        assert "Content-Security-Policy" in again.headers
    for stale in ('"other"', "nonsense"):
        assert ask(hub, "/page/main.js", If_None_Match=stale)[1] == body


def test_only_the_head(hub):
    answer, body = ask(hub, "/", "HEAD")
    assert (answer.status, body) == (200, b"")
    assert int(answer.headers["Content-Length"]) == len(ask(hub, "/")[1])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/page/", 404),
        ("GET", "/page/index.html", 404),
        ("GET", "/page/../page.py", 404),
        ("GET", "/page/%2e%2e/page.py", 404),
        ("GET", "/page/__init__.py", 404),
        ("GET", "/page/main.js/x", 404),
        ("POST", "/", 405),
    ],
)
def test_nothing_else_is_there(hub, method, path, status):
    assert ask(hub, path, method)[0].status == status


def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline(hub):
    """Neither scripts, styles and handlers in the markup, nor addresses of others, nor HTML made of text."""
    names = [*re.findall(r'(?:src|href)="([^"]+)"', ask(hub, "/")[1].decode())]
    assert all(ask(hub, f"/{name}")[0].status == 200 for name in names)
    for name in FILES:
        text = (served.files("mqctl.hub") / "web" / name).read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|<style|\bstyle=|\bon[a-z]+=\"", text), name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            name
        )
        for module in re.findall(r'from "\./([^"]+)"', text):
            assert module in FILES


def test_modules_fit_the_eye(hub):
    """As those of Python do."""
    for name in FILES:
        lines = (served.files("mqctl.hub") / "web" / name).read_text().splitlines()
        if name.endswith(".js"):
            assert len(lines) <= 400, name
        assert all(len(line) <= 120 for line in lines), name
