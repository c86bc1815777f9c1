"""`mqctl profile` as it is typed: what it prints, what it writes, how it ends."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from mqctl.adapters import registry
from mqctl.cli.context import AppContext
from mqctl.cli.program import run
from mqctl.errors import ConnectError, ExitCode
from mqctl.profiles.store import shipped_dir

PASSWORD = "hunter2"


class Terminal(io.BytesIO):
    def isatty(self):
        return True


class World:
    """A user with an empty configuration; `mqctl` runs a command and returns its exit code."""

    def __init__(self, root):
        self.cwd = root / "work"
        self.cwd.mkdir()
        self.environ = {"XDG_CONFIG_HOME": str(root / "config")}
        self.profiles = root / "config" / "mqctl" / "profiles"
        self.out = self.err = ""

    def put(self, name, text, *, project=False):
        directory = self.cwd / "profiles" if project else self.profiles
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{name}.toml"
        path.write_text(text, "utf-8")
        return path

    def mqctl(self, *argv, stdout=None):
        stdout = stdout or io.BytesIO()
        stderr = io.StringIO()
        context = AppContext(stdin=io.BytesIO(), stdout=stdout, stderr=stderr, environ=self.environ, cwd=self.cwd)
        code = run(argv, context)
        self.out, self.err = stdout.getvalue().decode(), stderr.getvalue()
        return code

    def table(self):
        return [line.split() for line in self.out.splitlines()]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class TestList:
    def test_marks(self, world):
        """The profile in use has a star, a hidden one a dash, and each its file."""
        mine = world.put("activemq", 'url = "stomp://alice@mine"')
        assert world.mqctl("profile", "list") == ExitCode.OK
        head, *rows = world.table()
        assert head == ["NAME", "URL", "FILE"]
        assert ["activemq", "stomp://alice@mine:61613", str(mine)] in rows
        assert ["-", "activemq", "stomp://127.0.0.1:61613", str(shipped_dir() / "activemq.toml")] in rows
        assert ["*", "local", "stomp://127.0.0.1:61613", str(shipped_dir() / "local.toml")] in rows
        assert world.err == ""

    def test_json(self, world):
        """One object for each profile."""
        assert world.mqctl("--profile", "rabbitmq", "profile", "list", "--json") == ExitCode.OK
        rows = [json.loads(line) for line in world.out.splitlines()]
        assert [row["name"] for row in rows if row["active"]] == ["rabbitmq"]
        assert rows[0] == {
            "name": "activemq",
            "url": "stomp://127.0.0.1:61613",
            "file": str(shipped_dir() / "activemq.toml"),
            "place": "part of mqctl",
            "active": False,
            "shadowed": False,
            "description": "ActiveMQ Classic on this machine",
        }

    def test_wrong_profiles_are_listed(self, world):
        """A profile that is wrong does not hide the others; one in use that is gone is complained about."""
        world.put("bad", 'ulr = "x"')
        world.environ["MQCTL_PROFILE"] = "gone"
        assert world.mqctl("profile", "list") == ExitCode.OK
        assert "wrong: " in world.out
        assert "did you mean 'url'?" in world.out
        assert "local" in world.out
        assert "no profile 'gone'" in world.err

    def test_what_cannot_be_a_profile(self, world):
        """One hopeless file, or a name that no file can have, is no bug of ours."""
        world.put("deep", "a = " + "[" * 100_000)
        assert world.mqctl("profile", "list") == ExitCode.OK
        assert "nested too deeply" in world.out
        assert world.mqctl("tail", "a", "--profile", "x" * 300) == ExitCode.USAGE
        assert world.mqctl("profile", "add", "x" * 300, "--url", "stomp://h") == ExitCode.USAGE
        assert world.mqctl("tail", "a", "--profile", "") == ExitCode.USAGE

    def test_file_in_use(self, world):
        """A file elsewhere that is in use comes first."""
        path = world.cwd / "x.toml"
        path.write_text('url = "stomp://x"')
        world.mqctl("--profile", str(path), "profile", "list")
        assert world.table()[1] == ["*", "x", "stomp://x:61613", str(path)]

    def test_narrow_terminal(self, world, monkeypatch):
        """On a terminal rows fold to its width and nothing is cut; in a pipe a row is a line."""
        monkeypatch.setenv("COLUMNS", "40")
        world.mqctl("profile", "list", stdout=Terminal())
        assert max(map(len, world.out.splitlines())) <= 40
        assert "…" not in world.out
        assert "\x1b" not in world.out
        world.mqctl("profile", "list")
        assert len(world.out.splitlines()) == 1 + len(list(shipped_dir().glob("*.toml")))


class TestShow:
    def test_what_counts(self, world):
        """Without options: the keys that have a value, after flags and variables."""
        world.environ["MQCTL_USER"] = "alice"
        assert world.mqctl("profile", "show", "rabbitmq") == ExitCode.OK
        rows = dict(row for row in world.table() if len(row) == 2)
        assert rows["profile"] == "rabbitmq"
        assert (rows["auth.user"], rows["options.vhost"], rows["options.heart-beat"]) == ("alice", "/", "10s")
        assert "auth.password" not in rows

    def test_origin(self, world):
        """With --origin: every key, and where its value comes from."""
        world.put("mine", 'extends = "rabbitmq"\n[defaults.tail]\nack = "client"')
        world.environ["MQCTL_VHOST"] = "v"
        assert world.mqctl("--profile", "mine", "--url", "stomp://h", "profile", "show", "--origin") == ExitCode.OK
        rows = {row[0]: row[1:] for row in world.table()}
        assert rows["url"] == ["stomp://h:61613", "--url"]
        assert rows["options.vhost"] == ["v", "MQCTL_VHOST"]
        assert rows["dialect"] == ["rabbitmq", "profile", "rabbitmq", f"({shipped_dir() / 'rabbitmq.toml'})"]
        assert rows["defaults.tail.ack"] == ["client", "profile", "mine", f"({world.profiles / 'mine.toml'})"]
        assert rows["auth.user"] == ["-", "default"]

    def test_json(self, world):
        """With --json: one object, null where there is nothing."""
        world.mqctl("profile", "show", "--json")
        shown = json.loads(world.out)
        assert shown["url"]["value"] == "stomp://127.0.0.1:61613"
        assert shown["auth.user"] == {"value": None, "origin": "default"}

    def test_options_of_a_command(self, world):
        """The options that a command takes are taken here too, after it as before it, and have their origin."""
        argv = ("--profile", "rabbitmq", "--user", "alice", "--heart-beat", "30s", "--vhost", "v", "--origin")
        world.environ["MQCTL_VHOST"] = "w"
        assert world.mqctl("profile", "show", *argv) == ExitCode.OK
        rows = {row[0]: row[1:] for row in world.table()}
        assert rows["profile"][0] == "rabbitmq"
        assert rows["auth.user"] == ["alice", "--user"]
        assert rows["options.vhost"] == ["v", "--vhost"]
        assert rows["options.heart-beat"] == ["30s", "--heart-beat"]
        assert world.mqctl("profile", "show", "--user", "") == ExitCode.USAGE

    def test_notice(self, world):
        """A variable that takes the profile's URL away is told on standard error."""
        world.environ["MQCTL_URL"] = "stomp://other"
        world.mqctl("profile", "show", "rabbitmq")
        assert "MQCTL_URL takes the place" in world.err

    def test_unknown(self, world):
        """An unknown name ends with 2 and the nearest match."""
        assert world.mqctl("profile", "show", "rabitmq") == ExitCode.USAGE
        assert "did you mean 'rabbitmq'?" in world.err


