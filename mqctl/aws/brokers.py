"""Asks Amazon MQ for a broker: DescribeBroker, and ListBrokers where only its name is known."""

from __future__ import annotations

from typing import Any

from mqctl.aws.errors import Meaning, explained
from mqctl.aws.session import client
from mqctl.errors import ConfigError, RefusedError
from mqctl.profiles.amazonmq_profile import Broker, BrokerName, read_broker
from mqctl.profiles.readers import did_you_mean

_LOOK_ELSEWHERE = "check the region (--region) and the account (--aws-profile); aws mq list-brokers shows all"
_OWN = {
    "NotFoundException": Meaning(ConfigError, "no such broker: {said}", _LOOK_ELSEWHERE),
    "BadRequestException": Meaning(ConfigError, "Amazon MQ does not understand the name of the broker: {said}"),
    "ForbiddenException": Meaning(
        RefusedError,
        "AWS does not allow it: {said}",
        "the policy must allow mq:DescribeBroker, and mq:ListBrokers for names",
    ),
}
_OWN["AccessDeniedException"] = _OWN["ForbiddenException"]


def describe(name: BrokerName, *, region: str | None = None, aws_profile: str | None = None) -> Broker:
    """What Amazon MQ knows of a broker.

    Args:
        name: The broker; a region in it comes before `region`.
        region: The region to look in; None leaves it to the environment.
        aws_profile: The section of ~/.aws/config; None leaves it to the environment.

    Raises:
        PluginError: botocore is not installed.
        ConfigError: There is no such broker, or AWS cannot be asked as things are set.
        RefusedError: AWS does not allow it.
        ConnectError: AWS does not answer.
    """
    with explained(_OWN):
        mq = client("mq", region=name.region or region, profile=aws_profile)
        answer = mq.describe_broker(BrokerId=name.id or _id_of(mq, name.name))
    return read_broker(answer)


def _id_of(mq: Any, name: str) -> str:
    ids: dict[str, str] = {}
    for page in mq.get_paginator("list_brokers").paginate():
        for each in page.get("BrokerSummaries", ()):
            ids[each.get("BrokerName", "")] = each.get("BrokerId", "")
    if name not in ids:
        where = mq.meta.region_name
        known = did_you_mean(name, ids) if ids else "there is none at all"
        raise ConfigError(f"no broker {name!r} in {where}; {known}", hint=_LOOK_ELSEWHERE)
    return ids[name]
