"""The URL grammar, and that no message of it shows a password."""

from __future__ import annotations

import pytest

from mqctl.errors import ConfigError
from mqctl.target import Endpoint, Secret, Target, is_encrypted, is_http, is_web_socket, parse_endpoint, parse_url


@pytest.mark.parametrize(
    ("text", "scheme", "endpoints", "path"),
    [
        ("stomp://h", "stomp", ["h:61613"], ""),
        ("STOMP+WS://h:1/p", "stomp+ws", ["h:1"], "/p"),
        ("stomp://h/", "stomp", ["h:61613"], "/"),
        ("stomp+ws://h/p,i", "stomp+ws", ["h:80", "i:80"], "/p"),
        ("stomp+ws://h,i/p", "stomp+ws", ["h:80", "i:80"], "/p"),
        ("stomps://h", "stomp+ssl", ["h:61614"], ""),
        ("mqtts://h", "mqtt+ssl", ["h:8883"], ""),
        ("stomp+ssl://a:1,stomp+ssl://b:2", "stomp+ssl", ["a:1", "b:2"], ""),
        ("stomp://a,b:2, c ,", "stomp", ["a:61613", "b:2", "c:61613"], ""),
        ("stomp://a\n stomp://b:2,\n\nstomp://c\n", "stomp", ["a:61613", "b:2", "c:61613"], ""),
        ("stomp://[::1]:5", "stomp", ["[::1]:5"], ""),
        ("stomp://:5", "stomp", ["localhost:5"], ""),
        ("mem://x", "mem", ["x:0"], ""),
    ],
)
def test_reads(text, scheme, endpoints, path):
    """Schemes fold their case and aliases, ports have defaults, a comma makes a failover list."""
    url = parse_url(text)
    assert (url.scheme, [str(each) for each in url.endpoints], url.path) == (scheme, endpoints, path)
    assert (url.user, url.password) == (None, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("localhost", "not a broker URL: 'localhost'"),
        ("", "not a broker URL: ''"),
        (",", "not a broker URL: ','"),
        ("stomp://", "not a broker URL"),
        ("localhost:61613", "not a broker URL: 'localhost:61613'"),
        ("stomp://h:x", r"bad host or port in 'stomp://h:\*\*\*'"),
        ("stomp://g,h:99999", "bad host or port in 'stomp://g,h:99999'"),
        ("stomp://a,stomps://b", "one scheme"),
        ("mqtt://h?token=x", r"mqtt:// has no '\?': 'mqtt://h\?\*\*\*'"),
        ("stomp+ssl://h:1/x", r"stomp\+ssl:// has no path"),
        ("stomp://h#part", r"a broker URL has no '#': 'stomp://h#\*\*\*'"),
        ("wss://h?a=b#part", "a broker URL has no '#'"),
        ("wss://h/x,i/y", "one path and one query"),
        ("wss://h?x,wss://i?y", "one path and one query"),
        ("wss://h?a=b,c", r"a ',' in the query of 'wss://h\?\*\*\*'"),
        ("wss://h?a=b@c", r"query in 'wss://\*\*\*@\*\*\*'"),
        ("failover:(ssl://a:61617,ssl://b:61617)", r"failover:\(…\) is how ActiveMQ's own clients"),
        ("failover://(tcp://a:61616)?randomize=false", "a list of OpenWire addresses"),
    ],
)
def test_refuses(text, words):
    """What is no URL is refused in a sentence that quotes it."""
    with pytest.raises(ConfigError, match=words):
        parse_url(text)


def test_login():
    """The first user and password of a list count, percent-decoded, and stay out of every text."""
    url = parse_url("stomp://al%40ice:p%2Cw@h1,h2")
    assert (url.user, url.password and url.password.reveal()) == ("al@ice", "p,w")
    assert "p,w" not in repr(url) + str(url)
    target = Target(scheme=url.scheme, endpoints=url.endpoints, user=url.user, password=url.password)
    assert target.name == "stomp://h1:61613,h2:61613"
    assert "p,w" not in f"{target!r} {target} {Secret('p,w')!r} {Secret('p,w')}"