class TestNoPassword:
    """No command prints a password, however it came in."""

    @pytest.mark.parametrize("argv", [("show",), ("show", "--origin"), ("show", "--json"), ("list",), ("check",)])
    def test_from_environment(self, world, argv):
        """Neither the password of a variable nor that of a URL nor what a reference leads to is in any output."""
        secret = world.put("mine", 'url = "stomp://h"\n[auth]\nuser = "u"\npassword = "file:pw"').with_name("pw")
        secret.write_text(PASSWORD)
        world.environ |= {
            "MQCTL_PASSWORD": PASSWORD,
            "MQCTL_KEY_PASSWORD": PASSWORD,
            "MQCTL_URL": f"stomp://bob:{PASSWORD}@other",
            "MQCTL_PROFILE": "mine",
        }
        assert world.mqctl("profile", *argv) == ExitCode.OK
        assert world.out
        assert PASSWORD not in world.out + world.err

    @pytest.mark.parametrize(
        "argv",
        [
            ("--url", f"stomp://bob:{PASSWORD}@h", "profile", "show", "--json"),
            ("--url", f"stomp://bob:{PASSWORD},x@h", "profile", "show"),
            ("profile", "add", "mine", "--url", f"stomp://bob:{PASSWORD}@h"),
            ("profile", "add", "mine", "--url", "stomp://h", "--password-ref", PASSWORD),
        ],
    )
    def test_typed(self, world, argv):
        """Nor one that was typed, and none is written down."""
        world.mqctl(*argv)
        assert world.out + world.err
        assert PASSWORD not in world.out + world.err
        assert not world.profiles.exists()


