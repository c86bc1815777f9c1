"""Where profiles are found, which one counts, and who is whose parent."""

from __future__ import annotations

import ntpath
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import mqctl
from mqctl.errors import ConfigError, SecretError
from mqctl.profiles import load_settings, store
from mqctl.profiles.resolve import Firmness
from mqctl.profiles.schema import Trust
from mqctl.profiles.store import Found, Place, Store, is_path, read_document, shipped_dir

SAMPLES = {
    *("local", "activemq", "activemq-mqtt", "activemq-ws", "artemis", "artemis-mqtt", "artemis-ws"),
    *("rabbitmq", "rabbitmq-mqtt", "rabbitmq-ws", "mosquitto", "mosquitto-ws"),
    *("cometd", "cometd-ws", "faye", "local-bayeux"),
    *("amazonmq", "amazonmq-mqtt", "amazonmq-ws", "amazonmq-rabbitmq"),
}


class TestSearch:
    """The order of search."""

    def test_each_place_hides_the_next(self, world):
        """MQCTL_PROFILE_DIR, ./profiles, the user's own, the shipped samples: the first that has the name counts."""
        places = {"directory": Place.DIRECTORY, "project": Place.PROJECT, "user": Place.USER}
        paths = {place: world.put(place, "activemq") for place in places}
        for place, expected in places.items():
            assert world.store.find("activemq") == Found("activemq", paths[place], expected)
            paths[place].unlink()
        assert world.store.find("activemq") == Found("activemq", shipped_dir() / "activemq.toml", Place.SHIPPED)

    def test_lists_shadowed_ones_too(self, world):
        """The list has every file, in the order of search, and no file but *.toml."""
        world.put("project", "activemq")
        world.put("user", "activemq")
        (world.cwd / "profiles" / "notes.txt").write_text("")
        listed = [(found.name, found.place) for found in world.store.all()]
        assert listed[:2] == [("activemq", Place.PROJECT), ("activemq", Place.USER)]
        assert [name for name, place in listed[2:] if place is Place.SHIPPED] == sorted(SAMPLES)

    def test_what_is_no_file_is_no_profile(self, world):
        """A directory and a link that leads nowhere are not listed, and so nobody is told to mean them."""
        beside = world.put("user", "mine").parent
        (beside / "folder.toml").mkdir()
        (beside / "link.toml").symlink_to("/nonexistent")
        assert [found.name for found in world.store.all() if found.place is Place.USER] == ["mine"]

    @pytest.mark.parametrize("name", ["x" * 300, "./" + "x" * 300])
    def test_a_place_that_cannot_be_looked_at(self, world, name):
        """A name that no file can have is an error of the user's, with what the system says."""
        with pytest.raises(ConfigError, match=r"cannot look for .*xxx.*: File name too long"):
            world.store.find(name)

    def test_path(self, world):
        """A name with a slash or .toml is a path from the working directory, `~` included."""
        path = world.put("elsewhere", "x")
        world.cwd.joinpath("y.toml").touch()
        assert world.store.find("../elsewhere/x.toml") == Found("x", path, Place.PATH)
        assert world.store.find(str(path)).path == path
        assert world.store.find("y.toml") == Found("y", world.cwd / "y.toml", Place.PATH)
        assert [is_path(text) for text in ("a", "a.b", "a.toml", "./a", "/a/b")] == [False, False, True, True, True]

    def test_path_on_windows(self, monkeypatch):
        """There a backslash and a drive make a path too."""
        monkeypatch.setattr(store, "os", SimpleNamespace(path=ntpath))
        assert [is_path(text) for text in ("a", r".\a", r"C:\a", "./a", "a.toml")] == [False, True, True, True, True]

    def test_home_in_path(self, world, monkeypatch):
        """`~/x.toml` is a file of the home directory."""
        path = world.put("elsewhere", "x")
        monkeypatch.setenv("HOME", str(path.parent))
        assert world.store.find("~/x.toml").path == path

    def test_nothing_there(self, world):
        """An unknown name is an error with the nearest match; a path that is no file is an error with the path."""
        with pytest.raises(ConfigError, match=r"^no profile 'activmq'; did you mean 'activemq'\?$") as refused:
            world.store.find("activmq")
        assert refused.value.hint == "mqctl profile list shows all"
        with pytest.raises(ConfigError, match=r"no profile at .*/here/x.toml"):
            world.store.find("x.toml")

    @pytest.mark.parametrize("name", ["stomp://me:secret@h", "me:secret@h", "me:se/cret@h", "stomp://secret"])
    def test_an_address_in_place_of_a_name(self, world, name):
        """It is not repeated, because there may be a password in it."""
        with pytest.raises(ConfigError, match="this is an address") as refused:
            world.store.find(name)
        assert "cret" not in f"{refused.value} {refused.value.hint}"

    def test_directory_that_is_none(self, world):
        """A mistyped MQCTL_PROFILE_DIR is an error and not an empty directory."""
        world.environ["MQCTL_PROFILE_DIR"] = "nowhere"
        with pytest.raises(ConfigError, match=r"MQCTL_PROFILE_DIR is no directory: .*/here/nowhere"):
            world.store.find("local")

    def test_own_checkout_is_no_project(self, world):
        """In a checkout of mqctl, ./profiles are the shipped samples, as trustworthy as mqctl."""
        found = Store(world.environ, shipped_dir().parent).find("local")
        assert found.place is Place.SHIPPED


