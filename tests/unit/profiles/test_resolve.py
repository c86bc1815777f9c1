"""Which value wins, where it came from, and who may see a password."""

from __future__ import annotations

import itertools
import ntpath
from math import inf
from types import SimpleNamespace

import pytest

from mqctl.errors import ConfigError, SecretError, UnsupportedError
from mqctl.model import Dialect
from mqctl.profiles.resolve import Firmness, TopicSettings, Value, placeholder, resolve, show
from mqctl.profiles.schema import SETTINGS, Profile, Trust
from mqctl.profiles.secrets import Reference, SecretKind, parse_reference
from mqctl.target import Endpoint, Secret, parse_url
from mqctl.topics import parse

WRITTEN = {
    "url": ("stomp://h1", "stomp://h2"),
    "dialect": ("classic", "artemis"),
    "password": ("env:ONE", "env:TWO"),
    "key_password": ("env:ONE", "env:TWO"),
    "heart_beat_s": ("1s", "2s"),
    "connect_timeout_s": ("1s", "2s"),
    "protocol": ("stomp", "mqtt"),
    "within_s": ("always", "5s"),
    "pause_max_s": ("1s", "2s"),
    "version": ("5", "3.1"),
    "clean": ("yes", "off"),
    "session_expiry_s": ("1h", "2h"),
    "will_qos": ("1", "2"),
    "will_retain": ("true", "false"),
}
"""Two texts for each setting that takes no plain text."""

BY_NAME = {setting.name: setting for setting in SETTINGS}
PLAIN = [setting.name for setting in SETTINGS if not setting.negated]
LAYERS = ("flag", "environment", "profile", "parent", "default")


def profile(name="p", path="", **settings):
    values = {key: BY_NAME[key].read(value) for key, value in settings.items()}
    return Profile(name=name, path=path or f"/etc/{name}.toml", settings=values)


def follow(reference, base, what):
    return Secret(f"{reference.rest} from {base} is the {what}")


def resolved(*, flags=None, environ=None, profiles=None, firmness=Firmness.FLAG, cwd="/cwd"):
    return resolve(
        flags=flags or {},
        environ=environ or {},
        profiles=profiles or [profile(url="stomp://h")],
        firmness=firmness,
        read_secret=follow,
        cwd=cwd,
    )


def written(name, which):
    return WRITTEN.get(name, ("text1", "text2"))[which]


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(("stronger", "weaker"), list(itertools.combinations(LAYERS, 2)))
def test_stronger_layer_wins(name, stronger, weaker):
    """For every setting and every pair of layers the stronger one's value counts, and its origin says so."""
    setting = BY_NAME[name]
    said = {stronger: written(name, 0), weaker: written(name, 1)}
    settings = resolved(
        flags={name: said.get("flag")},
        environ={setting.env: said["environment"]} if "environment" in said else {},
        profiles=[
            profile("child", **({name: said["profile"]} if "profile" in said else {})),
            profile("elder", **({name: said["parent"]} if "parent" in said else {})),
        ],
    )
    origins = {
        "flag": setting.flag,
        "environment": setting.env,
        "profile": "profile child (/etc/child.toml)",
        "parent": "profile elder (/etc/elder.toml)",
        "default": "default",
    }
    assert settings.origins[name] == origins[stronger]
    value = settings.get(name)
    if stronger == "environment" and setting.secret:
        assert value.reveal() == said[stronger]
    else:
        assert value == setting.read(said[stronger])


def test_insecure_is_the_opposite_of_verify():
    """`--insecure` turns verification off, and says so; no variable does."""
    assert resolved().get("verify") is True
    assert resolved(flags={"verify": True}).values["verify"] == Value(False, "--insecure", "/cwd")
    assert resolved(environ={"MQCTL_INSECURE": "1", "MQCTL_VERIFY": "0"}).get("verify") is True
    notices = resolved(flags={"verify": True}, profiles=[profile(url="stomp://h")]).notices
    assert notices == ("--insecure: the broker's certificate is not checked",)