class TestAdd:
    def test_adds(self, world):
        """The file is printed, and the profile is there with all that was said."""
        argv = (
            "--extends",
            "rabbitmq",
            "--url",
            "stomp://h",
            "--user",
            "u",
            "--password-ref",
            "env:P",
            "--ca",
            "ca.pem",
        )
        assert world.mqctl("profile", "add", "mine", *argv, "--vhost", "v", "--description", "Mine") == ExitCode.OK
        path = world.profiles / "mine.toml"
        assert world.out == f"{path}\n"
        assert world.mqctl("profile", "show", "mine") == ExitCode.OK
        rows = dict(row for row in world.table() if len(row) == 2)
        assert rows == {
            "profile": "mine",
            "url": "stomp://h:61613",
            "dialect": "rabbitmq",
            "auth.user": "u",
            "auth.password": "env:P",
            "options.vhost": "v",
            "options.heart-beat": "10s",
            "options.connect-timeout": "10s",
            "options.reconnect-pause": "10s",
            "tls.ca": str(world.cwd / "ca.pem"),
            "tls.verify": "true",
        } | {"KEY": "VALUE"}

    def test_needs_a_broker(self, world):
        """Neither URL nor parent is an error that says what to give."""
        assert world.mqctl("profile", "add", "mine") == ExitCode.USAGE
        assert "--url URL, or --extends PROFILE" in world.err

    def test_url_before_the_command(self, world):
        """--url counts before the command too."""
        assert world.mqctl("--url", "stomp://h", "profile", "add", "mine") == ExitCode.OK

    def test_force(self, world):
        """Only --force replaces."""
        world.mqctl("profile", "add", "mine", "--url", "stomp://one")
        assert world.mqctl("profile", "add", "mine", "--url", "stomp://two") == ExitCode.USAGE
        assert "--force replaces it" in world.err
        assert world.mqctl("profile", "add", "mine", "--url", "stomp://two", "--force") == ExitCode.OK
        assert "two" in (world.profiles / "mine.toml").read_text()

    def test_update(self, world):
        """--update changes what is said and keeps comments and the rest; it makes nothing that is not there."""
        path = world.put("mine", '# ours\nurl = "stomp://one"\n[auth]\nuser = "alice"\n')
        assert world.mqctl("profile", "add", "mine", "--update", "--url", "stomp+ssl://two") == ExitCode.OK
        assert world.out == f"{path}\n"
        assert path.read_text() == '# ours\nurl = "stomp+ssl://two"\n[auth]\nuser = "alice"\n'
        assert world.mqctl("profile", "add", "mine", "--update", "--user", "bob") == ExitCode.OK
        assert 'user = "bob"' in path.read_text()
        for argv in (("mine", "--force"), ("gone", "--user", "u"), ("rabbitmq", "--user", "u")):
            assert world.mqctl("profile", "add", "--update", *argv) == ExitCode.USAGE
            assert "hint: " in world.err

    def test_hidden(self, world):
        """A profile that a nearer file hides is added, and the user told."""
        nearer = world.put("mine", 'url = "stomp://x"', project=True)
        assert world.mqctl("profile", "add", "mine", "--url", "stomp://h") == ExitCode.OK
        assert f"{nearer} has the same name and comes first" in world.err

    @pytest.mark.parametrize(
        ("argv", "words"),
        [
            (("--extends", "amazonmq-rabbitmq"), "offers AMQP only, neither STOMP nor MQTT"),
            (("--extends", "amazonmq", "--user", "alice"), "its url has <broker-id>"),
            (("--url", "wss://h"), "wss:// does not say which protocol is spoken; write stomp+wss://"),
            (("--url", "stomp+ssl://h", "--ca", "gone.pem"), "ca: no file at"),
        ],
    )
    def test_what_is_still_wrong(self, world, argv, words):
        """A profile that nobody can use yet is written, for its file to be completed, and that is told at once."""
        assert world.mqctl("profile", "add", "mine", *argv) == ExitCode.OK
        assert str(world.profiles / "mine.toml") in world.out
        assert words in world.err


