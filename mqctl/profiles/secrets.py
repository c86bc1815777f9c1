"""Passwords by reference: what a reference looks like, and following it. Nothing here ever shows the text it finds."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, assert_never

from mqctl.errors import SecretError
from mqctl.target import Secret

COMMAND_TIMEOUT_S = 10.0
"""A password manager that asks the user something takes seconds; one that hangs must not hang us."""

SECRET_BYTES_MAX = 64 * 1024
"""No password is longer; a reference that leads to a disk image is a mistake."""

HOW_TO_REFER = (
    'write "env:NAME" (an environment variable), "file:PATH" (its first line), "command:PROGRAM ARGUMENTS" '
    '(the first line that it prints), "aws-secret:NAME#KEY" (AWS Secrets Manager) or "prompt" (ask me)'
)


class SecretKind(enum.StrEnum):
    """Where a secret lives."""

    ENV = "env"
    FILE = "file"
    COMMAND = "command"
    AWS_SECRET = "aws-secret"  # noqa: S105 - not a secret, but where one is
    PROMPT = "prompt"


ACTING: Final = frozenset({SecretKind.COMMAND, SecretKind.AWS_SECRET})
"""Kinds that do something in the user's name to get at the secret, beyond reading what lies there."""


class Reference(NamedTuple):
    """Leads to a secret. `rest` is the variable's name, the path, the command line or the name at AWS, if any."""

    kind: SecretKind
    rest: str = ""

    def __str__(self) -> str:
        """For people; of a command its program only, because arguments may hold tokens."""
        match self.kind:
            case SecretKind.PROMPT:
                return "prompt"
            case SecretKind.COMMAND:
                program, _, arguments = self.rest.strip().partition(" ")
                return f"command:{program}{' …' if arguments else ''}"
            case _:
                return f"{self.kind}:{self.rest}"

    def __repr__(self) -> str:
        return str(self)


class Found(NamedTuple):
    """A secret, and what is wrong with the way it is kept, if anything."""

    secret: Secret
    warning: str | None = None


AskAws = Callable[[str, str], Secret]
"""Asks AWS Secrets Manager: (what follows `aws-secret:`, what it is for)."""


def parse_reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        ValueError: It is none; the message does not repeat it, because it may be a password.
    """
    if text == SecretKind.PROMPT:
        return Reference(SecretKind.PROMPT)
    kind, colon, rest = text.partition(":")
    if not colon or kind not in (*SecretKind,) or kind == SecretKind.PROMPT:
        raise ValueError(f"a password is not written here; {HOW_TO_REFER}")
    if not rest.strip() or (kind == SecretKind.AWS_SECRET and rest.strip().startswith("#")):
        raise ValueError(f"nothing follows {kind + ':'!r}")
    if kind == SecretKind.AWS_SECRET and rest.rstrip().endswith("#"):
        raise ValueError("nothing follows the '#', where the member of the secret is named")
    return Reference(SecretKind(kind), rest)


def follow(
    reference: Reference, *, environ: Mapping[str, str], base: str, what: str, ask_aws: AskAws | None = None
) -> Found:
    """Fetch a secret.

    Args:
        reference: Where it is.
        environ: The environment variables.
        base: The directory that a relative path starts from.
        what: Names the secret in messages and in the prompt, such as `password for alice`.
        ask_aws: Asks AWS, which nothing on this layer can do; None where nobody does.

    Raises:
        SecretError: The reference leads nowhere.
        MqctlError: As `ask_aws`.
    """
    match reference.kind:
        case SecretKind.ENV:
            return Found(_from_env(reference.rest, environ, what))
        case SecretKind.FILE:
            return _from_file(os.path.join(base, os.path.expanduser(reference.rest)), what)  # noqa: PTH111, PTH118 - pathlib is slow to import
        case SecretKind.COMMAND:
            return Found(_from_command(reference, base, what))
        case SecretKind.AWS_SECRET:
            if ask_aws is None:
                raise SecretError(f"{what}: nobody here asks AWS for {reference}")
            return Found(ask_aws(reference.rest, what))
        case SecretKind.PROMPT:
            return Found(_from_prompt(what))
        case _:
            assert_never(reference.kind)


def _from_env(name: str, environ: Mapping[str, str], what: str) -> Secret:
    text = environ.get(name)
    if not text:
        raise SecretError(f"{what}: the environment variable {name} is not set", hint=f"export {name}=…")
    return Secret(text)


def _from_file(path: str, what: str) -> Found:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            mode = os.fstat(file.fileno()).st_mode
            secret = _first_line(file.read(SECRET_BYTES_MAX), what, path)
    except OSError as error:
        raise SecretError(f"{what}: cannot read {path}: {error.strerror}") from None
    # Elsewhere these bits say nothing of who can read it.
    open_to_others = os.name == "posix" and mode & 0o077
    warning = f"{path} holds a password and others can read it; chmod 600 {path}" if open_to_others else None
    return Found(secret, warning)


def _from_command(reference: Reference, base: str, what: str) -> Secret:
    import shlex  # noqa: PLC0415 - only who uses a command pays for it
    import subprocess  # noqa: PLC0415

    try:
        words = shlex.split(reference.rest)
    except ValueError as error:
        raise SecretError(f"{what}: {reference} cannot be split into words: {error}") from None
    try:
        # The user's own command from the user's own file, without a shell; its stderr goes to the user.
        done = subprocess.run(  # noqa: S603
            words, cwd=base, stdin=None, stdout=subprocess.PIPE, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise SecretError(f"{what}: {reference} did not end within {COMMAND_TIMEOUT_S:g} s") from None
    except OSError as error:
        raise SecretError(f"{what}: cannot run {reference}: {error.strerror}") from None
    if done.returncode:
        raise SecretError(f"{what}: {reference} ended with {done.returncode}")
    return _first_line(done.stdout, what, str(reference))


def _from_prompt(what: str) -> Secret:
    import getpass  # noqa: PLC0415
    import sys  # noqa: PLC0415

    if not sys.stdin.isatty():
        raise SecretError(
            f"{what}: there is no terminal to ask for it", hint='refer to it as "env:NAME" or "file:PATH" in scripts'
        )
    try:
        return Secret(getpass.getpass(f"{what}: "))
    except EOFError:
        raise SecretError(f"{what}: nothing was entered") from None


def _first_line(data: bytes, what: str, where: str) -> Secret:
    try:
        text = data.decode().partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        # `from None`: the decoder's error quotes the bytes.
        raise SecretError(f"{what}: {where} is not UTF-8 text") from None
    if not text:
        raise SecretError(f"{what}: the first line of {where} is empty")
    return Secret(text)
