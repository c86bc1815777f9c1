"""Finds profiles on the disk and reads no more files than it needs: `mqctl publish` waits for this."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from mqctl.errors import ConfigError
from mqctl.profiles import secrets
from mqctl.profiles.readers import did_you_mean
from mqctl.profiles.resolve import LOCAL, Firmness, Settings, resolve
from mqctl.profiles.schema import Profile, Trust, check_profile
from mqctl.target import Secret

SUFFIX = ".toml"
PROFILE_BYTES_MAX = 1024 * 1024

Warn = Callable[[str], None]
"""Takes a sentence for the user."""


class Place(enum.Enum):
    """Where a profile's file lies, in the order of search."""

    PATH = "given by its path"
    DIRECTORY = "MQCTL_PROFILE_DIR"
    PROJECT = "./profiles"
    USER = "your configuration"
    SHIPPED = "part of mqctl"


class Found(NamedTuple):
    """A profile's file that exists."""

    name: str
    path: Path
    place: Place


class Choice(NamedTuple):
    """Which profile, how firmly, and by what."""

    profile: str
    firmness: Firmness
    origin: str


_WAYS_OUT = {
    Firmness.USED: "choose another profile: mqctl profile use NAME",
    Firmness.ENVIRONMENT: "MQCTL_PROFILE names it; mqctl profile list shows all",
}


class Store:
    """The profiles that can be seen from a working directory with an environment.

    Args:
        environ: The environment variables.
        cwd: The working directory.
        ask_aws: Follows references to AWS Secrets Manager.
    """

    def __init__(self, environ: Mapping[str, str], cwd: Path, *, ask_aws: secrets.AskAws | None = None) -> None:
        self.environ = environ
        self.cwd = cwd
        self.ask_aws = ask_aws

    def places(self) -> Iterator[tuple[Place, Path]]:
        """The directories to search, in order."""
        if given := self.environ.get("MQCTL_PROFILE_DIR"):
            directory = self.cwd / given
            if not directory.is_dir():
                raise ConfigError(f"MQCTL_PROFILE_DIR is no directory: {directory}")
            yield Place.DIRECTORY, directory
        if (project := self.cwd / "profiles") != shipped_dir():
            yield Place.PROJECT, project
        yield Place.USER, self.config_dir() / "profiles"
        yield Place.SHIPPED, shipped_dir()

    def config_dir(self) -> Path:
        """The user's own directory for mqctl, whether or not it exists."""
        base = self.environ.get("XDG_CONFIG_HOME", "")
        if os.path.isabs(base):  # noqa: PTH117 - "all paths must be absolute", else ignored: XDG Base Directory
            return Path(base, "mqctl")
        if sys.platform == "linux":
            # What platformdirs says, without the 10 ms that importing it takes.
            return Path(self.environ.get("HOME") or Path.home(), ".config", "mqctl")
        from platformdirs import user_config_path  # noqa: PLC0415

        return user_config_path("mqctl", appauthor=False)

    def choice(self, flag: str | None = None) -> Choice:
        """The profile to use: flag, `MQCTL_PROFILE`, `profile use`, `local`."""
        if flag is not None:
            return Choice(flag, Firmness.FLAG, "--profile")
        if name := self.environ.get("MQCTL_PROFILE"):
            return Choice(name, Firmness.ENVIRONMENT, "MQCTL_PROFILE")
        if name := self._used():
            return Choice(name, Firmness.USED, "profile use")
        return Choice(LOCAL, Firmness.DEFAULT, "default")

    @property
    def used_file(self) -> Path:
        """Where `profile use` writes its choice: a name, or the path of a file outside the user's own profiles."""
        return self.config_dir() / "profile"

    def _used(self) -> str | None:
        try:
            return self.used_file.read_text("utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {self.used_file}: {error}") from None

    def find(self, name: str, *, firmness: Firmness = Firmness.FLAG) -> Found:
        """A profile by its path or name.

        A choice made elsewhere, by `profile use`, is not redirected by a file in the working directory.

        Raises:
            ConfigError: There is none.
        """
        if is_path(name):
            path = Path(os.path.normpath(self.cwd / os.path.expanduser(name)))  # noqa: PTH111 - no error for `~nobody`
            if not _is_file(path):
                _refuse_address(name)
                raise ConfigError(f"no profile at {path}")
            return Found(path.stem, path, Place.PATH)
        places = [at for at in self.places() if firmness is not Firmness.USED or at[0] is not Place.PROJECT]
        return _first(places, name) or self._unknown(name)

    def all(self) -> Iterator[Found]:
        """Every profile in the order of search, shadowed ones too."""
        for place, directory in self.places():
            for path in sorted(directory.glob("*" + SUFFIX), key=lambda path: path.stem):
                if _is_file(path):
                    yield Found(path.stem, path, place)

    def chain(self, found: Found, *, firmness: Firmness = Firmness.FLAG) -> tuple[Profile, ...]:
        """Read a profile and its parents, nearest first.

        Raises:
            ConfigError: One of them is wrong, is missing, or extends itself in the end.
        """
        at, trust, chain = found, _trust(found.place, firmness), []
        seen = [found]
        while True:
            chain.append(check_profile(read_document(at.path), name=at.name, path=str(at.path), trust=trust))
            parent = chain[-1].extends
            if parent is None:
                return tuple(chain)
            at = self.parent(at, parent)
            # A parent is trusted no more than who names it: the child decides where the parent's password goes.
            trust = min(trust, _trust(at.place, firmness))
            seen.append(at)
            if at in seen[:-1]:
                raise ConfigError(f"profiles extend each other: {' -> '.join(each.name for each in seen)}")

    def load(self, flags: Mapping[str, Any], *, warn: Warn) -> Settings:
        """Choose a profile, read it and merge; see `load_settings`."""
        choice = self.choice(flags.get("profile"))
        try:
            chain = self.chain(self._chosen(choice), firmness=choice.firmness)
        except ConfigError as error:
            if choice.firmness is Firmness.USED and error.hint is None:
                error.hint = _WAYS_OUT[choice.firmness]
            raise
        return self._merged(chain, flags, firmness=choice.firmness, environ=self.environ, warn=warn)

    def _chosen(self, choice: Choice) -> Found:
        try:
            return self.find(choice.profile, firmness=choice.firmness)
        except ConfigError as error:
            # Nobody typed that name, so it is said where it comes from.
            error.hint = _WAYS_OUT.get(choice.firmness, error.hint)
            raise

    def settings(self, found: Found, *, firmness: Firmness, warn: Warn) -> Settings:
        """A profile by itself, without flags and `MQCTL_*` variables; its references see all variables."""
        return self._merged(self.chain(found, firmness=firmness), {}, firmness=firmness, environ={}, warn=warn)

    def _merged(
        self,
        chain: tuple[Profile, ...],
        flags: Mapping[str, Any],
        *,
        firmness: Firmness,
        environ: Mapping[str, str],
        warn: Warn,
    ) -> Settings:
        def read_secret(reference: secrets.Reference, base: str, what: str) -> Secret:
            led_to = secrets.follow(reference, environ=self.environ, base=base, what=what, ask_aws=self.ask_aws)
            if led_to.warning:
                warn(led_to.warning)
            return led_to.secret

        return resolve(
            flags=flags,
            environ=environ,
            profiles=chain,
            firmness=firmness,
            read_secret=read_secret,
            cwd=str(self.cwd),
        )

    def parent(self, child: Found, name: str) -> Found:
        """The profile that `extends = name` means in `child`.

        It lies where the child lies or further on, so that no nearer file can slip in between. The child's own name
        means the one that the child hides.

        Raises:
            ConfigError: There is none.
        """
        places = list(self.places())
        if child.place is Place.PATH:
            beside = (Place.PATH, child.path.parent)
            places = [beside, *(at for at in places if at[0] is not Place.PROJECT)]
        else:
            places = places[[place for place, _ in places].index(child.place) :]
        return _first(places[name == child.name :], name) or self._unknown(name, f"{child.path}: extends: ")

    def _unknown(self, name: str, where: str = "") -> NoReturn:
        _refuse_address(name)
        known = sorted({found.name for found in self.all()})
        raise ConfigError(
            f"{where}no profile {name!r}; {did_you_mean(name, known)}", hint="mqctl profile list shows all"
        )


