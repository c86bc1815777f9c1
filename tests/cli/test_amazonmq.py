"""Amazon MQ as a user meets it: the program and the real botocore, against a stand-in for AWS."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import ssl
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, Secret, parse_url
from tests.certificates import Authority, server_context
from tests.cli.aws_server import BROKER_ID, REGION, FakeAws, broker, fake_aws, host, instance
from tests.cli.commands import Result, run, run_here
from tests.cli.tls_front import tls_front

PASSWORD = "hunter2!"


@pytest.fixture
def aws():
    with fake_aws() as server:
        yield server


@pytest.fixture
def mqctl(home: dict[str, str], aws: FakeAws) -> Callable[..., Result]:
    return lambda *args, env=None: run_here(args, {**home, **aws.env, **(env or {})})


@pytest.fixture
def profile(home: dict[str, str]) -> Callable[[str], dict]:
    """What was written into a profile."""
    return lambda name: tomllib.loads(Path(home["HOME"], "mqctl", "profiles", f"{name}.toml").read_text())


class TestAdd:
    def test_pair(self, mqctl, profile):
        """Both endpoints of a pair, the -1 first, and what else a client must know; told in a line."""
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID, "--user", "alice", "--password-ref", "env:P")
        assert done.code == ExitCode.OK, done.err
        assert profile("shop") == {
            "description": "Amazon MQ, broker orders, ActiveMQ 5.18, active/standby",
            "url": f"stomp+ssl://{host(1)}:61614,stomp+ssl://{host(2)}:61614",
            "dialect": "classic",
            "options": {"connect-timeout": "5s"},
            "auth": {"user": "alice", "password": "env:P"},
        }
        assert done.out.decode().endswith("/mqctl/profiles/shop.toml\n")
        assert done.err == (
            f"mqctl: orders ({BROKER_ID}) is ActiveMQ 5.18 at Amazon MQ, an active/standby pair, RUNNING\n"
        )
        assert mqctl("profile", "check", "shop").out == b"shop: ok\n"

    @pytest.mark.parametrize(
        ("way", "scheme", "port"),
        [("mqtt", "mqtt+ssl", 8883), ("stomp-ws", "stomp+wss", 61619), ("mqtt-ws", "mqtt+wss", 61619)],
    )
    def test_ways(self, mqctl, profile, aws, way, scheme, port):
        """Every kind of endpoint that the broker has can be asked for; the port is the broker's own."""
        aws.pages = [[broker(brokerInstances=[instance(1)], deploymentMode="SINGLE_INSTANCE")]]
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID, "--protocol", way)
        assert profile("shop")["url"] == f"{scheme}://{host(1)}:{port}"
        assert "options" not in profile("shop")
        assert "those of the broker: alice, bob" in done.err

    def test_by_arn(self, mqctl, aws):
        """An ARN brings its region."""
        arn = f"arn:aws:mq:ap-south-1:1:broker:orders:{BROKER_ID}"
        assert mqctl("profile", "add", "shop", "--amazonmq", arn, env={"AWS_REGION": ""}).code == ExitCode.OK
        assert aws.signed_for == {"ap-south-1"}

    def test_by_endpoint(self, mqctl, aws):
        """Any URL of the broker, such as that of its console, names it too."""
        done = mqctl("profile", "add", "shop", "--amazonmq", f"https://{host(2)}:8162", env={"AWS_REGION": ""})
        assert done.code == ExitCode.OK
        assert aws.signed_for == {REGION}

    def test_as_pasted(self, mqctl):
        """The spaces that came with a name count for nothing."""
        assert mqctl("profile", "add", "shop", "--amazonmq", f" {BROKER_ID}\n").code == ExitCode.OK

    def test_by_name(self, mqctl, aws, profile):
        """A name is looked for on every page."""
        other = broker(brokerName="other", brokerId="b-other")
        aws.pages = [[other], [broker(brokerName="third", brokerId="b-third")], [broker()]]
        assert mqctl("profile", "add", "shop", "--amazonmq", "orders").code == ExitCode.OK
        assert host(1) in profile("shop")["url"]
        assert aws.asked == ["/v1/brokers"] * 3 + [f"/v1/brokers/{BROKER_ID}"]

    def test_unknown_name(self, mqctl):
        """A name that is not there ends with 2, the nearest one and where it looked."""
        done = mqctl("profile", "add", "shop", "--amazonmq", "order")
        assert done.code == ExitCode.USAGE
        assert f"no broker 'order' in {REGION}; did you mean 'orders'?" in done.err
        assert "--region" in done.err

    def test_update(self, mqctl, aws, profile, home):
        """A broker that became a single instance gets its endpoints anew; who logs in, and a comment, stay."""
        mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID, "--user", "alice", "--password-ref", "env:P")
        path = Path(home["HOME"], "mqctl", "profiles", "shop.toml")
        path.write_text("# ours\n" + path.read_text())
        aws.pages = [[broker(brokerInstances=[instance(1)], deploymentMode="SINGLE_INSTANCE")]]
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID, "--update")
        assert done.code == ExitCode.OK, done.err
        assert profile("shop")["url"] == f"stomp+ssl://{host(1)}:61614"
        assert profile("shop")["auth"] == {"user": "alice", "password": "env:P"}
        assert path.read_text().startswith("# ours\n")
        assert "no user was named" not in done.err

    def test_regions(self, mqctl, aws):
        """--region comes before the variables."""
        mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID, "--region", "us-east-1")
        assert aws.signed_for == {"us-east-1"}

    @pytest.mark.parametrize(
        ("state", "meaning"),
        [
            ("CREATION_IN_PROGRESS", "it is being made"),
            ("CREATION_FAILED", "it could not be made"),
            ("DELETION_IN_PROGRESS", "it is being deleted"),
            ("REBOOT_IN_PROGRESS", "answers again in a few minutes"),
            ("CRITICAL_ACTION_REQUIRED", "waits for you"),
            ("REPLICA", "copies a broker of another region"),
        ],
    )
    def test_state(self, mqctl, aws, state, meaning):
        """A broker that does not run is added, and the user told what that means."""
        aws.pages = [[broker(brokerState=state)]]
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID)
        assert done.code == ExitCode.OK
        assert f"orders is {state}: " in done.err
        assert meaning in done.err

    def test_action(self, mqctl, aws):
        """What Amazon MQ waits for is passed on."""
        action = {"actionRequiredCode": "CRITICAL_ACTION_REQUIRED_ENI_DELETED", "actionRequiredInfo": "the ENI is gone"}
        aws.pages = [[broker(actionsRequired=[action])]]
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID)
        assert "needs an action: CRITICAL_ACTION_REQUIRED_ENI_DELETED: the ENI is gone" in done.err

    def test_private(self, mqctl, aws):
        """Of a broker in a VPC the user hears that, with the group and the port."""
        aws.pages = [[broker(publiclyAccessible=False)]]
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID, "--protocol", "mqtt")
        assert "answers only inside its VPC" in done.err
        assert "security group (sg-1) must let port 8883 in" in done.err

    def test_without_endpoints(self, mqctl, aws, profile):
        """A broker that has none yet ends with 2, its state as the hint, and nothing is written."""
        aws.pages = [[broker(brokerInstances=[], brokerState="CREATION_IN_PROGRESS")]]
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID)
        assert done.code == ExitCode.USAGE
        assert "orders has no endpoint for stomp" in done.err
        assert "hint: it is being made" in done.err
        with pytest.raises(FileNotFoundError):
            profile("shop")

    def test_rabbitmq(self, mqctl, aws):
        """The other engine is refused in a sentence that says what it offers and what to use."""
        aws.pages = [[broker(engineType="RABBITMQ", brokerInstances=[{"endpoints": ["amqps://h:5671"]}])]]
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID)
        assert done.code == ExitCode.REFUSED
        assert "offers AMQP only, neither STOMP nor MQTT" in done.err
        assert "hint: use a broker of its ActiveMQ engine" in done.err


