"""Which value wins: flag, environment, profile, its parents, default. Pure; every value keeps where it came from.

A profile describes a broker. When `--url` or `MQCTL_URL` names another one and the profile was not chosen at least as
firmly as that address, nothing of the description (credentials, TLS, dialect, options) is used: the password of one
broker never goes to another because a file happened to lie there. What describes the user's habits (`[defaults.*]`,
`[topics.*]`) stays.
"""

from __future__ import annotations

import enum
import os.path
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

from mqctl import topics
from mqctl.durations import format_duration
from mqctl.errors import ConfigError, SecretError, UnsupportedError
from mqctl.model import Topic
from mqctl.profiles import amazonmq
from mqctl.profiles.schema import SETTINGS, Profile, Setting, Trust, quoted
from mqctl.profiles.secrets import ACTING, Reference
from mqctl.target import (
    MqttOptions,
    ReconnectOptions,
    Secret,
    Target,
    TlsOptions,
    Url,
    is_clean,
    is_encrypted,
    with_protocol,
)

LOCAL = "local"
"""The profile that nobody has to choose: the embedded hub."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

DEFAULT_ORIGIN = "default"

TLS_HINT = (
    "use the encrypted scheme: stomp+ssl://, mqtt+ssl://, stomp+wss://, mqtt+wss://, bayeux+https://, bayeux+wss://"
)


class Firmness(enum.IntEnum):
    """How firmly something was chosen."""

    DEFAULT = 0
    USED = 1
    """By `mqctl profile use`, some time ago."""
    ENVIRONMENT = 2
    FLAG = 3


class Value(NamedTuple):
    """A setting's value, where it came from, and the directory that a relative path in it starts from."""

    value: Any
    origin: str
    base: str = ""
    trust: Trust = Trust.FULL


SecretReader = Callable[[Reference, str, str], Secret]
"""Follows a reference: (reference, base directory, what it is for)."""


