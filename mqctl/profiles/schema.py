"""What a profile may say: one table of settings, one tree of keys, and the check of a document against it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from mqctl import topics
from mqctl.errors import ConfigError, TopicError
from mqctl.model import AckMode, Confirmation
from mqctl.profiles import readers
from mqctl.profiles.readers import Reader
from mqctl.target import MQTT_VERSIONS, PROTOCOLS, MqttOptions, ReconnectOptions, Target, TlsOptions


class Trust(enum.IntEnum):
    """What a profile's file may do with secrets; less for a file that merely lies in the working directory."""

    NO_SECRETS = 0
    NO_COMMANDS = 1
    FULL = 2


class Setting(NamedTuple):
    """One setting of a target, and every name that it has.

    `name` is the attribute of `Target` or `TlsOptions`, or `url`; `key` the name in a profile. Where `secret` is set,
    the variable holds the secret itself, the flag and the key a reference to it. Where `negated` is set, the flag is a
    switch that says the opposite of the key.
    """

    name: str
    flag: str
    env: str | None
    key: str
    read: Reader
    help: str
    default: object = None
    secret: bool = False
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile's file, checked and parsed.

    Attributes:
        settings: By `Setting.name`.
        unavailable: Why there is no URL and can be none, as a sentence.
    """

    name: str
    path: str
    trust: Trust = Trust.FULL
    extends: str | None = None
    description: str | None = None
    unavailable: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    defaults: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    topics: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


_DEFAULTS = (
    {known.name: known.default for known in fields(Target)}
    | TlsOptions._field_defaults
    | MqttOptions._field_defaults
    | ReconnectOptions._field_defaults
)

# fmt: off
SETTINGS: tuple[Setting, ...] = (
    Setting("url", "--url", "MQCTL_URL", "url", readers.url,
            "The broker's address, such as stomp://localhost:61613; a comma list is a failover list."),
    Setting("protocol", "--protocol", "MQCTL_PROTOCOL", "protocol", readers.one_of(PROTOCOLS),
            "What is spoken at a bare ws:// or wss:// address: stomp, mqtt or bayeux."),
    Setting("dialect", "--dialect", "MQCTL_DIALECT", "dialect", readers.dialect,
            "Whose reading of the protocol is spoken: classic, artemis, rabbitmq, mosquitto, hub, or auto to ask "
            "the broker."),
    Setting("user", "--user", "MQCTL_USER", "auth.user", readers.text,
            "The name to log in with."),
    Setting("password", "--password", "MQCTL_PASSWORD", "auth.password", readers.reference,
            "Where the password is: env:NAME, file:PATH, command:…, aws-secret:NAME or prompt. The variable holds the "
            "password itself.",
            secret=True),
    Setting("vhost", "--vhost", "MQCTL_VHOST", "options.vhost", readers.text,
            "The virtual host (RabbitMQ)."),
    Setting("client_id", "--client-id", "MQCTL_CLIENT_ID", "options.client-id", readers.text,
            "The name that the broker knows this client by; a durable subscription needs one."),
    Setting("heart_beat_s", "--heart-beat", "MQCTL_HEART_BEAT", "options.heart-beat", readers.duration,
            "How often each side shows that it lives, such as 10s; 0 turns it off.", _DEFAULTS["heart_beat_s"]),
    Setting("connect_timeout_s", "--connect-timeout", "MQCTL_CONNECT_TIMEOUT", "options.connect-timeout",
            readers.timeout, "How long to try to connect, such as 10s.", _DEFAULTS["connect_timeout_s"]),
    Setting("within_s", "--reconnect", "MQCTL_RECONNECT", "options.reconnect", readers.lasting,
            "How long to try again when a connection is lost: a duration, always, or never. If absent, always on a "
            "terminal and one minute elsewhere."),
    Setting("pause_max_s", "--reconnect-pause", "MQCTL_RECONNECT_PAUSE", "options.reconnect-pause", readers.timeout,
            "The longest pause between two such tries.", _DEFAULTS["pause_max_s"]),
    Setting("version", "--mqtt-version", "MQCTL_MQTT_VERSION", "mqtt.version", readers.one_of(MQTT_VERSIONS),
            "The version of MQTT to speak: 3.1, 3.1.1 or 5.", _DEFAULTS["version"]),
    Setting("clean", "--clean/--no-clean", "MQCTL_CLEAN", "mqtt.clean", readers.switch,
            "Whether the broker forgets this client when it leaves (MQTT); without --client-id it always does."),
    Setting("session_expiry_s", "--session-expiry", "MQCTL_SESSION_EXPIRY", "mqtt.session-expiry", readers.duration,
            "How long the broker remembers this client after it left (MQTT 5)."),
    Setting("will_topic", "--will-topic", "MQCTL_WILL_TOPIC", "mqtt.will.topic", readers.text,
            "Where the broker publishes the last will, when this client is lost (MQTT)."),
    Setting("will_payload", "--will-payload", "MQCTL_WILL_PAYLOAD", "mqtt.will.payload", readers.text,
            "What the last will says; empty if absent.", _DEFAULTS["will_payload"]),
    Setting("will_qos", "--will-qos", "MQCTL_WILL_QOS", "mqtt.will.qos", readers.level,
            "The quality of service of the last will: 0, 1 or 2.", _DEFAULTS["will_qos"]),
    Setting("will_retain", "--will-retain/--no-will-retain", "MQCTL_WILL_RETAIN", "mqtt.will.retain", readers.switch,
            "Whether the broker keeps the last will for newcomers.", _DEFAULTS["will_retain"]),
    Setting("ca_file", "--ca", "MQCTL_CA", "tls.ca", readers.text,
            "PEM file of the authorities to trust in place of the system's."),
    Setting("cert_file", "--cert", "MQCTL_CERT", "tls.cert", readers.text,
            "PEM file of the certificate that we show."),
    Setting("key_file", "--key", "MQCTL_KEY", "tls.key", readers.text,
            "PEM file of the private key of that certificate."),
    Setting("key_password", "--key-password", "MQCTL_KEY_PASSWORD", "tls.key-password", readers.reference,
            "Where the password of that key is, as for --password.", secret=True),
    Setting("crl_file", "--crl", "MQCTL_CRL", "tls.crl", readers.text,
            "PEM file of the authorities' lists of revoked certificates, which must then be there and be current."),
    # No variable: an environment that silently stops checking certificates is how passwords leak.
    Setting("verify", "--insecure", None, "tls.verify", readers.only_typed,
            "The broker's certificate is checked; --insecure turns that off.", _DEFAULTS["verify"], negated=True),
)
# fmt: on
"""Every setting of a target. Resolution, the keys of profiles and the tables of the manual are made of this one."""

COMMAND_DEFAULTS: Mapping[str, Mapping[str, Reader]] = {
    "publish": {
        "confirm": readers.one_of(level.name.lower() for level in Confirmation),
        "persistent": readers.flag,
        "expires": readers.as_written(readers.duration),
        "priority": readers.count,
        "content-type": readers.text,
        "envelope": readers.flag,
        "native": readers.flag,
        "qos": readers.level,
        "retain": readers.flag,
    },
    "tail": {
        "ack": readers.one_of(AckMode),
        "prefetch": readers.count,
        "qos": readers.level,
        "json": readers.flag,
        "format": readers.text,
        "idle": readers.as_written(readers.duration),
        "native": readers.flag,
    },
    "watch": {
        "ack": readers.one_of(AckMode),
        "prefetch": readers.count,
        "qos": readers.level,
        "idle": readers.as_written(readers.duration),
        "view": readers.text,
        "field": readers.text,
        "labels": readers.labels,
        "fps": readers.count,
        "native": readers.flag,
    },
}
"""Options of commands that a profile may preset, by the option's name without its dashes."""