def load_settings(
    flags: Mapping[str, Any],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    warn: Warn,
    ask_aws: secrets.AskAws | None = None,
) -> Settings:
    """What every command asks: all settings, by the precedence flag, environment, profile, its parent, default.

    Args:
        flags: What was typed, by `Setting.name` (`schema.SETTINGS`), and as `profile` what `--profile` says: a name,
            or a path with a slash or `.toml` in it. None means not given.
        environ: The environment variables.
        cwd: The working directory.
        warn: Takes a sentence for the user about a secret that is kept badly, when `Settings.target` finds one.
        ask_aws: Follows references to AWS Secrets Manager, as `mqctl.aws.ask_secrets_manager` does.

    Raises:
        ConfigError: A profile, a flag or a variable is wrong.
    """
    return Store(environ, cwd, ask_aws=ask_aws).load(flags, warn=warn)


def is_path(profile: str) -> bool:
    """Whether `--profile` names a file and not a profile."""
    return bool(os.path.dirname(profile)) or profile.endswith(SUFFIX)  # noqa: PTH120 - pathlib forgets the ./


def shipped_dir() -> Path:
    """The profiles that come with mqctl: inside the installed package, beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent.parent / "profiles"


def _refuse_address(name: str) -> None:
    """An address in place of a name may hold a password, so it is not repeated."""
    if "://" in name or "@" in name.partition(":")[2]:
        raise ConfigError("a profile has a name or a file, and this is an address", hint="--url takes an address")


def read_document(path: Path) -> dict[str, object]:
    """A profile's file as TOML.

    Raises:
        ConfigError: It cannot be read, is too large, or is no TOML.
    """
    import tomllib  # noqa: PLC0415 - a command that needs no profile does not pay for it

    try:
        with path.open("rb") as file:
            data = file.read(PROFILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > PROFILE_BYTES_MAX:
        raise ConfigError(f"{path} is larger than a profile can be ({PROFILE_BYTES_MAX} bytes)")
    try:
        # Editors of Windows begin a file with a mark of its encoding.
        return tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply for a profile") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None


def _first(places: Iterable[tuple[Place, Path]], name: str) -> Found | None:
    candidates = (Found(name, directory / (name + SUFFIX), place) for place, directory in places)
    return next((found for found in candidates if _is_file(found.path)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a directory that is closed to us, or a name that is too long
        raise ConfigError(f"cannot look for {path}: {error.strerror}") from None


def _trust(place: Place, firmness: Firmness) -> Trust:
    if place is not Place.PROJECT:
        return Trust.FULL
    return Trust.NO_COMMANDS if firmness is Firmness.FLAG else Trust.NO_SECRETS