def test_a_query_is_a_secret_of_all_hosts():
    """As it was written, for a server of HTTP may tell `%2F` from `/`."""
    url = parse_url("wss://h1/ws?token=s%2Fcret,wss://h2")
    assert url.query == Secret("token=s%2Fcret")
    target = Target(scheme=url.scheme, endpoints=url.endpoints, path=url.path, query=url.query)
    assert target.name == "wss://h1:443,h2:443/ws?***"
    assert "2Fcret" not in f"{url} {target} {target!r}"


@pytest.mark.parametrize(
    "text",
    [
        *("stomp://h?secret", "wss://h:x?secret", "wss://h/?a=b,secret", "wss://h/?a=b@secret", "wss://h?#secret"),
        *("wss://h/a?secret,h/b", "wss://h?secret,wss://h?b", "h?secret", "stomps://h/p?secret", "mem://?secret"),
    ],
)
def test_a_query_out_of_place_never_shows(text):
    with pytest.raises(ConfigError) as caught:
        parse_url(text)
    assert "secret" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


@pytest.mark.parametrize(
    "password", ["se,cret", "se/cret", "12/cret", "12,cret", "12#cret", "12?cret", "se cret", "a@cret"]
)
@pytest.mark.parametrize("tail", ["h", "h:x", "h,h2:y", "h,stomps://h2"])
def test_raw_password_never_shows(password, tail):
    """A password with characters that break a URL is refused without a part of it, or of the user, in the message."""
    try:
        url = parse_url(f"stomp://alice:{password}@{tail}")
    except ConfigError as error:
        seen = f"{error} {error.hint} {error.__cause__} {error.__suppress_context__}"
        assert "cret" not in seen
        assert "alice" not in seen
    else:
        assert url.password is not None
        assert url.password.reveal() == password
        assert Endpoint("alice", 12) not in url.endpoints


@pytest.mark.parametrize(
    "text",
    [
        *("alice:secret@h", "stomp:/alice:secret@h", "stomp//alice:secret@h:1", "secret@stomp://h"),
        *("alice:secret@a,stomp://b", "stomp://alice:secret@[::1", "stomp://alice:secret@h:99999"),
        *(
            "stomp://alice:secret",
            "alice:secret",
            "stomp:alice:secret",
            "stomp://h,alice:secret",
            "stomp://alice:1secret",
        ),
        *(
            "stomp://alice:/x@#secret",
            "alice:x@secret",
            "stomp://alice:se\u2100secret",
            "stomp://[::1:secret",
            "stomp://alice:secret/",
        ),
    ],
)
def test_a_password_out_of_place_never_shows(text):
    """Not where the scheme is missing or broken, nor where the host was forgotten."""
    with pytest.raises(ConfigError) as caught:
        parse_url(text)
    assert "secret" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:61613", Endpoint("127.0.0.1", 61613)),
        ("61613", Endpoint("127.0.0.1", 61613)),
        ("[::1]:0", Endpoint("::1", 0)),
        ("broker.example:65535", Endpoint("broker.example", 65535)),
    ],
)
def test_an_address_to_listen_on_is_a_host_and_a_port_or_a_port(text, endpoint):
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize("text", ["", "localhost", "localhost:", "localhost:65536", "a:-1", "a:٣"])
def test_what_is_no_address_is_named(text):
    with pytest.raises(ConfigError, match="not an address"):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("scheme", "encrypted", "web_socket", "http"),
    [
        ("stomp", False, False, False),
        ("mqtt+ssl", True, False, False),
        ("stomp+ws", False, True, True),
        ("mqtt+wss", True, True, True),
        ("bayeux+http", False, False, True),
        ("bayeux+https", True, False, True),
        ("mem", False, False, False),
    ],
)
def test_scheme_says_what_carries_it(scheme, encrypted, web_socket, http):
    assert (is_encrypted(scheme), is_web_socket(scheme), is_http(scheme)) == (encrypted, web_socket, http)


def test_secrets_are_equal_by_their_text():
    """Two readings of one password mean the same, so that a console knows its own broker again."""
    assert Secret("a") == Secret("a")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"
