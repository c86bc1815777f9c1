"""References to AWS Secrets Manager: `aws-secret:NAME[#key]`. Pure; `mqctl.aws` asks for the secret itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mqctl.errors import SecretError
from mqctl.target import Secret

PREFIX = "aws-secret:"


class SecretName(NamedTuple):
    """Which secret, and which member of it where it is JSON. `id` is a name or an ARN; only an ARN tells the region."""

    id: str
    key: str | None = None

    @property
    def region(self) -> str | None:
        """The region in an ARN."""
        return self.id.split(":")[3] if self.id.count(":") >= 6 and self.id.startswith("arn:") else None

    def __str__(self) -> str:
        return PREFIX + self.id + (f"#{self.key}" if self.key else "")


def parse_name(text: str) -> SecretName:
    """Read what follows `aws-secret:`; no name of a secret has a `#`."""
    name, _, key = text.partition("#")
    return SecretName(name.strip(), key or None)


def text_of(answer: Mapping[str, Any], name: SecretName, what: str) -> Secret:
    """The password in the answer of GetSecretValue.

    Args:
        answer: `SecretString` or `SecretBinary`.
        name: What was asked for.
        what: Names the secret in messages.

    Raises:
        SecretError: It is empty, no text, or JSON without the member asked for. No message has anything of a value.
    """
    text = answer.get("SecretString")
    if text is None:
        text = _decoded(answer.get("SecretBinary", b""), name, what)
    members = _members(text)
    if name.key is not None:
        return _member(members, name, what)
    if members is not None:
        raise SecretError(f"{what}: {name} is a JSON object, not a password", hint=_which(members, name))
    if not (line := text.partition("\n")[0].rstrip("\r")):
        raise SecretError(f"{what}: the first line of {name} is empty")
    return Secret(line)


def _decoded(data: bytes, name: SecretName, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        # `from None`: the decoder's error quotes the bytes.
        raise SecretError(f"{what}: {name} is binary, not UTF-8 text") from None


def _members(text: str) -> dict[str, object] | None:
    """The members of a JSON object; None where the text is none."""
    import json  # noqa: PLC0415 - only who keeps secrets there pays for it

    try:
        read = json.loads(text)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _member(members: dict[str, object] | None, name: SecretName, what: str) -> Secret:
    if members is None:
        raise SecretError(
            f"{what}: {name} has no members, because the secret is no JSON object", hint=f"use {PREFIX}{name.id}"
        )
    value = members.get(str(name.key))
    if value is None:
        raise SecretError(f"{what}: {PREFIX}{name.id} has no member {name.key!r}", hint=f"it has {', '.join(members)}")
    if not isinstance(value, str) or not value:
        raise SecretError(f"{what}: {name} is no text, or is empty", hint="a password of digits needs quotes there too")
    return Secret(value)


def _which(members: dict[str, object], name: SecretName) -> str:
    if "password" in members:
        return f"name the member: {PREFIX}{name.id}#password"
    return f"name the member after a '#'; it has {', '.join(members)}"
