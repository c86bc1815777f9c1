"""What mqctl asks of AWS and makes of the answers, checked against botocore's models of both services."""

from __future__ import annotations

import builtins
import sys

import botocore.exceptions
import botocore.parsers
import pytest
from botocore.stub import Stubber

from mqctl import aws
from mqctl.aws import brokers, secrets, session
from mqctl.aws.errors import OF_BOTOCORE, explained
from mqctl.errors import (
    ConfigError,
    ConnectError,
    ExitCode,
    MqctlError,
    PluginError,
    ProtocolError,
    RefusedError,
    SecretError,
    TlsError,
)
from mqctl.profiles.amazonmq_profile import Broker, BrokerName

ID = "b-4aada85d-a80c-4be0-9d30-e344a01b921e"
ARN = f"arn:aws:mq:eu-west-1:123456789012:broker:orders:{ID}"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Credentials that mean nothing, and nothing of the developer's."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_MQ"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def stub(monkeypatch):
    """A function that puts a stub in the place of a module's client; `asked` has what the client was made of."""
    begun = []

    def stub(module, service):
        client = session.client(service, region="eu-west-1")
        stubber = Stubber(client)
        stubber.asked = []

        def client_of(name, **settings):
            stubber.asked.append((name, settings))
            return client

        monkeypatch.setattr(module, "client", client_of)
        stubber.activate()
        begun.append(stubber)
        return stubber

    yield stub
    for stubber in begun:
        stubber.assert_no_pending_responses()


@pytest.fixture
def mq(stub):
    return stub(brokers, "mq")


@pytest.fixture
def manager(stub):
    return stub(secrets, "secretsmanager")


DESCRIBED = {
    "BrokerId": ID,
    "BrokerArn": ARN,
    "BrokerName": "orders",
    "BrokerState": "CRITICAL_ACTION_REQUIRED",
    "ActionsRequired": [{"ActionRequiredCode": "X", "ActionRequiredInfo": "do y"}],
    "DeploymentMode": "ACTIVE_STANDBY_MULTI_AZ",
    "EngineType": "ACTIVEMQ",
    "EngineVersion": "5.18",
    "PubliclyAccessible": False,
    "SecurityGroups": ["sg-1"],
    "Users": [{"Username": "alice"}],
    "BrokerInstances": [
        {"ConsoleURL": "https://b:8162", "Endpoints": ["stomp+ssl://b:61614"], "IpAddress": "10.0.0.2"},
        {"ConsoleURL": "https://a:8162", "Endpoints": ["stomp+ssl://a:61614"], "IpAddress": "10.0.0.1"},
    ],
}
READ = Broker(
    id=ID,
    name="orders",
    engine="ACTIVEMQ",
    version="5.18",
    mode="ACTIVE_STANDBY_MULTI_AZ",
    state="CRITICAL_ACTION_REQUIRED",
    public=False,
    endpoints=("stomp+ssl://a:61614", "stomp+ssl://b:61614"),
    users=("alice",),
    security_groups=("sg-1",),
    actions=("X: do y",),
)


def summary(name, broker_id):
    return {
        "BrokerId": broker_id,
        "BrokerArn": ARN,
        "BrokerName": name,
        "BrokerState": "RUNNING",
        "DeploymentMode": "SINGLE_INSTANCE",
        "EngineType": "ACTIVEMQ",
        "HostInstanceType": "mq.m5.large",
    }


