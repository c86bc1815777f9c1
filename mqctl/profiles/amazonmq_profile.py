"""From the answer of Amazon MQ's DescribeBroker to a profile. Pure; `mqctl.aws` asks for the answer."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mqctl.errors import ConfigError
from mqctl.profiles.amazonmq import BROKER_ID, find_host, other_engine
from mqctl.target import parse_url

TRY_NEXT_AFTER: Final = "5s"
"""How long one endpoint of a pair may take before the other is tried."""


class Way(enum.StrEnum):
    """Over what to reach a broker."""

    STOMP = "stomp"
    MQTT = "mqtt"
    STOMP_WS = "stomp-ws"
    MQTT_WS = "mqtt-ws"


_SCHEMES: Final = {
    Way.STOMP: ("stomp+ssl", "stomp+ssl"),
    Way.MQTT: ("mqtt+ssl", "mqtt+ssl"),
    Way.STOMP_WS: ("wss", "stomp+wss"),
    Way.MQTT_WS: ("wss", "mqtt+wss"),
}
"""The scheme of the endpoint in the answer, and in the profile."""

_MODES: Final = {
    "SINGLE_INSTANCE": "a single instance",
    "ACTIVE_STANDBY_MULTI_AZ": "an active/standby pair",
    "CLUSTER_MULTI_AZ": "a cluster",
}

RUNNING: Final = "RUNNING"
_STATES: Final = {
    "CREATION_IN_PROGRESS": "it is being made and answers nobody yet",
    "CREATION_FAILED": "it could not be made and will never answer; its page in the console says why",
    "DELETION_IN_PROGRESS": "it is being deleted and will not come back",
    "REBOOT_IN_PROGRESS": "it is rebooting and answers again in a few minutes",
    "CRITICAL_ACTION_REQUIRED": "Amazon MQ waits for you to mend it, and it may not answer before that",
    "REPLICA": "it copies a broker of another region; use that one, or promote this",
}


class BrokerName(NamedTuple):
    """What somebody calls a broker: its id, or the name that he gave it; the region where what he wrote tells it."""

    id: str | None
    name: str
    region: str | None = None


class Broker(NamedTuple):
    """What DescribeBroker says, as far as it matters to a client. `endpoints` are URLs, `actions` what it waits for."""

    id: str
    name: str
    engine: str
    version: str
    mode: str
    state: str
    public: bool
    endpoints: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


def parse_name(text: str) -> BrokerName:
    """Read an id, an ARN, a name, or one of a broker's URLs.

    Raises:
        ConfigError: It is the ARN of something else.
    """
    text = text.strip()
    if text.startswith("arn:"):
        parts = text.split(":")
        if len(parts) != len(["arn", "aws", "mq", "region", "account", "broker", "name", "id"]) or parts[2] != "mq":
            raise ConfigError(f"not the ARN of a broker: {text}", hint="arn:aws:mq:REGION:ACCOUNT:broker:NAME:b-…")
        return BrokerName(parts[7], parts[6], parts[3])
    if host := find_host(text):
        return BrokerName(host.broker_id, host.broker_id, host.region)
    return BrokerName(text if re.fullmatch(BROKER_ID, text) else None, text)


def read_broker(answer: Mapping[str, Any]) -> Broker:
    """The answer of DescribeBroker, of which every member may be missing."""
    instances = answer.get("BrokerInstances", ())
    return Broker(
        id=answer.get("BrokerId", ""),
        name=answer.get("BrokerName", ""),
        engine=answer.get("EngineType", "").upper(),
        version=answer.get("EngineVersion", ""),
        mode=answer.get("DeploymentMode", ""),
        state=answer.get("BrokerState", RUNNING),
        public=answer.get("PubliclyAccessible", True),
        endpoints=tuple(sorted(url for instance in instances for url in instance.get("Endpoints", ()))),
        users=tuple(user["Username"] for user in answer.get("Users", ()) if "Username" in user),
        security_groups=tuple(answer.get("SecurityGroups", ())),
        actions=tuple(
            ": ".join(filter(None, (each.get("ActionRequiredCode"), each.get("ActionRequiredInfo"))))
            for each in answer.get("ActionsRequired", ())
        ),
    )


def profile_of(broker: Broker, way: Way) -> dict[str, str | None]:
    """What a profile of this broker says, by dotted key.

    Raises:
        UnsupportedError: It is of the RabbitMQ engine.
        ConfigError: It has no endpoint of that kind.
    """
    if broker.engine == "RABBITMQ":
        raise other_engine(broker.name)
    endpoints = endpoints_of(broker, way)
    if not endpoints:
        raise ConfigError(
            f"{broker.name} has no endpoint for {way}",
            hint=_STATES.get(broker.state, "Amazon MQ shows its endpoints on the page of the broker"),
        )
    pair = len(endpoints) > 1
    how = ", active/standby" if pair else ""
    return {
        "description": f"Amazon MQ, broker {broker.name}, ActiveMQ {broker.version}{how}",
        "url": ",".join(endpoints),
        "dialect": "classic",
        "options.connect-timeout": TRY_NEXT_AFTER if pair else None,
    }


def endpoints_of(broker: Broker, way: Way) -> list[str]:
    """The URLs for one way, of both halves of a pair, in our spelling."""
    theirs, ours = _SCHEMES[way]
    return [ours + url.removeprefix(theirs) for url in broker.endpoints if url.startswith(f"{theirs}://")]


def summary(broker: Broker) -> str:
    """A broker in one line."""
    mode = _MODES.get(broker.mode, broker.mode)
    return f"{broker.name} ({broker.id}) is ActiveMQ {broker.version} at Amazon MQ, {mode}, {broker.state}"


def warnings(broker: Broker) -> Iterator[str]:
    """Why it may not answer now."""
    if broker.state != RUNNING:
        yield f"{broker.name} is {broker.state}: {_STATES.get(broker.state, 'it may not answer')}"
    yield from (f"{broker.name} needs an action: {action}" for action in broker.actions)


def notes(broker: Broker, way: Way, *, user: str | None) -> Iterator[str]:
    """What is good to know, and who may log in if no `user` was named."""
    if not broker.public:
        ports = sorted({endpoint.port for endpoint in parse_url(",".join(endpoints_of(broker, way))).endpoints})
        groups = f" ({', '.join(broker.security_groups)})" if broker.security_groups else ""
        yield (
            f"{broker.name} is not public: it answers only inside its VPC, or through a VPN into it, and its security "
            f"group{groups} must let port {', '.join(map(str, ports))} in"
        )
    if not user and broker.users:
        yield f"no user was named; those of the broker: {', '.join(broker.users)}"