class TestCalls:
    """What is wrong with the command line is told before AWS is asked."""

    @pytest.mark.parametrize(
        ("argv", "words"),
        [
            (("--amazonmq", BROKER_ID, "--url", "stomp://h"), "both say where the broker is"),
            (("--url", "stomp://h", "--region", "eu-west-1"), "belong to --amazonmq"),
            (("--amazonmq", BROKER_ID, "--protocol", "amqp"), "--protocol takes stomp, mqtt, stomp-ws, mqtt-ws"),
            (("--amazonmq", "arn:aws:sqs:eu-west-1:1:queue"), "not the ARN of a broker"),
            (("--amazonmq", host(1), "--region", "us-east-1"), f"is in {REGION}, not in us-east-1"),
            ((), "a profile needs a broker"),
            (("--url", f"ssl://{host(1)}:61617"), "ssl:// is OpenWire"),
            (("--url", f"amqp+ssl://{host(1)}:5671"), "amqp+ssl:// is AMQP"),
            (("--url", f"stomp://{host(1)}:61614"), "takes TLS only"),
            (("--url", f"stomp+ssl://{host(1)}:8883"), "port 8883 of Amazon MQ is MQTT"),
            (("--url", f"https://{host(1)}:8162"), "https:// is a web page"),
        ],
    )
    def test_wrong(self, mqctl, aws, argv, words):
        done = mqctl("profile", "add", "shop", *argv)
        assert done.code == ExitCode.USAGE
        assert words in done.err
        assert "hint: " in done.err or "takes" in words
        assert aws.asked == []

    def test_taken(self, mqctl, aws):
        """A name that is taken is no reason to ask AWS."""
        mqctl("profile", "add", "shop", "--url", "stomp://h")
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID)
        assert done.code == ExitCode.USAGE
        assert "--force replaces it" in done.err
        assert aws.asked == []
        assert mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID, "--force").code == ExitCode.OK