class TestConfigDirectory:
    """Where the user's own profiles are."""

    def test_xdg(self):
        """XDG_CONFIG_HOME counts on every system, unless it is relative: that would change with the directory."""
        assert Store({"XDG_CONFIG_HOME": "/x"}, Path("/")).config_dir() == Path("/x/mqctl")
        for ignored in ("", "x", "./x"):
            environ = {"XDG_CONFIG_HOME": ignored, "HOME": "/home/me"}
            assert Store(environ, Path("/")).config_dir() == Path("/home/me/.config/mqctl")

    def test_linux_and_elsewhere(self, monkeypatch):
        """On Linux it is what platformdirs says; elsewhere platformdirs is asked."""
        from platformdirs import user_config_path

        home = {"HOME": os.environ.get("HOME", str(Path.home()))}
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        expected = user_config_path("mqctl", appauthor=False)
        for platform in ("linux", "darwin"):
            monkeypatch.setattr(sys, "platform", platform)
            assert Store(home, Path("/")).config_dir() == expected
        monkeypatch.setattr(sys, "platform", "linux")
        assert Store({}, Path("/")).config_dir() == Path.home() / ".config" / "mqctl"


class TestChoice:
    """Which profile is used when several ask to be."""

    def test_order(self, world):
        """--profile, MQCTL_PROFILE, `profile use`, local."""
        world.put("user", "mine", 'url = "stomp://mine"')
        assert world.store.choice() == ("local", Firmness.DEFAULT, "default")
        world.store.used_file.write_text("mine\n")
        assert world.store.choice() == ("mine", Firmness.USED, "profile use")
        assert world.load().get("url").endpoints[0].host == "mine"
        world.environ["MQCTL_PROFILE"] = "artemis"
        assert world.store.choice() == ("artemis", Firmness.ENVIRONMENT, "MQCTL_PROFILE")
        assert world.load().profile.name == "artemis"
        assert world.store.choice("rabbitmq") == ("rabbitmq", Firmness.FLAG, "--profile")
        assert world.load(profile="rabbitmq").firmness is Firmness.FLAG

    def test_unreadable_choice(self, world):
        """A choice that cannot be read is an error that names its file."""
        world.store.used_file.mkdir(parents=True)
        with pytest.raises(ConfigError, match=r"cannot read .*config/mqctl/profile"):
            world.store.choice()

    def test_choice_of_a_profile_that_is_gone(self, world):
        """A profile in use that went away is an error that says how to choose another."""
        world.put("user", "mine")
        world.store.used_file.write_text("/gone/mine.toml")
        with pytest.raises(ConfigError, match=r"no profile at /gone/mine.toml") as refused:
            world.load()
        assert refused.value.hint == "choose another profile: mqctl profile use NAME"
        world.store.used_file.write_text("gone")
        with pytest.raises(ConfigError) as refused:
            world.load()
        assert refused.value.hint == "choose another profile: mqctl profile use NAME"
        world.put("user", "mine", 'ulr = "stomp://h"')
        world.store.used_file.write_text("mine")
        with pytest.raises(ConfigError, match="unknown key ulr") as refused:
            world.load()
        assert refused.value.hint == "choose another profile: mqctl profile use NAME"
        world.environ["MQCTL_PROFILE"] = "gone"
        with pytest.raises(ConfigError, match="no profile 'gone'") as refused:
            world.load()
        assert refused.value.hint == "MQCTL_PROFILE names it; mqctl profile list shows all"
        with pytest.raises(ConfigError) as refused:
            world.load(profile="/gone/mine.toml")
        assert refused.value.hint is None

    def test_an_empty_name_is_none(self, world):
        """`--profile "$NAME"` with nothing in NAME is not silently another broker's."""
        with pytest.raises(ConfigError, match="no profile ''"):
            world.load(profile="")

    def test_a_wrong_option_is_not_blamed_on_the_profile_in_use(self, world):
        """Another profile would not help."""
        world.put("user", "mine")
        world.store.used_file.write_text("mine")
        with pytest.raises(ConfigError, match="--password") as refused:
            world.load(password="hunter2")
        assert refused.value.hint is None

    def test_working_directory_does_not_redirect_use(self, world):
        """`profile use` named a profile once; a file of that name in some working directory is not it."""
        world.put("user", "mine", 'url = "stomp://mine"')
        world.put("project", "mine", 'url = "stomp://evil"')
        world.store.used_file.write_text("mine")
        assert world.load().get("url").endpoints[0].host == "mine"
        assert world.load(profile="mine").get("url").endpoints[0].host == "evil"


