"""The check of a profile's document."""

from __future__ import annotations

import dataclasses
from math import inf

import pytest

from mqctl.errors import ConfigError
from mqctl.model import Dialect
from mqctl.profiles.schema import SETTINGS, Profile, Trust, check_profile, parse_profile, quoted
from mqctl.profiles.secrets import Reference, SecretKind
from mqctl.target import MqttOptions, ReconnectOptions, Target, TlsOptions, parse_url

EVERYTHING = {
    "extends": "parent",
    "description": "all there is",
    "unavailable": "no more",
    "url": "stomp://h:1",
    "dialect": "classic",
    "auth": {"user": "alice", "password": "env:P"},
    "protocol": "stomp",
    "tls": {"ca": "ca.pem", "cert": "c.pem", "key": "k.pem", "key-password": "prompt", "crl": "r.pem"},
    "options": {
        "vhost": "/",
        "client-id": "me",
        "heart-beat": "0",
        "connect-timeout": "5s",
        "reconnect": "always",
        "reconnect-pause": "3s",
    },
    "mqtt": {
        "version": "5",
        "clean": False,
        "session-expiry": "1h",
        "will": {"topic": "gone", "payload": "bye", "qos": 1, "retain": True},
    },
    "defaults": {
        "publish": {"confirm": "socket", "persistent": True, "expires": "10s"},
        "tail": {"ack": "client"},
        "watch": {"view": "rect"},
    },
    "topics": {"a.b": {"view": "chart", "labels": ["x"], "envelope": True}},
}


def problems(document):
    return parse_profile(document, name="p", path="p.toml")[1]


def test_reads_everything():
    """Every key that a profile may have arrives, parsed."""
    profile, wrong = parse_profile(EVERYTHING, name="p", path="/d/p.toml", trust=Trust.NO_COMMANDS)
    assert wrong == []
    assert profile == Profile(
        name="p",
        path="/d/p.toml",
        trust=Trust.NO_COMMANDS,
        extends="parent",
        description="all there is",
        unavailable="no more",
        settings={
            "url": parse_url("stomp://h:1"),
            "dialect": Dialect.CLASSIC,
            "user": "alice",
            "password": Reference(SecretKind.ENV, "P"),
            "vhost": "/",
            "client_id": "me",
            "heart_beat_s": 0.0,
            "connect_timeout_s": 5.0,
            "ca_file": "ca.pem",
            "cert_file": "c.pem",
            "key_file": "k.pem",
            "key_password": Reference(SecretKind.PROMPT),
            "crl_file": "r.pem",
            "protocol": "stomp",
            "within_s": inf,
            "pause_max_s": 3.0,
            "version": "5",
            "clean": False,
            "session_expiry_s": 3600.0,
            "will_topic": "gone",
            "will_payload": "bye",
            "will_qos": 1,
            "will_retain": True,
        },
        defaults=EVERYTHING["defaults"],
        topics={"a.b": {"view": "chart", "labels": ("x",), "envelope": True}},
    )
    assert set(profile.settings) == {setting.name for setting in SETTINGS} - {"verify"}


def test_empty_document_says_nothing():
    """An empty file is a profile that leaves everything to its user."""
    assert parse_profile({}, name="p", path="x") == (Profile(name="p", path="x"), [])


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"ulr": "x"}, "unknown key ulr; did you mean 'url'?"),
        ({"auth": {"usr": "x"}}, "unknown key auth.usr; did you mean 'user'?"),
        ({"options": {"client_id": "x"}}, "unknown key options.client_id; did you mean 'client-id'?"),
        ({"defaults": {"publsh": {}}}, "unknown key defaults.publsh; did you mean 'publish'?"),
        ({"defaults": {"tail": {"akk": "x"}}}, "unknown key defaults.tail.akk; did you mean 'ack'?"),
        ({"topics": {"a b": {"veiw": "x"}}}, "unknown key topics.\"a b\".veiw; did you mean 'view'?"),
        ({"tls": {"zzzz": 1}}, "unknown key tls.zzzz; known: ca, cert, key, key-password, crl, verify"),
        (
            {"tls": {"verify": False}},
            "tls.verify: the broker's certificate is always checked; --insecure turns that off",
        ),
        ({"auth": "alice"}, "auth must be a table, [auth]"),
        ({"topics": {"rect": "chart"}}, "topics.rect must be a table, [topics.rect]"),
        ({"topics": {"a..b": {}}}, "topics.\"a..b\": a topic has no empty level: 'a..b'"),
        ({"options": {"heart-beat": 10}}, 'options.heart-beat: must be a text with a unit, such as "10s"'),
        ({"url": "nowhere"}, "url: not a broker URL: 'nowhere'"),
        ({"defaults": {"publish": {"confirm": "brokr"}}}, "'brokr' is not known; did you mean 'broker'?"),
    ],
)
def test_names_what_is_wrong(document, sentence):
    """A mistake is named by its key, an unknown key with the one that was probably meant."""
    (problem,) = problems(document)
    assert sentence in problem


@pytest.mark.parametrize(
    "document",
    [
        {"auth": {"password": "hunter2"}},
        {"auth": {"password": "hunter2:env"}},
        {"tls": {"key-password": "hunter2"}},
        {"url": "stomp://alice:hunter2@h"},
    ],
)
def test_literal_password_is_refused(document):
    """A password that stands in a profile is refused, not repeated, and the sentence shows how to refer to it."""
    (problem,) = problems(document)
    assert "hunter2" not in problem
    assert '"env:NAME"' in problem
    assert '"prompt"' in problem


def test_all_problems_are_found():
    """One pass finds every mistake; what is used at once names the first and counts the others."""
    document = {"ulr": "x", "auth": {"usr": "x"}, "dialect": "zzz"}
    assert len(problems(document)) == 3
    with pytest.raises(ConfigError, match=r"^p.toml: unknown key ulr; .* \(and 2 more\)$") as refused:
        check_profile(document, name="p", path="p.toml")
    assert refused.value.hint == "mqctl profile check p.toml"


def test_check_profile_alone():
    """One mistake is the message with the file's path; none is the profile."""
    with pytest.raises(ConfigError, match=r"^p.toml: unknown key ulr; did you mean 'url'\?$") as refused:
        check_profile({"ulr": "x"}, name="p", path="p.toml")
    assert refused.value.hint is None
    assert check_profile({"dialect": "auto"}, name="p", path="p.toml").settings == {"dialect": None}


def test_every_setting_reaches_the_target():
    """The table of settings has a row for each attribute of the target that is no part of the URL, and no other."""
    groups = {"tls": TlsOptions, "mqtt": MqttOptions, "reconnect": ReconnectOptions}
    of_target = {known.name for known in dataclasses.fields(Target)} - set(groups)
    of_target.update(*(group._fields for group in groups.values()))
    by_url = {"scheme", "endpoints", "path", "query"}
    by_command = {"stubborn"}
    assert {setting.name for setting in SETTINGS} == (of_target - by_url - by_command) | {"url", "protocol"}


@pytest.mark.parametrize("column", ["name", "flag", "env", "key"])
def test_names_are_unique(column):
    """No two settings share a flag, a variable or a key."""
    names = [getattr(setting, column) for setting in SETTINGS]
    assert len(set(names)) == len(names)


def test_quoted():
    """Keys are written as TOML wants them."""
    assert [quoted(key) for key in ("a-b_1", "a.b", "*")] == ["a-b_1", '"a.b"', '"*"']