class TestFailures:
    """Each failure of AWS has its sentence, its hint and its exit code."""

    @pytest.mark.parametrize(
        ("failure", "code", "words", "hint"),
        [
            ((403, "ForbiddenException", "User x"), ExitCode.REFUSED, "does not allow it: User x", "mq:DescribeBroker"),
            ((403, "ExpiredTokenException", "old"), ExitCode.REFUSED, "have expired: old", "renew them"),
            ((403, "UnrecognizedClientException", "no"), ExitCode.REFUSED, "does not accept", "get-caller-identity"),
            ((429, "TooManyRequestsException", "slow"), ExitCode.REFUSED, "too many requests", "in a minute"),
            ((500, "InternalServerErrorException", "ouch"), ExitCode.CONNECTION, "trouble of its own", "try again"),
            ((403, "InvalidSignatureException", "old"), ExitCode.REFUSED, "the signature: old", "this machine's clock"),
            ((400, "BadRequestException", "bad"), ExitCode.USAGE, "does not understand", ""),
            ((418, "Teapot", "short"), ExitCode.REFUSED, "AWS refuses: short", ""),
        ],
    )
    def test_answers(self, mqctl, aws, failure, code, words, hint):
        aws.failure = failure
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID)
        assert done.code == code, done.err
        assert words in done.err
        assert hint in done.last

    def test_unknown_id(self, mqctl):
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID.replace("4", "5"))
        assert done.code == ExitCode.USAGE
        assert "no such broker: Can't find requested broker" in done.err
        assert "hint: check the region" in done.last

    @pytest.mark.parametrize(
        ("env", "words", "hint"),
        [
            ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "found no credentials", "set AWS_PROFILE"),
            ({"AWS_SECRET_ACCESS_KEY": ""}, "Partial credentials", "both halves"),
            ({"AWS_REGION": ""}, "in which region", "--region"),
            ({"AWS_REGION": "Europe!"}, "Europe!", "eu-west-1"),
            ({"AWS_ENDPOINT_URL_MQ": "nowhere"}, "Invalid endpoint: nowhere", ""),
            ({"AWS_PROFILE": "gone"}, "(gone) could not be found of AWS", "aws configure list-profiles"),
        ],
    )
    def test_settings(self, mqctl, aws, env, words, hint):
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID, env=env)
        assert done.code == ExitCode.USAGE
        assert words in done.err
        assert hint in done.last
        assert aws.asked == []

    @pytest.mark.parametrize(
        ("section", "words", "hint"),
        [
            ("credential_process = /nonexistent/program", "is not there: [Errno 2]", "~/.aws/config"),
            ("credential_process = /bin/false", "could not be fetched", "credential_process"),
            ("role_arn = arn:aws:iam::1:role/r\nweb_identity_token_file = /nonexistent", "is not there", "AWS_…"),
            (
                "role_arn = arn:aws:iam::1:role/r\nsource_profile = me\nmfa_serial = arn:aws:iam::1:mfa/me",
                "a code of the second factor (mfa_serial), and there is no terminal",
                "export-credentials",
            ),
            ("role_arn = arn:aws:iam::1:role/r\nsource_profile = gone", "gone", ""),
        ],
    )
    def test_credentials_from_elsewhere(self, home, aws, section, words, hint):
        """What ~/.aws/config names and is not there is no bug of ours."""
        config = Path(home["HOME"], "aws.ini")
        config.write_text(f"[profile work]\n{section}\n[profile me]\naws_access_key_id=i\naws_secret_access_key=k\n")
        keys = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": str(config)}
        argv = ("profile", "add", "shop", "--amazonmq", BROKER_ID, "--aws-profile", "work")
        done = run(argv, {**home, **aws.env, **keys}, start_new_session=True)
        assert done.code == ExitCode.USAGE, done.err
        assert words in done.err
        assert hint in done.last
        assert aws.asked == []

    def test_nobody_answers(self, mqctl):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        env = {"AWS_ENDPOINT_URL_MQ": f"http://127.0.0.1:{port}"}
        done = mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID, env=env)
        assert done.code == ExitCode.CONNECTION
        assert "AWS does not answer" in done.err
        assert "check the region, the network" in done.last

    def test_without_botocore(self, home, aws):
        """Where the extra is missing, its name is told."""
        Path(home["HOME"], "botocore.py").write_text("raise ModuleNotFoundError('botocore')")
        env = {**home, **aws.env, "PYTHONPATH": home["HOME"]}
        done = run(("profile", "add", "shop", "--amazonmq", BROKER_ID), env)
        assert done.code == ExitCode.PLUGIN
        assert "hint: pip install 'mqctl[aws]'" in done.last