class TopicSettings(NamedTuple):
    """What profiles say of a topic; None where they say nothing."""

    view: str | None = None
    labels: tuple[str, ...] | None = None
    envelope: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything resolved but the secrets, which `target` fetches.

    Attributes:
        values: By `Setting.name`; all of `SETTINGS` are there.
        profiles: The profile chosen, then its parents.
        firmness: How the profile was chosen.
        notices: What the user should be told about this mixture.
    """

    values: Mapping[str, Value]
    profiles: tuple[Profile, ...]
    firmness: Firmness
    read_secret: SecretReader = field(repr=False)
    notices: tuple[str, ...] = ()

    @property
    def profile(self) -> Profile:
        """The profile chosen."""
        return self.profiles[0]

    @property
    def unavailable(self) -> str | None:
        """Why there is nothing to connect to, where a profile says so and nobody names a URL."""
        return None if self.get("url") else next(filter(None, (each.unavailable for each in self.profiles)), None)

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each setting came from: `--url`, `MQCTL_URL`, `profile activemq (path)`, `default`."""
        return {name: value.origin for name, value in self.values.items()}

    @property
    def local_hub(self) -> bool:
        """Whether the address is the profile `local`'s own: where we may serve a hub ourselves."""
        url = self.values["url"]
        of_local = any(profile.name == LOCAL and _origin(profile) == url.origin for profile in self.profiles)
        return of_local and all(endpoint.host in LOOPBACK for endpoint in url.value.endpoints)

    @property
    def keeps_session(self) -> bool:
        """Whether the broker remembers this client while it is away, as MQTT brokers do."""
        return self.speaks("mqtt") and not is_clean(self.get("clean"), self.get("client_id"))

    def speaks(self, protocol: str) -> bool:
        """Whether this is what the broker's address stands for."""
        url = self.get("url")
        return url is not None and protocol in (url.scheme.partition("+")[0], self.get("protocol"))

    def get(self, name: str) -> Any:
        """The value of a setting by its `Setting.name`; a secret is a `Secret` or a `Reference`."""
        return self.values[name].value

    def target(self) -> Target:
        """Where to connect and as whom; fetches the secrets.

        Raises:
            ConfigError: There is no URL, or one that was never filled in or can never work.
        UnsupportedError: The profile says why there is none.
            SecretError: A reference leads nowhere, or its file may not refer to secrets.
        """
        url = self._url()
        user = self.get("user")
        return Target(
            scheme=url.scheme,
            endpoints=url.endpoints,
            path=url.path,
            query=url.query,
            user=user,
            password=self._secret("password", f"password for {f'{user} at ' if user else ''}{url.endpoints[0]}"),
            tls=self._tls(),
            mqtt=MqttOptions(*map(self.get, MqttOptions._fields)),
            reconnect=self._reconnect(),
            dialect=self.get("dialect"),
            vhost=self.get("vhost"),
            client_id=self.get("client_id"),
            heart_beat_s=self.get("heart_beat_s"),
            connect_timeout_s=self.get("connect_timeout_s"),
        )

    def command_default(self, command: str, option: str) -> Any:
        """What `[defaults.COMMAND]` presets for an option (`content-type` or `content_type`), as written, or None."""
        key = option.replace("_", "-")
        return next((p.defaults[command][key] for p in self.profiles if key in p.defaults.get(command, ())), None)

    def presets(self) -> Iterator[tuple[str, Value]]:
        """All of `[defaults.*]` and `[topics.*]` that counts, as (key, value)."""
        seen = set()
        for profile in self.profiles:
            for key, value in _presets_of(profile):
                if key not in seen:
                    seen.add(key)
                    yield key, Value(value, _origin(profile))

    def topic(self, topic: Topic) -> TopicSettings:
        """What `[topics.NAME]` says: the name itself before a pattern that it fits, a profile before its parent."""
        found: dict[str, Any] = {}
        for profile in self.profiles:
            for said in _about_topic(profile, topic):
                found = {**said, **found}
        return TopicSettings(**found)

    def _url(self) -> Url:
        url: Url | None = self.get("url")
        if self.unavailable:
            raise UnsupportedError(self.unavailable, hint="mqctl profile list shows the others")
        if url is None:
            raise ConfigError(
                f"the profile {self.profile.name} ({self.profile.path}) has no url", hint="give it one, or use --url"
            )
        if blank := placeholder(url):
            raise ConfigError(
                f"the url from {self.values['url'].origin} still has the placeholder {blank}",
                hint=amazonmq.how_to_fill_in(url, self.profile.name),
            )
        amazonmq.check_url(url)
        url = with_protocol(url, self.get("protocol"))
        self._check_tls(url.scheme)
        return url

    def _check_tls(self, scheme: str) -> None:
        """A TLS option typed for a plain connection protects nothing, and whoever typed it believes that it does."""
        typed = [self.values[name].origin for name in TlsOptions._fields if self.values[name].origin.startswith("--")]
        if typed and not is_encrypted(scheme):
            raise ConfigError(f"{scheme}:// is not encrypted: {typed[0]} means nothing there", hint=TLS_HINT)

    def _tls(self) -> TlsOptions:
        return TlsOptions(
            ca_file=self.path("ca_file"),
            cert_file=self.path("cert_file"),
            key_file=self.path("key_file"),
            key_password=self._secret("key_password", f"password of {self.get('key_file') or 'the key'}"),
            verify=self.get("verify"),
            crl_file=self.path("crl_file"),
        )

    def _reconnect(self) -> ReconnectOptions:
        within_s = self.get("within_s")
        return ReconnectOptions(0.0 if within_s is None else within_s, self.get("pause_max_s"))

    def path(self, name: str) -> str | None:
        """A setting that names a file: where that file is."""
        value = self.values[name]
        # Names only, no file is touched; `pathlib` would raise for an unknown `~user`.
        return value.value and os.path.join(value.base, os.path.expanduser(value.value))  # noqa: PTH111, PTH118

    def _secret(self, name: str, what: str) -> Secret | None:
        value = self.values[name]
        if value.value is None:
            return None
        _check_trust(value, self.values["url"])
        return self.read_secret(value.value, value.base, what) if isinstance(value.value, Reference) else value.value


def resolve(
    *,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    profiles: Sequence[Profile],
    firmness: Firmness,
    read_secret: SecretReader,
    cwd: str = "",
) -> Settings:
    """Merge all layers.

    Args:
        flags: By `Setting.name`, as typed after the flag or already read; None means not given.
        environ: The environment variables.
        profiles: The profile chosen, then its parents, nearest first.
        firmness: How the profile was chosen.
        read_secret: Follows references, when `Settings.target` asks for it.
        cwd: The directory that relative paths in flags and variables start from.

    Raises:
        ConfigError: A flag or a variable cannot be read.
    """
    typed = (_from_flags(flags, cwd), _from_environ(environ, cwd))
    address = _firmness_of_url(*typed)
    describing = [_from_profile(profile) for profile in profiles] if address <= firmness or not address else []
    layers = [*typed, *describing, {s.name: Value(s.default, DEFAULT_ORIGIN) for s in SETTINGS}]
    _log_in_as_url_says(layers)
    values = {s.name: next(layer[s.name] for layer in layers if s.name in layer) for s in SETTINGS}
    return Settings(
        values=values,
        profiles=tuple(profiles),
        firmness=firmness,
        read_secret=read_secret,
        notices=tuple(_notices(values, profiles[0], firmness)),
    )