class TestRemove:
    def test_removes(self, world):
        """The file is named and gone, and who used it hears what is used now."""
        path = world.put("mine", 'url = "stomp://h"')
        world.mqctl("profile", "use", "mine")
        assert world.mqctl("profile", "remove", "mine") == ExitCode.OK
        assert world.err == f"mqctl: removed {path}\nmqctl: using local from now on\n"
        assert not path.exists()
        assert world.mqctl("profile", "show") == ExitCode.OK

    def test_what_stays(self, world):
        """A sample is not removed, and a name that nobody has is none."""
        assert world.mqctl("profile", "remove", "rabbitmq") == ExitCode.USAGE
        assert "not one of your own profiles (part of mqctl)" in world.err
        assert world.mqctl("profile", "remove", "gone") == ExitCode.USAGE


class TestUse:
    def test_uses(self, world):
        """The next command uses it."""
        assert world.mqctl("profile", "use", "rabbitmq") == ExitCode.OK
        world.mqctl("profile", "show")
        assert ["profile", "rabbitmq"] in world.table()

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("amazonmq-rabbitmq", "the RabbitMQ engine of Amazon MQ offers AMQP only, neither STOMP nor MQTT"),
            ("amazonmq", "is a sample: its url has <broker-id>"),
        ],
    )
    def test_nothing_to_connect_to(self, world, name, words):
        """Who chooses a profile that leads nowhere hears it now, and not from the next command."""
        assert world.mqctl("profile", "use", name) == ExitCode.OK
        assert f"using {name} from now on" in world.err
        assert words in world.err

    def test_variable_comes_first(self, world):
        """With MQCTL_PROFILE set, the user is told that it wins."""
        world.environ["MQCTL_PROFILE"] = "artemis"
        assert world.mqctl("profile", "use", "rabbitmq") == ExitCode.OK
        assert "MQCTL_PROFILE is set and comes before it: artemis" in world.err

    @pytest.mark.parametrize("name", ["gone", "bad"])
    def test_refuses(self, world, name):
        """What is no profile is not used."""
        world.put("bad", 'ulr = "x"')
        assert world.mqctl("profile", "use", name) == ExitCode.USAGE
        world.mqctl("profile", "show")
        assert ["profile", "local"] in world.table()


class Broker:
    """Stands in for all transports: it answers, or raises what it was given."""

    def __init__(self):
        self.error = None
        self.targets = []
        self.server = "Fake/1.0"

    def __call__(self, scheme):
        return self

    @contextmanager
    def connect(self, target, *, sink):
        self.targets.append(target)
        if self.error:
            raise self.error
        sink([])
        yield SimpleNamespace(greeting=SimpleNamespace(server=self.server, peer=str(target.endpoints[0])))


@pytest.fixture
def broker(monkeypatch):
    broker = Broker()
    monkeypatch.setattr(registry, "adapter_for", broker)
    return broker