_ANY = ""
"""Stands in the tree for a name that the user chooses."""


def _tree() -> dict[str, Any]:
    tree: dict[str, Any] = dict.fromkeys(("extends", "description", "unavailable"), readers.text)
    for setting in SETTINGS:
        *tables, leaf = setting.key.split(".")
        at = tree
        for table in tables:
            at = at.setdefault(table, {})
        at[leaf] = setting.read
    tree["url"] = readers.open_url
    tree["defaults"] = COMMAND_DEFAULTS
    tree["topics"] = {_ANY: {"view": readers.text, "labels": readers.labels, "envelope": readers.flag}}
    return tree


_TREE = _tree()


def parse_profile(
    document: Mapping[str, object], *, name: str, path: str, trust: Trust = Trust.FULL
) -> tuple[Profile, list[str]]:
    """Check a profile's document and parse it.

    Returns:
        The profile, made of what is right, and a sentence for each thing that is wrong.
    """
    problems: list[str] = []
    read = _read_table(document, _TREE, "", problems)
    problems += _bad_topics(read.get("topics", {}))
    profile = Profile(
        name=name,
        path=path,
        trust=trust,
        extends=read.get("extends"),
        description=read.get("description"),
        unavailable=read.get("unavailable"),
        settings={s.name: value for s in SETTINGS if (value := _dig(read, s.key)) is not _MISSING},
        defaults=read.get("defaults", {}),
        topics=read.get("topics", {}),
    )
    return profile, problems


def check_profile(document: Mapping[str, object], *, name: str, path: str, trust: Trust = Trust.FULL) -> Profile:
    """As `parse_profile`, for a profile that is about to be used.

    Raises:
        ConfigError: Something is wrong with it.
    """
    profile, problems = parse_profile(document, name=name, path=path, trust=trust)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(f"{path}: {problems[0]}{more}", hint=f"mqctl profile check {path}" if more else None)
    return profile


def _read_table(table: Mapping[str, object], tree: Mapping[str, Any], at: str, problems: list[str]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for key, value in table.items():
        here = f"{at}.{quoted(key)}" if at else quoted(key)
        spec = tree.get(key, tree.get(_ANY))
        if spec is None:
            problems.append(f"unknown key {here}; {readers.did_you_mean(key, tree)}")
        elif callable(spec):
            try:
                read[key] = spec(value)
            except ValueError as error:
                problems.append(f"{here}: {error}")
        elif isinstance(value, dict):
            read[key] = _read_table(value, spec, here, problems)
        else:
            problems.append(f"{here} must be a table, [{here}]")
    return read


def quoted(key: str) -> str:
    """A key as TOML writes it."""
    return key if key.replace("-", "").replace("_", "").isalnum() else f'"{key}"'


def _bad_topics(names: Mapping[str, object]) -> list[str]:
    problems = []
    for name in names:
        try:
            topics.parse(name)
        except TopicError as error:
            problems.append(f"topics.{quoted(name)}: {error}")
    return problems


_MISSING = object()


def _dig(read: Mapping[str, Any], key: str) -> object:
    at: Any = read
    for part in key.split("."):
        at = at.get(part, _MISSING)
        if at is _MISSING:
            break
    return at