class TestBrokers:
    def test_by_id(self, mq):
        """One request, in the region of the name before the one asked for; all that matters is read."""
        mq.add_response("describe_broker", DESCRIBED, {"BrokerId": ID})
        assert brokers.describe(BrokerName(ID, ID, "us-east-1"), region="eu-west-1", aws_profile="p") == READ
        assert mq.asked == [("mq", {"region": "us-east-1", "profile": "p"})]

    def test_by_name(self, mq):
        """All pages of the list are read for a name."""
        mq.add_response("list_brokers", {"BrokerSummaries": [summary("a", "b-a")], "NextToken": "2"}, {})
        mq.add_response("list_brokers", {"BrokerSummaries": [summary("orders", ID)]}, {"NextToken": "2"})
        mq.add_response("describe_broker", DESCRIBED, {"BrokerId": ID})
        assert brokers.describe(BrokerName(None, "orders"), region="eu-west-1") == READ

    @pytest.mark.parametrize(
        ("summaries", "words"), [([summary("order", ID)], "did you mean 'order'"), ([], "there is none at all")]
    )
    def test_unknown_name(self, mq, summaries, words):
        """A name that is not there is an error with the region and the nearest one."""
        mq.add_response("list_brokers", {"BrokerSummaries": summaries}, {})
        with pytest.raises(ConfigError, match=f"no broker 'orders' in eu-west-1; {words}"):
            brokers.describe(BrokerName(None, "orders"))

    @pytest.mark.parametrize(
        ("code", "status", "error", "hint"),
        [
            ("NotFoundException", 404, ConfigError, "--region"),
            ("ForbiddenException", 403, RefusedError, "mq:DescribeBroker"),
            ("AccessDeniedException", 403, RefusedError, "mq:ListBrokers"),
            ("BadRequestException", 400, ConfigError, "None"),
            ("TooManyRequestsException", 429, RefusedError, "minute"),
            ("InternalServerErrorException", 500, ConnectError, "later"),
            ("ExpiredTokenException", 403, RefusedError, "renew"),
            ("InvalidClientTokenId", 403, RefusedError, "get-caller-identity"),
            ("NeverHeardOf", 403, RefusedError, "None"),
            ("NeverHeardOf", 429, RefusedError, "minute"),
            ("NeverHeardOf", 503, ConnectError, "later"),
            ("NeverHeardOf", 400, RefusedError, "None"),
        ],
    )
    def test_refusals(self, mq, code, status, error, hint):
        """Each refusal has its error and hint, and AWS' own words; a code that nobody knows is judged by its status."""
        mq.add_client_error("describe_broker", code, "says {AWS}", status)
        with pytest.raises(error, match=r"says \{AWS\}") as refused:
            brokers.describe(BrokerName(ID, ID))
        assert hint in str(refused.value.hint)

    def test_refusal_without_words(self, mq):
        """Where AWS gives no reason, its code is told."""
        mq.add_client_error("describe_broker", "Odd", "", 400)
        with pytest.raises(RefusedError, match="AWS refuses: Odd"):
            brokers.describe(BrokerName(ID, ID))


class TestSecrets:
    def test_fetch(self, manager):
        """The name goes to AWS without its member."""
        manager.add_response("get_secret_value", {"SecretString": '{"pw": "hunter2"}'}, {"SecretId": "shop"})
        assert aws.ask_secrets_manager("shop#pw", "password").reveal() == "hunter2"
        assert manager.asked == [("secretsmanager", {"region": None})]

    def test_arn(self, manager):
        """An ARN is asked in its own region."""
        arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf"
        manager.add_response("get_secret_value", {"SecretBinary": b"hunter2"}, {"SecretId": arn})
        assert secrets.fetch(arn, "password").reveal() == "hunter2"
        assert manager.asked == [("secretsmanager", {"region": "us-east-1"})]

    @pytest.mark.parametrize(
        ("code", "error", "words"),
        [
            ("ResourceNotFoundException", SecretError, "no such secret"),
            ("InvalidRequestException", SecretError, "cannot be read now"),
            ("InvalidParameterException", SecretError, "is no name of a secret"),
            ("ValidationException", SecretError, "is no name of a secret"),
            ("AccessDeniedException", RefusedError, "does not allow it"),
            ("DecryptionFailure", RefusedError, "does not allow it"),
            ("InternalServiceError", ConnectError, "trouble of its own"),
        ],
    )
    def test_refusals(self, manager, code, error, words):
        """Each refusal names the secret, in whose name there may be braces."""
        manager.add_client_error("get_secret_value", code, "says AWS", 400)
        with pytest.raises(error, match=words) as refused:
            secrets.fetch("shop{0}", "password for alice")
        assert "says AWS" in str(refused.value)
        assert error is ConnectError or "password for alice: aws-secret:shop{0}" in str(refused.value)


