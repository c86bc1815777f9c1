"""What is written into the user's own configuration."""

from __future__ import annotations

import errno
import tomllib

import pytest

from mqctl.errors import ConfigError, UsageError
from mqctl.profiles import edit
from mqctl.profiles.resolve import Firmness


def test_compose():
    """Dotted keys become tables, what is None is left out, and the text is TOML that says the same."""
    text = edit.compose({"url": "stomp://h", "description": 'a "b" \n c', "auth.user": "u", "auth.password": None})
    assert tomllib.loads(text) == {"url": "stomp://h", "description": 'a "b" \n c', "auth": {"user": "u"}}
    assert text.index("url") < text.index("[auth]")


def test_add(world):
    """A profile that was added is found and read back."""
    path = edit.add(world.store, "mine", {"extends": "rabbitmq", "url": "stomp://h", "auth.password": "env:P"})
    assert path == world.directories["user"] / "mine.toml"
    settings = world.load(profile="mine")
    assert (settings.get("url").endpoints[0].host, settings.get("vhost")) == ("h", "/")


def test_add_never_overwrites(world):
    """A profile that exists stays unless `force` is set."""
    path = edit.add(world.store, "mine", {"url": "stomp://one"})
    before = path.read_text()
    with pytest.raises(UsageError, match="the profile mine exists already") as refused:
        edit.add(world.store, "mine", {"url": "stomp://two"})
    assert str(refused.value.hint).startswith("--force replaces it")
    assert path.read_text() == before
    edit.add(world.store, "mine", {"url": "stomp://two"}, force=True)
    assert 'url = "stomp://two"' in path.read_text()


def test_add_at_the_same_moment(world, monkeypatch):
    """A profile that somebody else wrote between the question and the answer stays too."""
    monkeypatch.setattr("pathlib.Path.exists", lambda _: False)
    path = world.put("user", "mine", 'url = "stomp://one"')
    with pytest.raises(UsageError, match="exists already"):
        edit.add(world.store, "mine", {"url": "stomp://two"})
    assert "one" in path.read_text()


@pytest.mark.parametrize("force", [False, True])
def test_a_full_disk(world, monkeypatch, force):
    """What cannot be written leaves what was there before: nothing, or the profile as it was; and no other file."""
    path = world.put("user", "mine", 'url = "stomp://one"') if force else world.directories["user"] / "mine.toml"
    before = [*path.parent.glob("*")]

    def full(_path, _text, _encoding):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(ConfigError, match=r"cannot write .*mine.toml: No space left"):
        edit.add(world.store, "mine", {"url": "stomp://two"}, force=force)
    assert [*path.parent.glob("*")] == before
    assert not force or path.read_text() == 'url = "stomp://one"'


def test_replaced_at_once(world, monkeypatch):
    """Who reads while a profile is replaced has the old one or the new one, never half of it."""
    path = edit.add(world.store, "mine", {"url": "stomp://one"})
    seen = []
    replace = type(path).replace
    monkeypatch.setattr("pathlib.Path.replace", lambda *paths: seen.append(path.read_text()) or replace(*paths))
    edit.add(world.store, "mine", {"url": "stomp://two"}, force=True)
    assert seen == ['url = "stomp://one"\n']
    assert path.read_text() == 'url = "stomp://two"\n'


def test_link_and_mode_stay(world):
    """A profile that is a link to a file kept elsewhere stays one, and who may read it stays the same."""
    kept = world.put("elsewhere", "mine", 'url = "stomp://one"')
    kept.chmod(0o600)
    link = world.put("user", "other").with_name("mine.toml")
    link.symlink_to(kept)
    edit.add(world.store, "mine", {"url": "stomp://two"}, force=True)
    assert link.is_symlink()
    assert kept.read_text() == 'url = "stomp://two"\n'
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".a", "-a", "a b", "a.toml", "é", "a" * 101])
def test_add_refuses_names(world, name):
    """A name that would be a path, hidden or an option is refused."""
    with pytest.raises(UsageError, match="not a name for a profile"):
        edit.add(world.store, name, {"url": "stomp://h"})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"url": "nowhere"}, "profile mine: url: not a broker URL"),
        ({"url": "stomp://h", "auth.password": "hunter2"}, "a password is not written here"),
        ({"url": "stomp://u:hunter2@h"}, "a password does not stand in a url"),
        ({"url": "stomp+wss://h/ws?token=hunter2"}, "a query may hold a token and does not stand in a file"),
        ({"url": "stomp://h", "dialect": "clasic"}, "did you mean 'classic'"),
        ({"extends": "rabitmq"}, "no profile 'rabitmq'; did you mean 'rabbitmq'"),
    ],
)
def test_add_checks_first(world, said, words):
    """What is no profile is refused, a password not repeated, and nothing is written."""
    with pytest.raises(ConfigError, match=words) as refused:
        edit.add(world.store, "mine", said)
    assert "hunter2" not in str(refused.value)
    assert not world.directories["user"].exists()


