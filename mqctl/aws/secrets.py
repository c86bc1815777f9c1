"""Asks AWS Secrets Manager for a password: GetSecretValue."""

from __future__ import annotations

import logging

from mqctl.aws.errors import Meaning, explained
from mqctl.aws.session import client
from mqctl.errors import RefusedError, SecretError
from mqctl.profiles.aws_secret import SecretName, parse_name, text_of
from mqctl.target import Secret


def fetch(reference: str, what: str) -> Secret:
    """The password that `aws-secret:REFERENCE` leads to.

    Args:
        reference: `NAME` or `NAME#member`; the name may be an ARN, whose region counts.
        what: Names the secret in messages.

    Raises:
        PluginError: botocore is not installed.
        SecretError: There is no such secret, or no password in it.
        ConfigError: AWS cannot be asked as things are set.
        RefusedError: AWS does not allow it.
        ConnectError: AWS does not answer.
    """
    name = parse_name(reference)
    # At DEBUG it logs whole answers, here the password, whoever has switched that on.
    logging.getLogger("botocore.parsers").setLevel(logging.INFO)
    with explained(_own(name, what)):
        answer = client("secretsmanager", region=name.region).get_secret_value(SecretId=name.id)
    return text_of(answer, name, what)


def _own(name: SecretName, what: str) -> dict[str, Meaning]:
    """What Secrets Manager's own codes mean. Braces in a name of ours are no place for what AWS says."""
    lead = f"{what}: {name}".replace("{", "{{").replace("}", "}}")
    denied = Meaning(
        RefusedError,
        f"{lead}: AWS does not allow it: {{said}}",
        "the policy must allow secretsmanager:GetSecretValue, and kms:Decrypt where the secret has a key of its own",
    )
    return {
        "ResourceNotFoundException": Meaning(
            SecretError,
            f"{lead}: no such secret: {{said}}",
            "check its name and region: AWS_REGION, or name it by its ARN",
        ),
        "InvalidRequestException": Meaning(
            SecretError,
            f"{lead} cannot be read now: {{said}}",
            "one that was deleted can be had back for some days: aws secretsmanager restore-secret",
        ),
        "InvalidParameterException": Meaning(SecretError, f"{lead} is no name of a secret: {{said}}"),
        "ValidationException": Meaning(SecretError, f"{lead} is no name of a secret: {{said}}"),
        "AccessDeniedException": denied,
        "DecryptionFailure": denied,
    }