class TestCheck:
    def test_samples(self, world):
        """All shipped profiles pass; the sample that must be filled in is explained."""
        assert world.mqctl("profile", "check") == ExitCode.OK
        assert world.out.splitlines() == [
            "activemq: ok",
            "activemq-mqtt: ok",
            "activemq-ws: ok",
            "amazonmq: to fill in",
            "amazonmq-mqtt: to fill in",
            "amazonmq-rabbitmq: unavailable",
            "amazonmq-ws: to fill in",
            "artemis: ok",
            "artemis-mqtt: ok",
            "artemis-ws: ok",
            "cometd: ok",
            "cometd-ws: ok",
            "faye: ok",
            "local: ok",
            "local-bayeux: ok",
            "mosquitto: ok",
            "mosquitto-ws: ok",
            "rabbitmq: ok",
            "rabbitmq-mqtt: ok",
            "rabbitmq-ws: ok",
        ]
        assert "is a sample: its url has <broker-id>" in world.err
        assert "mqctl profile add NAME --amazonmq BROKER" in world.err
        assert "offers AMQP only, neither STOMP nor MQTT" in world.err

    def test_sample_that_is_asked_about(self, world):
        """Who asks about a sample by name wants to use it, and is told that it cannot be."""
        assert world.mqctl("profile", "check", "amazonmq") == ExitCode.USAGE

    def test_nothing_to_connect_to(self, world):
        """A profile that says why there is nothing to connect to is right, and `--connect` to it is refused."""
        assert world.mqctl("profile", "check", "amazonmq-rabbitmq") == ExitCode.OK
        assert world.mqctl("profile", "check", "amazonmq-rabbitmq", "--connect") == ExitCode.REFUSED
        assert world.mqctl("profile", "check", "--connect", "amazonmq-rabbitmq", "amazonmq") == ExitCode.REFUSED
        world.mqctl("profile", "show", "amazonmq-rabbitmq")
        assert ["unavailable", "the", "RabbitMQ", "engine"] in [row[:4] for row in world.table()]

    def test_wrong(self, world):
        """Each mistake is a line on standard error with the file, and the exit code is 2."""
        path = world.put("bad", 'ulr = "x"\n[auth]\nusr = "y"')
        assert world.mqctl("profile", "check", "bad", "local") == ExitCode.USAGE
        assert world.out == "bad: wrong\nlocal: ok\n"
        assert world.err.count(str(path)) == 2

    def test_path(self, world):
        """A path is checked like a name."""
        path = world.put("x", 'url = "stomp://h"')
        assert world.mqctl("profile", "check", str(path)) == ExitCode.OK

    def test_connect(self, world, broker):
        """--connect prints who answers; what variables say does not matter, but references see them."""
        world.put("mine", 'url = "stomp://h"\n[auth]\npassword = "env:P"')
        world.environ |= {"P": PASSWORD, "MQCTL_URL": "stomp://other"}
        assert world.mqctl("profile", "check", "mine", "--connect") == ExitCode.OK
        assert world.out == "mine: ok, Fake/1.0 at h:61613\n"
        assert broker.targets[0].password.reveal() == PASSWORD
        broker.server = None
        world.mqctl("profile", "check", "mine", "--connect")
        assert world.out == "mine: ok, a server that does not say its name at h:61613\n"

    def test_connect_fails(self, world, broker):
        """The first failure gives the exit code, and the rest are still checked."""
        world.put("bad", 'ulr = "x"')
        broker.error = ConnectError("nobody answers at h:1", hint="start it")
        assert world.mqctl("profile", "check", "local", "bad", "--connect") == ExitCode.CONNECTION
        assert world.out == "local: failed\nbad: wrong\n"
        assert "nobody answers at h:1" in world.err
        assert "hint: start it" in world.err

    def test_project_file_gets_no_secret_unasked(self, world, broker):
        """`check --connect` of everything runs no command of a file in the working directory."""
        world.put("mine", 'url = "stomp://h"\n[auth]\npassword = "env:P"', project=True)
        world.environ["P"] = PASSWORD
        assert world.mqctl("profile", "check", "--connect") == ExitCode.USAGE
        assert "mine: failed" in world.out
        assert "only found in the working directory" in world.err
        assert world.mqctl("profile", "check", "mine", "--connect") == ExitCode.OK