def test_cannot_write(world):
    """A configuration that cannot be written is an error with the path."""
    world.store.config_dir().parent.write_text("a file where a directory should be")
    with pytest.raises(ConfigError, match=r"cannot write .*mine.toml"):
        edit.add(world.store, "mine", {"url": "stomp://h"})
    with pytest.raises(ConfigError, match=r"cannot write .*mqctl/profile"):
        edit.use(world.store, world.store.find("local"))


def test_use(world):
    """The choice is read back as the profile in use, until the next."""
    world.put("user", "mine", 'url = "stomp://mine"')
    for name in ("mine", "rabbitmq"):
        assert edit.use(world.store, world.store.find(name)) == name
        assert (world.load().profile.name, world.load().firmness) == (name, Firmness.USED)


@pytest.mark.parametrize("place", ["project", "directory", "elsewhere"])
def test_use_remembers_a_path(world, place):
    """A file outside the user's own profiles is remembered by its path, and found from anywhere."""
    path = world.put(place, "mine", 'url = "stomp://mine"')
    name = str(path) if place == "elsewhere" else "mine"
    assert edit.use(world.store, world.store.find(name)) == str(path)
    world.environ.pop("MQCTL_PROFILE_DIR", None)
    world.cwd = world.cwd.parent
    assert world.load().profile.path == str(path)


MINE = """\
# The broker of our shop.
url = "stomp://one"  # until the move

[topics.orders]
view = "table"

[auth]
user = "alice"
"""


def test_update(world):
    """What is said takes its place, above the tables or in them; comments, order and the rest stay."""
    path = world.put("user", "mine", MINE)
    said = {"url": "stomp+ssl://two", "auth.password": "env:P", "auth.user": None, "dialect": "classic"}
    assert edit.update(world.store, "mine", said) == path
    text = path.read_text()
    assert tomllib.loads(text) == {
        "url": "stomp+ssl://two",
        "dialect": "classic",
        "topics": {"orders": {"view": "table"}},
        "auth": {"user": "alice", "password": "env:P"},
    }
    assert text.startswith('# The broker of our shop.\nurl = "stomp+ssl://two"  # until the move\n')
    assert text.index("[topics.orders]") < text.index("[auth]")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"url": "nowhere"}, "not a broker URL"),
        ({"auth.password": "hunter2"}, "a password is not written here"),
        ({"extends": "gone"}, "no profile 'gone'"),
    ],
)
def test_update_checks_first(world, said, words):
    """What would be no profile is refused, and the file stays as it is; so does one that is wrong already."""
    path = world.put("user", "mine", MINE)
    with pytest.raises(ConfigError, match=words):
        edit.update(world.store, "mine", said)
    assert path.read_text() == MINE
    path = world.put("user", "mine", 'ulr = "x"')
    with pytest.raises(ConfigError, match="unknown key ulr"):
        edit.update(world.store, "mine", {"url": "stomp://h"})
    assert path.read_text() == 'ulr = "x"'


def test_only_own_ones_change(world):
    """A sample, and what lies elsewhere, is neither changed nor deleted, even where its name is the one in use."""
    path = world.put("project", "mine", MINE)
    for change in (edit.remove, lambda store, name: edit.update(store, name, {"url": "stomp://h"})):
        with pytest.raises(UsageError, match=r"not one of your own profiles \(part of mqctl\)"):
            change(world.store, "local")
        with pytest.raises(UsageError, match=r"not one of your own profiles \(./profiles\)"):
            change(world.store, "mine")
        with pytest.raises(ConfigError, match="no profile 'gone'"):
            change(world.store, "gone")
    assert path.read_text() == MINE


def test_remove(world):
    """The choice of a profile goes with it, unless it hid one of the same name, which is used then."""
    for name, now in (("mine", "local"), ("rabbitmq", "rabbitmq")):
        path = world.put("user", name, MINE)
        edit.use(world.store, world.store.find(name))
        assert edit.remove(world.store, name) == path
        assert not path.exists()
        assert world.store.choice().profile == now


def test_remove_what_cannot_be_removed(world, monkeypatch):
    """What the system does not let us delete is an error with the path."""
    world.put("user", "mine", MINE)

    def closed(_path):
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.unlink", closed)
    with pytest.raises(ConfigError, match=r"cannot write .*mine.toml: Permission denied"):
        edit.remove(world.store, "mine")