def placeholder(url: Url) -> str | None:
    """The first part of a URL that somebody has yet to fill in: no host has a `<` or a `…` in its name."""
    for endpoint in url.endpoints:
        if "…" in endpoint.host:
            return "…"
        if "<" in endpoint.host:
            return "<" + endpoint.host.partition("<")[2].partition(">")[0] + ">"
    return None


def show(value: object) -> str:
    """A setting's value for people, without secrets."""
    match value:
        case None | bool():
            return _WORDS[value]
        case Url():
            who = "" if value.user is None else value.user + (":***" if value.password else "") + "@"
            query = "?***" if value.query else ""
            return f"{value.scheme}://{who}{','.join(map(str, value.endpoints))}{value.path}{query}"
        case Secret():
            return "***"
        case float():
            return "always" if value == inf else format_duration(value)
        case tuple() if not isinstance(value, Reference):
            return ", ".join(value)
        case _:
            return str(value)


_WORDS = {None: "-", True: "true", False: "false"}

_Layer = dict[str, Value]


def _from_flags(flags: Mapping[str, object], cwd: str) -> _Layer:
    layer: _Layer = {}
    for setting in SETTINGS:
        if (typed := flags.get(setting.name)) is not None:
            value = (not typed) if setting.negated else _typed(setting, setting.flag, typed)
            layer[setting.name] = Value(value, setting.flag, cwd)
    return layer


def _from_environ(environ: Mapping[str, str], cwd: str) -> _Layer:
    layer: _Layer = {}
    for setting in SETTINGS:
        # An empty variable is how scripts switch one off.
        if setting.env and (text := environ.get(setting.env)):
            value = Secret(text) if setting.secret else _typed(setting, setting.env, text)
            layer[setting.name] = Value(value, setting.env, cwd)
    return layer


def _from_profile(profile: Profile) -> _Layer:
    base = os.path.dirname(profile.path)  # noqa: PTH120 - names only, as above
    origin = _origin(profile)
    return {name: Value(value, origin, base, profile.trust) for name, value in profile.settings.items()}


def _origin(profile: Profile) -> str:
    return f"profile {profile.name} ({profile.path})"


def _typed(setting: Setting, origin: str, value: object) -> object:
    """A flag that the command line has read already is no text any more."""
    if not isinstance(value, str):
        return value
    try:
        return setting.read(value)
    except ValueError as error:
        raise ConfigError(f"{origin}: {error}") from None


def _firmness_of_url(flags: _Layer, environ: _Layer) -> Firmness:
    if "url" in flags:
        return Firmness.FLAG
    return Firmness.ENVIRONMENT if "url" in environ else Firmness.DEFAULT


def _log_in_as_url_says(layers: Sequence[_Layer]) -> None:
    """`user:password@` belongs to its URL: it counts where that URL wins, and nowhere else."""
    layer = next(layer for layer in layers if "url" in layer)
    url = layer["url"]
    if isinstance(url.value, Url):
        for name in ("user", "password"):
            if (said := getattr(url.value, name)) is not None:
                layer.setdefault(name, Value(said, url.origin))


def _notices(values: Mapping[str, Value], profile: Profile, firmness: Firmness) -> Iterator[str]:
    if values["url"].origin == "MQCTL_URL" and firmness is Firmness.FLAG and "url" in profile.settings:
        yield f"MQCTL_URL takes the place of the url of the profile {profile.name}, whose other settings are used"
    if values["verify"].value is False:
        yield f"{values['verify'].origin}: the broker's certificate is not checked"
    if url := values["url"].value:
        heart_beat_s, version = values["heart_beat_s"].value, values["version"].value
        yield from amazonmq.remarks(url, heart_beat_s=heart_beat_s, mqtt_version=version)


def _check_trust(secret: Value, url: Value) -> None:
    """A file in the working directory came with whatever was downloaded there; it may not send secrets around."""
    least = min(secret, url, key=lambda value: value.trust)
    acts = isinstance(secret.value, Reference) and secret.value.kind in ACTING
    if least.trust is Trust.NO_SECRETS or (least.trust is Trust.NO_COMMANDS and acts):
        raise SecretError(
            f"{least.origin} was only found in the working directory, so it gets no secret ({show(secret.value)})",
            hint="give the path of the file to --profile" + ("" if acts else ", or its name"),
        )


def _presets_of(profile: Profile) -> Iterator[tuple[str, object]]:
    for table, groups in (("defaults", profile.defaults), ("topics", profile.topics)):
        for group, preset in groups.items():
            for key, value in preset.items():
                yield f"{table}.{quoted(group)}.{key}", value


def _about_topic(profile: Profile, topic: Topic) -> Iterator[Mapping[str, object]]:
    name = topics.text_of(topic)
    if name in profile.topics:
        yield profile.topics[name]
    for pattern, said in profile.topics.items():
        if pattern != name and topic.levels and topics.matches(topics.parse(pattern).levels, topic.levels):
            yield said