class TestParents:
    """`extends`."""

    def test_chain(self, world):
        """A chain is read child first, and each value keeps the file that it came from."""
        child = world.put("user", "child", 'extends = "middle"\n[auth]\nuser = "alice"')
        middle = world.put("user", "middle", 'extends = "rabbitmq"\nurl = "stomp://m"')
        settings = world.load(profile="child")
        assert [each.name for each in settings.profiles] == ["child", "middle", "rabbitmq"]
        assert settings.origins["user"] == f"profile child ({child})"
        assert settings.origins["url"] == f"profile middle ({middle})"
        assert settings.origins["vhost"] == f"profile rabbitmq ({shipped_dir() / 'rabbitmq.toml'})"
        assert settings.origins["heart_beat_s"] == "default"

    def test_cycle(self, world):
        """A cycle is an error that names everybody in it."""
        world.put("user", "a", 'extends = "b"')
        world.put("user", "b", 'extends = "c"')
        world.put("user", "c", 'extends = "b"')
        with pytest.raises(ConfigError, match="profiles extend each other: a -> b -> c -> b"):
            world.load(profile="a")

    def test_own_name_is_the_hidden_one(self, world):
        """A profile that extends its own name extends the one that it hides; without one there is none."""
        world.put("user", "rabbitmq", 'extends = "rabbitmq"\nurl = "stomp://mine"')
        settings = world.load(profile="rabbitmq")
        assert (settings.get("url").endpoints[0].host, settings.get("vhost")) == ("mine", "/")
        world.put("user", "alone", 'extends = "alone"')
        with pytest.raises(ConfigError, match=r"alone.toml: extends: no profile 'alone'"):
            world.load(profile="alone")

    def test_nearer_place_does_not_slip_in(self, world):
        """A parent lies with its child or further on, never in a place that the working directory decides."""
        world.put("user", "child", 'extends = "base"')
        world.put("user", "base", 'url = "stomp://mine"')
        world.put("project", "base", 'url = "stomp://evil"')
        assert world.load(profile="child").get("url").endpoints[0].host == "mine"

    def test_parent_of_a_path(self, world):
        """A file given by its path has its parent beside it, or among the profiles, but not in ./profiles."""
        child = world.put("elsewhere", "child", 'extends = "base"')
        world.put("project", "base", 'url = "stomp://evil"')
        world.put("user", "base", 'url = "stomp://mine"')
        assert world.load(profile=str(child)).get("url").endpoints[0].host == "mine"
        world.put("elsewhere", "base", 'url = "stomp://beside"')
        assert world.load(profile=str(child)).get("url").endpoints[0].host == "beside"

    def test_missing(self, world):
        """A parent that is not there is named with the file that names it, and the nearest match."""
        path = world.put("user", "child", 'extends = "rabitmq"')
        with pytest.raises(ConfigError) as refused:
            world.load(profile="child")
        assert str(refused.value) == f"{path}: extends: no profile 'rabitmq'; did you mean 'rabbitmq'?"


class TestTrust:
    """Secrets of files in the working directory."""

    text = f'url = "stomp://h"\n[auth]\npassword = "command:{sys.executable} -c \'print(1)\'"'

    def test_by_place_and_choice(self, world):
        """Only a project's file is distrusted: less when its name was typed."""
        world.put("project", "local")
        world.put("project", "mine")
        assert world.load().profile.trust is Trust.NO_SECRETS
        assert world.load(profile="mine").profile.trust is Trust.NO_COMMANDS
        assert world.load(profile="profiles/mine.toml").profile.trust is Trust.FULL
        world.environ["MQCTL_PROFILE"] = "mine"
        assert world.load().profile.trust is Trust.NO_SECRETS
        world.put("directory", "mine")
        assert world.load().profile.trust is Trust.FULL

    def test_command(self, world):
        """A command in ./profiles runs when the path was typed, and not by the name."""
        world.put("project", "mine", self.text)
        with pytest.raises(SecretError, match="only found in the working directory"):
            world.load(profile="mine").target()
        assert world.load(profile="./profiles/mine.toml").target().password.reveal() == "1"

    def test_parent_lends_no_trust(self, world):
        """A project's file cannot borrow the password of a trusted profile and send it to its own URL."""
        world.put("user", "prod", 'url = "stomp://prod"\n[auth]\npassword = "env:PROD"')
        world.put("project", "local", 'extends = "prod"\nurl = "stomp://evil"')
        world.environ["PROD"] = "hunter2"
        with pytest.raises(SecretError):
            world.load().target()
        assert world.load(profile="prod").target().password.reveal() == "hunter2"
        world.put("project", "local", 'extends = "prod"\n[options]\nvhost = "/"')
        with pytest.raises(SecretError):
            world.load().target()


