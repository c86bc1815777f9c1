"""What botocore raises, each failure as a sentence with the next step and the exit code that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from mqctl.errors import ConfigError, ConnectError, MqctlError, ProtocolError, RefusedError, TlsError


class Meaning(NamedTuple):
    """The error that we raise, its sentence and its hint. `{said}` in the sentence is what botocore or AWS says."""

    error: type[MqctlError]
    sentence: str
    hint: str | None = None

    def made(self, said: object) -> MqctlError:
        """The error itself."""
        return self.error(self.sentence.format(said=said), hint=self.hint)


_NO_LOGIN: Final = Meaning(
    ConfigError,
    "AWS wants to know who asks, and found no credentials",
    "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run aws configure",
)
_LOGIN_OVER: Final = Meaning(ConfigError, "the login at AWS is over or was never made: {said}", "run aws sso login")
_NO_ANSWER: Final = Meaning(
    ConnectError, "AWS does not answer: {said}", "check the region, the network and the proxy (HTTPS_PROXY)"
)

OF_BOTOCORE: Final = {
    "NoCredentialsError": _NO_LOGIN,
    "PartialCredentialsError": Meaning(ConfigError, "{said}", "give both halves of the key, or use AWS_PROFILE"),
    "CredentialRetrievalError": Meaning(
        ConfigError,
        "the credentials for AWS could not be fetched: {said}",
        "run what the section of ~/.aws/config names (credential_process), or log in: aws sso login",
    ),
    "EOFError": Meaning(
        ConfigError,
        "AWS wants a code of the second factor (mfa_serial), and there is no terminal to ask for it",
        "run it in a terminal, or export the credentials: aws configure export-credentials --format env",
    ),
    "OSError": Meaning(
        ConfigError, "what the settings of AWS name is not there: {said}", "look into ~/.aws/config, and at AWS_…"
    ),
    "SSOError": _LOGIN_OVER,
    "TokenRetrievalError": _LOGIN_OVER,
    "NoAuthTokenError": _LOGIN_OVER,
    "LoginError": _LOGIN_OVER,
    "ProfileNotFound": Meaning(
        ConfigError, "{said} of AWS", "aws configure list-profiles shows all; see --aws-profile"
    ),
    "InvalidRegionError": Meaning(ConfigError, "{said}", "a region looks like eu-west-1"),
    "SSLError": Meaning(
        TlsError, "the certificate of AWS is not trusted: {said}", "behind an inspecting proxy, set AWS_CA_BUNDLE"
    ),
    "ConnectionError": _NO_ANSWER,
    "HTTPClientError": _NO_ANSWER,
    "ResponseParserError": Meaning(
        ProtocolError, "what answers is not AWS: {said}", "check the proxy (HTTPS_PROXY) and AWS_ENDPOINT_URL"
    ),
}
"""By the name of botocore's exception or of the first of its bases that is here."""

_OTHER: Final = Meaning(ConfigError, "botocore cannot ask AWS: {said}")

_DENIED: Final = Meaning(RefusedError, "AWS does not allow it: {said}")
_BAD_KEY: Final = Meaning(
    RefusedError,
    "AWS does not accept the credentials: {said}",
    "aws sts get-caller-identity shows who you are to AWS; a region may have to be switched on for the account first",
)
_BAD_SIGNATURE: Final = Meaning(
    RefusedError,
    "AWS does not accept the signature: {said}",
    "compare the secret access key, and this machine's clock",
)
_EXPIRED: Final = Meaning(
    RefusedError,
    "the credentials for AWS have expired: {said}",
    "renew them (aws sso login), or check this machine's clock",
)
_TOO_MANY: Final = Meaning(
    RefusedError, "AWS answers too many requests of this account: {said}", "try again in a minute"
)
_THEIR_FAULT: Final = Meaning(ConnectError, "AWS has trouble of its own: {said}", "try again later")

OF_AWS: Final = {
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "ForbiddenException", "UnauthorizedException"), _DENIED),
    **dict.fromkeys(
        (
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "InvalidAccessKeyId",
            "AuthFailure",
            "IncompleteSignature",
        ),
        _BAD_KEY,
    ),
    "MissingAuthenticationToken": _BAD_KEY,
    **dict.fromkeys(("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed"), _BAD_SIGNATURE),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), _EXPIRED),
    **dict.fromkeys(
        ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"), _TOO_MANY
    ),
    **dict.fromkeys(("InternalServerErrorException", "InternalServiceError", "ServiceUnavailable"), _THEIR_FAULT),
}
"""By the code in the answer of AWS. What a service adds of its own is said where it is asked."""


@contextmanager
def explained(own: Mapping[str, Meaning]) -> Iterator[None]:
    """Turn what botocore raises inside into errors of mqctl.

    Args:
        own: What the codes mean that the service asked has for itself, before those that all services share.

    Raises:
        MqctlError: See the tables.
    """
    try:
        yield
    except Exception as error:
        # A bad AWS_ENDPOINT_URL makes botocore raise a plain ValueError; a program or a file that ~/.aws/config names
        # and that is not there, an OSError; a code to type where there is no keyboard, an EOFError.
        plain = isinstance(error, ValueError | OSError | EOFError)
        if not plain and not type(error).__module__.startswith("botocore"):
            raise
        raise _translated(error, own) from error


def _translated(error: Exception, own: Mapping[str, Meaning]) -> MqctlError:
    if (answer := getattr(error, "response", None)) is not None:
        return _refusal(answer, own)
    names = [kind.__name__ for kind in type(error).__mro__]
    return next((OF_BOTOCORE[name] for name in names if name in OF_BOTOCORE), _OTHER).made(error)


def _refusal(answer: Mapping[str, Any], own: Mapping[str, Meaning]) -> MqctlError:
    said = answer.get("Error", {})
    code = said.get("Code", "")
    meaning = own.get(code) or OF_AWS.get(code) or _by_status(answer)
    return meaning.made(said.get("Message") or code or "no reason given")


def _by_status(answer: Mapping[str, Any]) -> Meaning:
    """A code that nobody knows, which a server or a proxy between may have made up."""
    match answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0):
        case 401 | 403:
            return _DENIED
        case 429:
            return _TOO_MANY
        case status if status >= 500:
            return _THEIR_FAULT
        case _:
            return Meaning(RefusedError, "AWS refuses: {said}")