def test_defaults_are_the_targets_own():
    """With nothing said but a URL, the target is what `Target` is by default."""
    target = resolved().target()
    assert (target.scheme, target.endpoints) == ("stomp", (Endpoint("h", 61613),))
    assert (target.heart_beat_s, target.connect_timeout_s, target.tls.verify) == (10.0, 10.0, True)
    assert (target.user, target.password, target.dialect, target.vhost, target.client_id) == (None,) * 5


def test_target_has_everything():
    """Each setting arrives in its place; relative files start where they were written down."""
    settings = resolved(
        flags={"cert_file": "c.pem", "heart_beat_s": 3.0, "client_id": "me"},
        profiles=[
            profile(
                path="/d/p.toml",
                url="stomp+wss://h:61614/ws",
                dialect="rabbitmq",
                user="alice",
                password="file:pw",
                vhost="/v",
                connect_timeout_s="2s",
                ca_file="ca.pem",
                key_file="/k.pem",
                key_password="prompt",
            )
        ],
    )
    target = settings.target()
    assert target.name == "stomp+wss://h:61614/ws"
    assert (target.user, target.vhost, target.client_id) == ("alice", "/v", "me")
    assert (target.dialect, target.heart_beat_s, target.connect_timeout_s) == (Dialect.RABBITMQ, 3.0, 2.0)
    assert target.password.reveal() == "pw from /d is the password for alice at h:61614"
    tls = target.tls
    assert (tls.ca_file, tls.cert_file, tls.key_file) == ("/d/ca.pem", "/cwd/c.pem", "/k.pem")
    assert tls.key_password.reveal() == " from /d is the password of /k.pem"


def test_what_mqtt_and_reconnecting_want_arrives():
    """The settings of MQTT's CONNECT and of reconnecting arrive in their places; silence is no reconnecting."""
    flags = {"url": "mqtts://h", "version": "5", "will_qos": "2", "within_s": "1m", "crl_file": "r.pem"}
    target = resolved(flags=flags).target()
    assert (target.mqtt.version, target.mqtt.will_qos, target.mqtt.clean) == ("5", 2, None)
    assert (target.reconnect.within_s, target.tls.crl_file) == (60.0, "/cwd/r.pem")
    assert resolved().target().reconnect.within_s == 0.0


@pytest.mark.parametrize(
    ("flags", "keeps"),
    [
        ({"url": "mqtt://h"}, False),
        ({"url": "mqtt://h", "client_id": "me"}, True),
        ({"url": "mqtt+ws://h", "client_id": "me", "clean": "yes"}, False),
        ({"url": "wss://h", "protocol": "mqtt", "client_id": "me"}, True),
        ({"url": "stomp://h", "client_id": "me"}, False),
    ],
)
def test_a_session_is_kept_over_mqtt_for_who_has_a_name(flags, keeps):
    assert resolved(flags=flags).keeps_session is keeps


def test_without_an_address_nothing_is_kept():
    assert resolved(profiles=[profile()], flags={"client_id": "me"}).keeps_session is False


def test_protocol_completes_a_bare_websocket_address():
    """`ws://` and `wss://` are what --protocol says, and a mistake where nobody does."""
    flags = {"url": "wss://h/ws", "protocol": "mqtt"}
    assert resolved(flags=flags).target().name == "mqtt+wss://h:443/ws"
    with pytest.raises(ConfigError, match="does not say which protocol") as caught:
        resolved(flags={"url": "ws://h"}).target()
    assert "stomp+ws:// or mqtt+ws://" in str(caught.value.hint)
    with pytest.raises(ConfigError, match="does not fit stomp"):
        resolved(flags={"url": "stomp://h", "protocol": "mqtt"}).target()
    assert resolved(flags={"url": "mqtt+ws://h", "protocol": "mqtt"}).target().scheme == "mqtt+ws"


def test_home_directory_in_paths(monkeypatch):
    """`~` in a path is the home directory."""
    monkeypatch.setenv("HOME", "/home/alice")
    assert resolved(flags={"url": "stomps://h", "ca_file": "~/ca.pem"}).target().tls.ca_file == "/home/alice/ca.pem"


