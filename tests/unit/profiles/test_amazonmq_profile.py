"""From Amazon MQ's answer to a profile."""

from __future__ import annotations

import pytest

from mqctl.errors import ConfigError, UnsupportedError
from mqctl.profiles.amazonmq_profile import (
    Broker,
    BrokerName,
    Way,
    endpoints_of,
    notes,
    parse_name,
    profile_of,
    read_broker,
    summary,
    warnings,
)

ID = "b-4aada85d-a80c-4be0-9d30-e344a01b921e"
PAIR = Broker(
    id=ID,
    name="orders",
    engine="ACTIVEMQ",
    version="5.18",
    mode="ACTIVE_STANDBY_MULTI_AZ",
    state="RUNNING",
    public=True,
    endpoints=("ssl://a:1", "stomp+ssl://a:2", "stomp+ssl://b:2", "wss://a:3", "wss://b:3"),
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (ID, BrokerName(ID, ID)),
        ("orders", BrokerName(None, "orders")),
        ("b-orders", BrokerName(None, "b-orders")),
        (f"arn:aws:mq:us-east-2:123456789012:broker:orders:{ID}", BrokerName(ID, "orders", "us-east-2")),
        (f"stomp+ssl://{ID}-2.mq.eu-west-1.on.aws:61614", BrokerName(ID, ID, "eu-west-1")),
    ],
)
def test_names(text, name):
    """An id, a name, an ARN, a URL; the last two know their region."""
    assert parse_name(text) == name


@pytest.mark.parametrize("text", ["arn:aws:sqs:eu-west-1:1:q", f"arn:aws:sns:r:1:broker:orders:{ID}"])
def test_other_arns(text):
    """The ARN of something else is refused with the shape of the right one."""
    with pytest.raises(ConfigError, match="not the ARN of a broker") as refused:
        parse_name(text)
    assert "broker:NAME" in str(refused.value.hint)


def test_an_empty_answer():
    """AWS promises no member; what is missing is taken for a broker that runs and is public."""
    assert read_broker({}) == Broker("", "", "", "", "", "RUNNING", True)
    sparse = read_broker({"BrokerInstances": [{}], "Users": [{}], "ActionsRequired": [{"ActionRequiredCode": "X"}]})
    assert (sparse.endpoints, sparse.users, sparse.actions) == ((), (), ("X",))


def test_ways():
    """Each way takes its endpoints, of both halves, and spells them as mqctl does."""
    assert endpoints_of(PAIR, Way.STOMP) == ["stomp+ssl://a:2", "stomp+ssl://b:2"]
    assert endpoints_of(PAIR, Way.MQTT_WS) == ["mqtt+wss://a:3", "mqtt+wss://b:3"]
    with pytest.raises(ConfigError, match="orders has no endpoint for mqtt") as refused:
        profile_of(PAIR, Way.MQTT)
    assert "page of the broker" in str(refused.value.hint)


def test_profile():
    """A pair gets a short time for each endpoint; one endpoint has all the time there is."""
    assert profile_of(PAIR, Way.STOMP)["options.connect-timeout"] == "5s"
    single = PAIR._replace(endpoints=PAIR.endpoints[:2], mode="SINGLE_INSTANCE")
    assert profile_of(single, Way.STOMP) == {
        "description": "Amazon MQ, broker orders, ActiveMQ 5.18",
        "url": "stomp+ssl://a:2",
        "dialect": "classic",
        "options.connect-timeout": None,
    }
    assert "a single instance" in summary(single)


def test_rabbitmq():
    """The other engine is refused whatever it lists."""
    with pytest.raises(UnsupportedError, match="AMQP only"):
        profile_of(PAIR._replace(engine="RABBITMQ"), Way.STOMP)


def test_warnings():
    """A state that we have never heard of is told too."""
    assert list(warnings(PAIR)) == []
    assert list(warnings(PAIR._replace(state="ODD", actions=("X: y",)))) == [
        "orders is ODD: it may not answer",
        "orders needs an action: X: y",
    ]


def test_notes():
    """A broker in a VPC, with and without its security groups; who may log in where nobody was named."""
    hidden = PAIR._replace(public=False, users=("alice",))
    assert list(notes(PAIR, Way.STOMP, user=None)) == []
    (vpc,) = notes(hidden, Way.STOMP, user="bob")
    assert "its security group must let port 2 in" in vpc
    vpc, who = notes(hidden._replace(security_groups=("sg-1", "sg-2")), Way.STOMP, user=None)
    assert "(sg-1, sg-2) must let port 2 in" in vpc
    assert who == "no user was named; those of the broker: alice"