@pytest.fixture
def guarded():
    """A hub that lets alice in with the password."""
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), user="alice", password=Secret(PASSWORD))) as hub:
        yield hub.urls[0]


RABBIT = f"{BROKER_ID}.mq.{REGION}.on.aws"
STOMP, MQTT, WSS = f"stomp+ssl://{host(1)}:61614", f"mqtt+ssl://{host(1)}:8883", f"stomp+wss://{host(1)}:61619"
OTHER_HALF = f"stomp+ssl://{host(2)}:61614"


class Net:
    """Where the hosts of Amazon MQ are, in place of DNS; a host that is not told has no address."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ports: dict[str, int] = {}
        authority = Authority("Amazon")
        self.tls = server_context(authority.issue("brokers", host(1), host(2)), folder)
        self.authorities = folder / "authorities.pem"
        self.authorities.write_bytes(authority.pem)
        monkeypatch.setattr(socket, "getaddrinfo", self._addresses)

    def _addresses(self, name: str, port: int, *_: object, **__: object) -> list:
        if name == "127.0.0.1":
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (name, port))]
        if name not in self.ports:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", self.ports[name]))]


@contextlib.contextmanager
def hanging_up(tls: ssl.SSLContext | None):
    """The port of somebody who takes a connection, with TLS if there is a context, and ends it."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, contextlib.suppress(OSError):
                    if tls is not None:
                        tls.wrap_socket(client, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


class TestConnect:
    """What happens at the endpoints of a broker, and the next step where there is no connection."""

    @pytest.fixture
    def net(self, tmp_path, monkeypatch, home):
        net = Net(tmp_path, monkeypatch)
        home["SSL_CERT_FILE"] = str(net.authorities)
        return net

    @pytest.fixture
    def serving(self, net, guarded):
        """The first half of a pair is the standby, where nobody listens; the second serves."""
        with tls_front(net.tls, parse_url(guarded).endpoints[0]) as front, socket.create_server(("", 0)) as closed:
            net.ports = {host(1): closed.getsockname()[1], host(2): front.port}
            closed.close()
            yield net

    def test_failover(self, mqctl, serving):
        """Of a pair the half that serves is found, and its certificate checked for its own name."""
        mqctl("profile", "add", "shop", "--amazonmq", BROKER_ID, "--user", "alice", "--password-ref", "env:P")
        done = mqctl("profile", "check", "shop", "--connect", env={"P": PASSWORD})
        assert done.code == ExitCode.OK, done.err
        assert done.out.decode().endswith(f" at {host(2)}:61614\n")

    @pytest.mark.parametrize("between", ["\n", " ", ",\n", ", "])
    def test_pasted_as_the_console_shows_them(self, mqctl, serving, between):
        """Two endpoints in two lines are a failover list, typed or written into a profile."""
        pair = f"{STOMP}{between}{OTHER_HALF}\n"
        login = {"MQCTL_USER": "alice", "MQCTL_PASSWORD": PASSWORD}
        assert mqctl("publish", "a", "b", "--url", pair, env=login).code == ExitCode.OK
        assert mqctl("profile", "add", "shop", "--url", pair).code == ExitCode.OK
        assert mqctl("publish", "a", "b", "--profile", "shop", env=login).code == ExitCode.OK

    @pytest.mark.parametrize("name", [BROKER_ID, f"arn:aws:mq:{REGION}:1:broker:orders:{BROKER_ID}"])
    def test_a_name_in_place_of_an_address(self, mqctl, name):
        done = mqctl("publish", "a", "b", "--url", name)
        assert done.code == ExitCode.USAGE
        assert "mqctl profile add NAME --amazonmq BROKER" in done.err

    @pytest.mark.parametrize(
        "argv",
        [
            ("publish", "a", "b", "--profile", "shop"),
            ("tail", "a", "--profile", "shop"),
            ("probe", "--profile", "shop"),
            ("profile", "check", "shop", "--connect"),
        ],
    )
    def test_denied(self, mqctl, serving, argv):
        """Whatever the command, who is not let in hears whose users count."""
        mqctl("profile", "add", "shop", "--url", OTHER_HALF, "--user", "alice", "--password-ref", "env:P")
        done = mqctl(*argv, env={"P": "wrong"})
        assert done.code == ExitCode.REFUSED
        assert "refused the connection" in done.err
        assert "hint: Amazon MQ lets in the users of the broker, not those of IAM" in done.last

    @pytest.mark.parametrize("argv", [("publish", "a", "b"), ("tail", "a"), ("probe",)])
    def test_standby_alone(self, mqctl, serving, argv):
        done = mqctl(*argv, "--url", STOMP)
        assert done.code == ExitCode.CONNECTION
        assert f"nobody listens at {host(1)}:61614" in done.err
        assert "name both endpoints, -1 and -2" in done.last

    def test_no_such_host(self, mqctl, net):
        done = mqctl("publish", "a", "b", "--url", f"{STOMP},{OTHER_HALF}")
        assert done.code == ExitCode.CONNECTION
        assert "hint: the broker is gone, or not in eu-west-1" in done.last

    @pytest.mark.parametrize("greets", [True, False])
    @pytest.mark.parametrize("url", [STOMP, MQTT, WSS])
    def test_hung_up(self, mqctl, net, url, greets):
        """A broker that takes no more connections hangs up, before TLS or after; nobody is sent to MQTT 5."""
        with hanging_up(net.tls if greets else None) as port:
            net.ports[host(1)] = port
            done = mqctl("publish", "a", "b", "--url", url)
        assert done.code == ExitCode.CONNECTION
        assert "hung up" in done.err
        assert "all connections of the protocol are taken (300 on a micro instance" in done.last

    @pytest.mark.parametrize("argv", [("publish", "a", "b"), ("tail", "a"), ("watch", "a"), ("probe",), ("console",)])
    @pytest.mark.parametrize("endpoint", ["amqps://{}:5671", "https://{}", "stomp+ssl://{}:61614", "wss://{}"])
    def test_rabbitmq_engine(self, mqctl, net, argv, endpoint):
        """A host of the other engine is told by its name, without waiting for an answer."""
        done = mqctl(*argv, "--url", endpoint.format(RABBIT))
        assert done.code == ExitCode.REFUSED
        assert "the RabbitMQ engine of Amazon MQ offers AMQP only, neither STOMP nor MQTT" in done.err
        assert "hint: use a broker of its ActiveMQ engine" in done.last


class TestUse:
    """What can never work at Amazon MQ is refused before anything is sent."""

    @pytest.mark.parametrize(
        ("argv", "code", "words", "hint"),
        [
            (("--profile", "amazonmq-rabbitmq"), ExitCode.REFUSED, "offers AMQP only, neither STOMP nor MQTT", ""),
            (("--profile", "amazonmq"), ExitCode.USAGE, "the placeholder <broker-id>", "profile add NAME --amazonmq"),
            (("--url", f"stomp://{host(1)}:61614"), ExitCode.USAGE, "takes TLS only", "use stomp+ssl://"),
            (
                ("--url", f"stomp+ssl://{host(1)}:61617"),
                ExitCode.USAGE,
                "port 61617 of Amazon MQ is OpenWire",
                "STOMP is at 61614; take the endpoint of the same broker that begins with stomp+ssl://",
            ),
            (("--url", f"mqtt+ssl://{host(1)}:61614"), ExitCode.USAGE, "of Amazon MQ is STOMP", "MQTT is at 8883"),
            (("--url", f"stomp+wss://{host(1)}"), ExitCode.USAGE, "port 443 of Amazon", "WebSocket is at 61619"),
            (
                ("--url", f"ssl://{host(1)}:61617"),
                ExitCode.USAGE,
                "ssl:// is OpenWire",
                "at Amazon MQ with stomp+ssl://",
            ),
            (("--url", f"amqp+ssl://{host(1)}:5671"), ExitCode.USAGE, "amqp+ssl:// is AMQP", "RabbitMQ engine"),
            (
                ("--url", f"https://{host(1)}:8162"),
                ExitCode.USAGE,
                "https:// is a web page",
                "at Amazon MQ with stomp+ssl://",
            ),
            (("--url", f"failover:(ssl://{host(1)}:61617,ssl://{host(2)}:61617)"), ExitCode.USAGE, "failover:(…)", ""),
        ],
    )
    def test_refused(self, mqctl, argv, code, words, hint):
        done = mqctl("publish", "greeting", "hello", *argv)
        assert done.code == code
        assert words in done.err
        assert hint in done.last

    def test_notices(self, mqctl):
        """Heart-beats that are off and half a pair are told before they hurt."""
        mqctl("profile", "add", "half", "--url", f"stomp+ssl://{host(2)}:61614")
        done = mqctl("profile", "show", "half", env={"MQCTL_HEART_BEAT": "0"})
        assert "heart-beats are off" in done.err
        assert "name the -1 endpoint too" in done.err


class TestSecret:
    @pytest.fixture
    def publish(self, mqctl, guarded, home):
        """Publishes with the password that a reference leads to."""

        def publish(reference: str, **options) -> Result:
            text = f'url = "{guarded}"\n[auth]\nuser = "alice"\npassword = "{reference}"\n'
            Path(home["HOME"], "shop.toml").write_text(text)
            return mqctl("publish", "greeting", "hello", "--profile", "shop", "--debug", **options)

        return publish

    @pytest.mark.parametrize(
        ("reference", "answer"),
        [
            ("aws-secret:shop/broker#password", {"SecretString": json.dumps({"user": "alice", "password": PASSWORD})}),
            ("aws-secret:shop/broker", {"SecretString": PASSWORD}),
            ("aws-secret:shop/broker", {"SecretString": PASSWORD + "\r\nsecond"}),
            ("aws-secret:shop/broker", {"SecretBinary": base64.b64encode(PASSWORD.encode()).decode()}),
        ],
    )
    def test_logs_in(self, publish, aws, reference, answer):
        """A member of a JSON secret, a text, or bytes that are text: the broker lets us in, and nothing shows it."""
        aws.secrets["shop/broker"] = answer
        done = publish(reference)
        assert done.code == ExitCode.OK, done.err
        assert PASSWORD not in done.err
        assert aws.asked == ["secretsmanager.GetSecretValue"]

    def test_arn(self, publish, aws):
        """An ARN brings its region."""
        arn = "arn:aws:secretsmanager:us-east-1:1:secret:shop-AbCdEf"
        aws.secrets[arn] = {"SecretString": PASSWORD}
        assert publish(f"aws-secret:{arn}", env={"AWS_REGION": ""}).code == ExitCode.OK
        assert aws.signed_for == {"us-east-1"}

    @pytest.mark.parametrize(
        ("reference", "answer", "words"),
        [
            ("shop", {"SecretString": json.dumps({"password": PASSWORD})}, "name the member: aws-secret:shop#password"),
            ("shop", {"SecretString": json.dumps({"pw": PASSWORD})}, "name the member after a '#'; it has pw"),
            ("shop#pw", {"SecretString": json.dumps({"password": PASSWORD})}, "hint: it has password"),
            ("shop#pw", {"SecretString": json.dumps({"pw": [PASSWORD]})}, "shop#pw is no text"),
            ("shop#pw", {"SecretString": json.dumps({"pw": 12345678})}, "of digits needs quotes"),
            ("shop#", {}, "nothing follows the '#'"),
            ("shop#pw", {"SecretString": PASSWORD}, "the secret is no JSON object"),
            ("shop", {"SecretBinary": base64.b64encode(PASSWORD.encode() + b"\xff").decode()}, "is binary"),
            ("shop", {"SecretString": "\n" + PASSWORD}, "the first line of aws-secret:shop is empty"),
            ("gone", {}, "aws-secret:gone: no such secret"),
        ],
    )
    def test_leads_nowhere(self, publish, aws, reference, answer, words):
        """What is no password ends with 2, says whose it should have been, and shows nothing of the secret."""
        aws.secrets["shop"] = answer
        done = publish(f"aws-secret:{reference}")
        assert done.code == ExitCode.USAGE
        assert "password for alice" in done.err or reference == "shop#"
        assert words in done.err
        assert PASSWORD not in done.err + done.out.decode()

    def test_denied(self, publish, aws):
        """A policy that does not allow it ends with 5 and the name of the permission."""
        aws.failure = (400, "AccessDeniedException", "User x is not authorized")
        done = publish("aws-secret:shop")
        assert done.code == ExitCode.REFUSED
        assert "secretsmanager:GetSecretValue" in done.err

    @pytest.mark.parametrize(
        ("code", "said", "hint"),
        [
            ("InvalidRequestException", "the secret was marked for deletion", "restore-secret"),
            ("DecryptionFailure", "no key", "kms:Decrypt"),
            ("AccessDeniedException", "Access to KMS is not allowed", "kms:Decrypt"),
            ("ExpiredTokenException", "old", "renew them"),
            ("ThrottlingException", "slow", "in a minute"),
        ],
    )
    def test_refusals(self, publish, aws, code, said, hint):
        """Each way in which Secrets Manager says no has its own next step."""
        aws.failure = (400, code, said)
        done = publish("aws-secret:shop#password")
        assert said in done.err
        assert re.search(f"hint: .*{re.escape(hint)}", done.err)
        assert "this is a bug" not in done.err

    def test_without_botocore(self, home, aws, guarded):
        """Where the extra is missing, its name is told here too."""
        Path(home["HOME"], "botocore.py").write_text("raise ModuleNotFoundError('botocore')")
        env = {**home, **aws.env, "PYTHONPATH": home["HOME"]}
        done = run(("publish", "a", "b", "--url", guarded, "--user", "alice", "--password", "aws-secret:shop"), env)
        assert done.code == ExitCode.PLUGIN
        assert "hint: pip install 'mqctl[aws]'" in done.last

    def test_not_for_downloaded_files(self, mqctl, aws, home, tmp_path):
        """A profile that merely lies in the working directory makes us ask nobody."""
        project = tmp_path / "work" / "profiles"
        project.mkdir(parents=True)
        (project / "shop.toml").write_text('url = "stomp://127.0.0.1:1"\n[auth]\npassword = "aws-secret:shop"\n')
        env = {**home, **aws.env, "MQCTL_PROFILE_DIR": ""}
        done = run_here(("profile", "check", "shop", "--connect"), env, cwd=project.parent)
        assert done.code == ExitCode.USAGE
        assert "so it gets no secret (aws-secret:shop)" in done.err
        assert "give the path of the file to --profile" in done.err
        assert aws.asked == []
