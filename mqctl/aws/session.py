"""A client of one AWS service, found the way AWS' own tools find theirs: environment, ~/.aws, the machine's role."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from mqctl.errors import ConfigError, PluginError

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 10
ATTEMPTS = 3
"""Of one request, with growing pauses; botocore repeats what was throttled or failed on their side."""

_REGION = ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)
"""botocore by itself knows only the second variable; AWS' other tools prefer the first."""


def client(service: str, *, region: str | None = None, profile: str | None = None) -> Any:
    """A client of a service.

    Args:
        service: As botocore names it, such as `mq`.
        region: Where; None leaves it to the environment and ~/.aws/config.
        profile: Which section of ~/.aws/config; None leaves it to AWS_PROFILE.

    Raises:
        PluginError: botocore is not installed.
        ConfigError: No region is known.
        BotoCoreError, ValueError: botocore cannot make one; `mqctl.aws.errors.explained` says why.
    """
    session = _botocore("botocore.session").Session(session_vars={"region": _REGION}, profile=profile)
    where = region or session.get_config_variable("region")
    if not where:
        raise ConfigError(
            "nobody said in which region of AWS to look",
            hint="use --region, AWS_REGION, or the ARN of what you look for",
        )
    settings = _botocore("botocore.config").Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return session.create_client(service, region_name=where, config=settings)


def _botocore(module: str) -> ModuleType:
    from importlib import import_module  # noqa: PLC0415

    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise PluginError("what asks AWS is not installed: botocore", hint="pip install 'mqctl[aws]'") from error