@pytest.mark.parametrize("flag", [{"ca_file": "ca.pem"}, {"cert_file": "c.pem"}, {"verify": True}])
def test_tls_options_of_a_plain_connection_are_refused(flag):
    """Whoever types one believes to be protected. One in a profile may serve its children."""
    with pytest.raises(ConfigError, match="stomp:// is not encrypted: --"):
        resolved(flags={"url": "stomp://h", **flag}).target()
    assert resolved(profiles=[profile(url="stomp://h", ca_file="ca.pem")]).target().tls.ca_file


def test_empty_variable_is_none():
    """A variable set to nothing counts as not set."""
    settings = resolved(environ={"MQCTL_URL": "", "MQCTL_PASSWORD": ""})
    assert settings.origins["url"].startswith("profile p")
    assert settings.target().password is None


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ({"flags": {"dialect": "artemi"}}, "--dialect: 'artemi' is no dialect; did you mean 'artemis'?"),
        ({"environ": {"MQCTL_HEART_BEAT": "10"}}, "MQCTL_HEART_BEAT: '10' has no unit"),
        ({"flags": {"url": "nowhere"}}, "--url: not a broker URL: 'nowhere'"),
        ({"flags": {"password": "hunter2"}}, "--password: a password is not written here"),
    ],
)
def test_names_the_layer_of_a_mistake(layers, words):
    """What cannot be read is named by its flag or variable; a password typed as a flag is not repeated."""
    with pytest.raises(ConfigError) as refused:
        resolved(**layers)
    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)


class TestWhoGetsThePassword:
    """A profile's credentials go where its user pointed the profile, and nowhere else."""

    prod = profile("prod", url="stomps://prod", user="alice", password="env:PROD", ca_file="/ca", vhost="v")
    kept = Profile(
        name="prod",
        path="/p",
        settings=prod.settings,
        defaults={"tail": {"ack": "client"}},
        topics={"t": {"view": "dots"}},
    )

    @pytest.mark.parametrize("firmness", [Firmness.DEFAULT, Firmness.USED, Firmness.ENVIRONMENT])
    def test_flag_url_leaves_a_weaker_profile(self, firmness):
        """`--url` without `--profile` takes nothing of the broker that the profile describes."""
        settings = resolved(flags={"url": "stomp://other"}, profiles=[self.kept], firmness=firmness)
        target = settings.target()
        assert (target.name, target.user, target.password) == ("stomp://other:61613", None, None)
        assert (target.tls.ca_file, target.vhost) == (None, None)
        assert {origin for origin in settings.origins.values() if "prod" in origin} == set()

    @pytest.mark.parametrize("firmness", [Firmness.DEFAULT, Firmness.USED])
    def test_variable_url_leaves_a_weaker_profile(self, firmness):
        """`MQCTL_URL` takes nothing of a profile that `profile use` or nobody chose."""
        settings = resolved(environ={"MQCTL_URL": "stomp://other"}, profiles=[self.kept], firmness=firmness)
        assert (settings.target().user, settings.target().password, settings.target().vhost) == (None, None, None)

    @pytest.mark.parametrize(
        ("layers", "firmness"),
        [
            ({"flags": {"url": "stomp://other"}}, Firmness.FLAG),
            ({"environ": {"MQCTL_URL": "stomp://other"}}, Firmness.ENVIRONMENT),
            ({"environ": {"MQCTL_URL": "stomp://other"}}, Firmness.FLAG),
        ],
    )
    def test_explicit_profile_goes_along(self, layers, firmness):
        """A profile chosen as firmly as the URL, or more, gives the URL its credentials."""
        target = resolved(**layers, profiles=[self.prod], firmness=firmness).target()
        assert (target.name, target.user, target.vhost) == ("stomp://other:61613", "alice", "v")
        assert target.password.reveal().startswith("PROD")

    def test_habits_stay(self):
        """Defaults of commands and of topics stay when the URL replaces the profile's broker."""
        settings = resolved(flags={"url": "stomp://other"}, profiles=[self.kept], firmness=Firmness.DEFAULT)
        assert settings.command_default("tail", "ack") == "client"
        assert settings.topic(parse("t")).view == "dots"

    def test_other_flags_alone_keep_the_profile(self):
        """A flag or variable other than the URL changes just what it says."""
        target = resolved(flags={"vhost": "w"}, profiles=[self.prod], firmness=Firmness.DEFAULT).target()
        assert (target.endpoints[0].host, target.user, target.vhost) == ("prod", "alice", "w")

    def test_variable_before_typed_profile_is_told(self):
        """`MQCTL_URL` under `--profile` wins by the order of layers; the user is told."""
        both = {"environ": {"MQCTL_URL": "stomp://other"}, "profiles": [self.prod]}
        (notice,) = resolved(**both, firmness=Firmness.FLAG).notices
        assert "MQCTL_URL takes the place of the url of the profile prod" in notice
        assert resolved(**both, firmness=Firmness.ENVIRONMENT).notices == ()
        assert resolved(profiles=[self.prod]).notices == ()
        bare = [profile(user="u")]
        assert resolved(environ=both["environ"], profiles=bare, firmness=Firmness.FLAG).notices == ()