def raised(error):
    with pytest.raises(MqctlError) as caught, explained({}):
        raise error
    return caught.value


class TestFailures:
    """What botocore itself raises."""

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (botocore.exceptions.NoCredentialsError(), ConfigError),
            (botocore.exceptions.PartialCredentialsError(provider="env", cred_var="x"), ConfigError),
            (botocore.exceptions.ProfileNotFound(profile="p"), ConfigError),
            (botocore.exceptions.InvalidRegionError(region_name="?"), ConfigError),
            (botocore.exceptions.UnauthorizedSSOTokenError(), ConfigError),
            (botocore.exceptions.SSOTokenLoadError(error_msg="x"), ConfigError),
            (botocore.exceptions.TokenRetrievalError(provider="sso", error_msg="x"), ConfigError),
            (botocore.exceptions.CredentialRetrievalError(provider="p", error_msg="x"), ConfigError),
            (botocore.exceptions.EndpointConnectionError(endpoint_url="u"), ConnectError),
            (botocore.exceptions.ConnectTimeoutError(endpoint_url="u"), ConnectError),
            (botocore.exceptions.ReadTimeoutError(endpoint_url="u"), ConnectError),
            (botocore.exceptions.ProxyConnectionError(proxy_url="u"), ConnectError),
            (botocore.exceptions.SSLError(endpoint_url="u", error="e"), TlsError),
            (botocore.parsers.ResponseParserError("html"), ProtocolError),
        ],
    )
    def test_errors(self, error, kind):
        """Each has an error of ours with a hint, and is its cause."""
        ours = raised(error)
        assert type(ours) is kind
        assert ours.hint
        assert ours.__cause__ is error

    def test_anything_else(self):
        """What has no line of its own is told in botocore's words."""
        assert str(
            raised(botocore.exceptions.UnknownServiceError(service_name="x", known_service_names=[]))
        ).startswith("botocore cannot ask AWS: ")
        assert str(raised(ValueError("Invalid endpoint: x"))) == "botocore cannot ask AWS: Invalid endpoint: x"

    def test_bugs_pass(self):
        """A bug of ours is not blamed on AWS, and our own errors stay what they are."""
        with pytest.raises(KeyError), explained({}):
            raise KeyError("bug")
        mine = PluginError("mine")
        assert raised(mine) is mine

    @pytest.mark.parametrize("name", OF_BOTOCORE)
    def test_the_table_names_what_exists(self, name):
        """No line of the table is about an exception that neither botocore nor Python has."""
        assert any(hasattr(module, name) for module in (botocore.exceptions, botocore.parsers, builtins))


class TestSession:
    @pytest.mark.parametrize(
        ("environ", "given", "region"),
        [
            ({"AWS_DEFAULT_REGION": "eu-west-3"}, None, "eu-west-3"),
            ({"AWS_DEFAULT_REGION": "eu-west-3", "AWS_REGION": "eu-west-2"}, None, "eu-west-2"),
            ({"AWS_REGION": "eu-west-2"}, "eu-west-1", "eu-west-1"),
        ],
    )
    def test_region(self, monkeypatch, environ, given, region):
        """What is said comes before AWS_REGION, and that before AWS_DEFAULT_REGION."""
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        assert session.client("mq", region=given).meta.region_name == region

    @pytest.mark.parametrize("empty", [{}, {"AWS_REGION": ""}])
    def test_no_region(self, monkeypatch, empty):
        """Without one, also with one set to nothing, the user is told how to name it."""
        for name, value in empty.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError, match="in which region") as refused:
            session.client("mq")
        assert "--region" in str(refused.value.hint)

    def test_not_installed(self, monkeypatch):
        """Without botocore the hint is the extra, with exit code 7."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "botocore"]:
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(PluginError) as missing:
            brokers.describe(BrokerName(ID, ID), region="eu-west-1")
        assert missing.value.exit_code == ExitCode.PLUGIN
        assert missing.value.hint == "pip install 'mqctl[aws]'"