class TestReading:
    """What a file may be."""

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"url = ", r"is not TOML: .*at end of document"),
            (b"url = '\xff'", "is not TOML"),
            (b"a = " + b"[" * 100_000, "is nested too deeply for a profile"),
            (b"# " + b"x" * store.PROFILE_BYTES_MAX, "is larger than a profile can be"),
        ],
    )
    def test_refuses(self, world, content, words):
        """A file that is no TOML, no text or too large is an error that names it."""
        path = world.put("user", "x")
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=f"{re.escape(str(path))} {words}"):
            read_document(path)

    def test_mark_of_an_encoding(self, world):
        """What editors of Windows write before the first character does not count."""
        path = world.put("user", "x")
        path.write_bytes(b"\xef\xbb\xbfurl = 'stomp://h'")
        assert read_document(path) == {"url": "stomp://h"}

    def test_cannot_read(self, world):
        """What cannot be opened is an error with the reason."""
        with pytest.raises(ConfigError, match=f"cannot read {world.cwd}: Is a directory"):
            read_document(world.cwd)

    def test_largest(self, world):
        """A file of the largest size is read."""
        path = world.put("user", "x", "#" * store.PROFILE_BYTES_MAX)
        assert read_document(path) == {}


class TestLoad:
    """From files to settings."""

    def test_references(self, world):
        """A reference sees the variables and the profile's directory; a file that others can read is warned of."""
        path = world.put("user", "mine", 'url = "stomp://h"\n[auth]\npassword = "file:pw"')
        secret = path.with_name("pw")
        secret.write_text("hunter2")
        secret.chmod(0o644)
        settings = world.load(profile="mine")
        assert world.warned == []
        assert settings.target().password.reveal() == "hunter2"
        (warning,) = world.warned
        assert f"chmod 600 {secret}" in warning
        world.environ["P"] = "from the environment"
        assert world.load(profile="mine", password="env:P").target().password.reveal() == "from the environment"

    def test_flags_start_at_the_working_directory(self, world):
        """A relative file in a flag starts where the command was typed."""
        assert world.load(url="stomp+ssl://h", ca_file="ca.pem").target().tls.ca_file == f"{world.cwd}/ca.pem"

    def test_load_settings(self, world):
        """The function that commands call is the same, with everything passed in."""
        settings = load_settings(
            {"profile": "rabbitmq", "user": "u"},
            environ={**world.environ, "MQCTL_VHOST": "v"},
            cwd=world.cwd,
            warn=print,
        )
        assert (settings.get("user"), settings.get("vhost"), settings.profile.name) == ("u", "v", "rabbitmq")


def test_shipped_inside_the_package(tmp_path, monkeypatch):
    """Installed, the samples lie in the package; in a checkout, beside it."""
    monkeypatch.setattr(store, "__file__", str(tmp_path / "mqctl" / "profiles" / "store.py"))
    assert shipped_dir() == tmp_path / "profiles"
    (tmp_path / "mqctl" / "profiles" / "shipped").mkdir(parents=True)
    assert shipped_dir() == tmp_path / "mqctl" / "profiles" / "shipped"


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_samples_are_right(world, name):
    """Every sample is a profile, has a description, and holds no secret; and a URL, or the reason why it has none."""
    settings = world.load(profile=name)
    assert settings.profile.description
    assert settings.unavailable or settings.get("url").password is None


def test_local_sample_is_the_hub(world):
    """With nothing said at all, the target is the embedded hub's own address."""
    settings = world.load()
    assert settings.local_hub
    assert settings.target().name == "stomp://127.0.0.1:61613"


def test_no_heavy_imports():
    """Loading a profile imports nothing slow (platformdirs: on Linux): start-up is a feature."""
    code = (
        "import os, pathlib, sys; from mqctl.profiles import load_settings\n"
        "load_settings({}, environ={'HOME': '/nowhere'}, cwd=pathlib.Path('/'), warn=print).target()\n"
        "heavy = {'platformdirs', 'tomlkit', 'rich', 'subprocess', 'difflib', 'typer', 'shlex', 'getpass'}\n"
        "print(*(heavy & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(mqctl.__file__).parent.parent,
    )
    assert (run.stdout, run.stderr) == ("\n", "")