class TestLoginInUrl:
    """`user:password@` belongs to its URL."""

    def test_counts_for_its_url(self):
        """It counts above weaker layers and below its own layer's separate settings."""
        flags = {"url": "stomp://bob:pw@h"}
        settings = resolved(flags=flags, environ={"MQCTL_USER": "eve", "MQCTL_PASSWORD": "x"})
        assert (settings.target().user, settings.target().password.reveal()) == ("bob", "pw")
        assert (settings.origins["user"], settings.origins["password"]) == ("--url", "--url")
        assert resolved(flags={**flags, "user": "carol"}).target().user == "carol"

    def test_stays_with_its_url(self):
        """The login of a URL that loses is not sent to the URL that wins."""
        settings = resolved(flags={"url": "stomp://other"}, environ={"MQCTL_URL": "stomp://bob:pw@h"})
        assert (settings.target().user, settings.target().password) == (None, None)
        child, elder = profile("c", url="stomp://c"), profile("e", url="stomp://bob@e")
        assert resolved(profiles=[child, elder]).target().user is None
        assert resolved(profiles=[profile("c"), elder]).target().user == "bob"

    def test_password_is_shown_nowhere(self):
        """Neither repr nor text nor `show` of anything on the way to the broker has the password."""
        settings = resolved(flags={"url": "stomp://bob:hunter2@h"}, environ={"MQCTL_KEY_PASSWORD": "hunter2"})
        seen = [repr(settings), str(settings), repr(settings.target()), settings.target().name]
        seen += [show(value.value) + repr(value) for value in settings.values.values()]
        assert "hunter2" not in "".join(seen)
        assert show(settings.get("url")) == "stomp://bob:***@h:61613"


class TestTrust:
    """A file that merely lies in the working directory gets no secrets."""

    @staticmethod
    def lying(trust, **settings):
        found = profile("lying", **settings)
        return Profile(name=found.name, path=found.path, trust=trust, settings=found.settings)

    @pytest.mark.parametrize(
        "reference", ["env:AWS_SECRET", "file:~/.ssh/id", "command:rm -r /", "aws-secret:s", "prompt"]
    )
    def test_unasked_file_gets_no_secret(self, reference):
        """Whatever the reference, a file that nobody named may not follow it."""
        settings = resolved(profiles=[self.lying(Trust.NO_SECRETS, url="stomp://evil", password=reference)])
        with pytest.raises(SecretError, match="only found in the working directory") as refused:
            settings.target()
        assert refused.value.hint == "give the path of the file to --profile" + (
            "" if reference.startswith(("command", "aws")) else ", or its name"
        )

    def test_unasked_file_gets_no_password_of_the_environment(self):
        """Nor is `MQCTL_PASSWORD` sent to the URL of such a file."""
        settings = resolved(
            profiles=[self.lying(Trust.NO_SECRETS, url="stomp://evil")], environ={"MQCTL_PASSWORD": "hunter2"}
        )
        with pytest.raises(SecretError) as refused:
            settings.target()
        assert "hunter2" not in str(refused.value)

    def test_named_file_runs_no_command(self):
        """A file found in the working directory by its typed name may look, but not run a command."""
        allowed = self.lying(Trust.NO_COMMANDS, url="stomp://h", password="env:P")
        assert resolved(profiles=[allowed]).target().password
        refused = self.lying(Trust.NO_COMMANDS, url="stomp://h", password="command:evil --token=t0ken")
        with pytest.raises(SecretError, match="only found in the working directory") as error:
            resolved(profiles=[refused]).target()
        assert "t0ken" not in str(error.value)
        refused = self.lying(Trust.NO_COMMANDS, url="stomp://h", password="aws-secret:shop")
        with pytest.raises(SecretError, match="only found in the working directory"):
            resolved(profiles=[refused]).target()

    def test_without_secrets_it_works(self):
        """Without a secret in play, such a file is as good as any."""
        assert resolved(profiles=[self.lying(Trust.NO_SECRETS, url="stomp://h", user="u")]).target().user == "u"


def test_no_url():
    """A profile without a URL is an error that names its file."""
    with pytest.raises(ConfigError, match=r"the profile p \(/etc/p.toml\) has no url"):
        resolved(profiles=[profile(user="u")]).target()


def test_placeholder():
    """A URL that was never filled in is not connected to."""
    blank = profile(url="stomp://h,stomp://b-<id>-1.<region>.x")
    assert placeholder(blank.settings["url"]) == "<id>"
    with pytest.raises(ConfigError, match="still has the placeholder <id>") as refused:
        resolved(profiles=[blank]).target()
    assert refused.value.hint == "mqctl profile add NAME --extends p --url URL"
    assert placeholder(BY_NAME["url"].read("stomp+ssl://b-…-1.mq.x:1")) == "…"


AMAZON = "b-4aada85d-a80c-4be0-9d30-e344a01b921e-2.mq.eu-west-1.amazonaws.com"


def test_plain_text_to_amazon_mq():
    """No password goes out in plain text to what takes TLS only: it is not even fetched."""
    asked = profile(url=f"stomp://{AMAZON}:61614", password="command:false")
    with pytest.raises(ConfigError, match="takes TLS only"):
        resolved(profiles=[asked]).target()


def test_notices_about_amazon_mq():
    """What will hurt there is told beforehand."""
    half, beats = resolved(profiles=[profile(url=f"stomp+ssl://{AMAZON}", heart_beat_s="0")]).notices[::-1]
    assert "name the -1 endpoint too" in half
    assert "heart-beats are off" in beats


class TestUnavailable:
    """A profile that says why there is nothing to connect to."""

    SAD = Profile(name="sad", path="/etc/sad.toml", unavailable="there is none: use the other")

    def test_nothing_to_connect_to(self):
        """Whoever connects reads the sentence, also through a profile that extends it."""
        for profiles in ([self.SAD], [profile(user="u"), self.SAD]):
            settings = resolved(profiles=profiles)
            assert settings.unavailable == "there is none: use the other"
            with pytest.raises(UnsupportedError, match="there is none: use the other") as refused:
                settings.target()
            assert refused.value.hint

    def test_a_url_is_believed(self):
        """Who names a URL gets a connection."""
        assert resolved(flags={"url": "stomp://h"}, profiles=[self.SAD]).target().name == "stomp://h:61613"
        assert resolved(profiles=[profile(url="stomp://h"), self.SAD]).unavailable is None


@pytest.mark.parametrize(
    ("name", "url", "flags", "is_local"),
    [
        ("local", "stomp://127.0.0.1:61613", {}, True),
        ("local", "stomp://localhost:1,stomp://[::1]:2", {}, True),
        ("local", "stomp://127.0.0.1:61613", {"url": "stomp://127.0.0.1:61613"}, False),
        ("local", "stomp://broker:61613", {}, False),
        ("mine", "stomp://127.0.0.1:61613", {}, False),
    ],
)
def test_local_hub(name, url, flags, is_local):
    """We serve a hub ourselves just at the loopback address that the profile `local` itself gives."""
    assert resolved(profiles=[profile(name, url=url)], flags=flags).local_hub is is_local


def test_local_hub_of_a_child():
    """A profile that extends `local` and keeps its address is local too; without any address nothing is."""
    assert resolved(profiles=[profile("mine"), profile("local", url="stomp://127.0.0.1")]).local_hub
    assert not resolved(profiles=[profile("local")]).local_hub


HABITS = [
    Profile(
        name="child",
        path="/c",
        defaults={"publish": {"confirm": "socket"}},
        topics={"a.*": {"view": "chart", "labels": ("x",)}, "a.b": {"view": "rect"}},
    ),
    Profile(
        name="elder",
        path="/e",
        defaults={"publish": {"confirm": "none", "content-type": "t"}, "watch": {"view": "dots"}},
        topics={"a.b": {"view": "table", "labels": ("y",), "envelope": True}, "/queue/x": {"view": "dots"}},
    ),
]


def test_command_defaults():
    """A child's preset beats its parent's; a name is taken with `_` as with `-`; what is not said is None."""
    settings = resolved(profiles=HABITS)
    assert settings.command_default("publish", "confirm") == "socket"
    assert settings.command_default("publish", "content_type") == "t"
    assert settings.command_default("watch", "view") == "dots"
    assert settings.command_default("tail", "view") is None
    assert settings.profile.name == "child"


def test_topics():
    """The name itself beats a pattern, a child its parent, and what neither says is None."""
    settings = resolved(profiles=HABITS)
    assert settings.topic(parse("a.b")) == TopicSettings("rect", ("x",), True)
    assert settings.topic(parse("a.c")) == TopicSettings("chart", ("x",))
    assert settings.topic(parse("b")) == TopicSettings()
    assert settings.topic(parse("/queue/x")) == TopicSettings("dots")
    assert settings.topic(parse("/topic/a.b")) == TopicSettings()
    assert settings.topic(parse("a.>", native=True)) == TopicSettings()


def test_beside_a_profile_on_windows(monkeypatch):
    """There a path has backslashes, and a relative one in it still starts beside the profile."""
    monkeypatch.setattr("mqctl.profiles.resolve.os", SimpleNamespace(path=ntpath))
    settings = resolved(profiles=[profile(path=r"C:\mine\p.toml", url="stomp+ssl://h", ca_file="ca.pem")])
    assert settings.path("ca_file") == r"C:\mine\ca.pem"


def test_presets():
    """All presets that count are listed once, with the profile that they come from."""
    listed = {key: (value.value, value.origin) for key, value in resolved(profiles=HABITS).presets()}
    assert listed == {
        "defaults.publish.confirm": ("socket", "profile child (/c)"),
        "defaults.publish.content-type": ("t", "profile elder (/e)"),
        "defaults.watch.view": ("dots", "profile elder (/e)"),
        'topics."a.*".view': ("chart", "profile child (/c)"),
        'topics."a.*".labels': (("x",), "profile child (/c)"),
        'topics."a.b".view': ("rect", "profile child (/c)"),
        'topics."a.b".labels': (("y",), "profile elder (/e)"),
        'topics."a.b".envelope': (True, "profile elder (/e)"),
        'topics."/queue/x".view': ("dots", "profile elder (/e)"),
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5s"),
        (0.0, "0s"),
        (inf, "always"),
        (7, "7"),
        (Dialect.HUB, "hub"),
        ("x", "x"),
        (("a", "b"), "a, b"),
        (Secret("hunter2"), "***"),
        (parse_url("stomp+ws://u@h,i/p?token=secret"), "stomp+ws://u@h:80,i:80/p?***"),
        (parse_reference("env:NAME"), "env:NAME"),
        (parse_reference("command:vault read -token=t0ken"), "command:vault …"),
        (Reference(SecretKind.PROMPT), "prompt"),
    ],
)
def test_show(value, text):
    """People see values as they would write them, and secrets never."""
    assert show(value) == text
