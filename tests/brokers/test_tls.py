"""TLS at real brokers: what is said of their certificates, and what they say to clients with none or the wrong one."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from mqctl.adapters.registry import BUILT_IN
from mqctl.errors import ExitCode
from mqctl.target import is_encrypted, is_web_socket
from tests.brokers.fleet import Fleet
from tests.brokers.launch import LISTENERS, launch
from tests.brokers.process import Broker
from tests.brokers.program import Ended, program_at
from tests.brokers.tls import STORE_PASSWORD
from tests.certificates import CLIENT, Authority, Leaf

KEY_PASSWORD = "throwaway too"
CLIENTS = Authority("Clients CA")
OURS = CLIENTS.issue("me", usage=CLIENT)
STRANGE = Authority("Strange CA").issue("me", usage=CLIENT)


def served(names: Iterable[str] = LISTENERS, *, web: bool = True) -> list[ParameterSet]:
    """Each broker with each encrypted scheme that it serves and we speak."""
    return [
        pytest.param(name, scheme, marks=pytest.mark.broker(name), id=f"{name}-{scheme}")
        for name in names
        for scheme in LISTENERS[name]
        if scheme in BUILT_IN and is_encrypted(scheme) and (web or not is_web_socket(scheme))
    ]


@pytest.mark.parametrize(("name", "scheme"), served())
def test_an_unknown_authority_is_named(fleet: Fleet, tmp_path: Path, name: str, scheme: str) -> None:
    """The certificate is looked at though it is not trusted; the authority of the tests calls itself trustme."""
    broker = fleet.get(name)
    (tmp_path / "other.pem").write_bytes(CLIENTS.pem)
    program = program_at(broker, broker.url(scheme), tmp_path, ca=str(tmp_path / "other.pem"))
    ended = program.run("publish", "open.x", "1")
    assert ended.code == ExitCode.CONNECTION
    assert "was issued by 'trustme" in ended.err


@pytest.mark.parametrize(("name", "scheme"), served(web=False))
def test_a_list_of_somebody_else_says_nothing(fleet: Fleet, tmp_path: Path, name: str, scheme: str) -> None:
    broker = fleet.get(name)
    (tmp_path / "lists.pem").write_bytes(CLIENTS.revoke())
    program = program_at(broker, broker.url(scheme), tmp_path, crl=str(tmp_path / "lists.pem"))
    ended = program.run("publish", "open.x", "1")
    assert ended.code == ExitCode.CONNECTION
    assert "the --crl file lacks the list of an authority above" in ended.err


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """How a broker is told to want client certificates: what in its configuration becomes what."""

    file: str
    changes: Mapping[str, str]


DEMANDS = {
    "classic": Demand(
        file="classic.xml",
        changes={
            "<sslContext keyStore=": f'<sslContext trustStore="file:{{home}}/clients.p12" trustStoreType="PKCS12" '
            f'trustStorePassword="{STORE_PASSWORD}" keyStore=',
            "127.0.0.1:{stomp_ssl}": "127.0.0.1:{stomp_ssl}?needClientAuth=true",
            "127.0.0.1:{mqtt_ssl}": "127.0.0.1:{mqtt_ssl}?needClientAuth=true",
        },
    ),
    "artemis": Demand(
        file="broker.xml",
        changes={
            "sslEnabled=true": "sslEnabled=true;needClientAuth=true;trustStorePath={home}/clients.p12;"
            f"trustStoreType=PKCS12;trustStorePassword={STORE_PASSWORD}"
        },
    ),
    "rabbitmq": Demand(
        file="rabbitmq.conf",
        changes={
            "\nssl_options.cacertfile = {home}/ca.pem": "\nssl_options.cacertfile = {home}/clients.pem",
            "verify_none": "verify_peer\nssl_options.fail_if_no_peer_cert = true",
        },
    ),
    "mosquitto": Demand(
        file="mosquitto.conf",
        changes={"cafile {home}/ca.pem": "cafile {home}/clients.pem\nrequire_certificate true"},
    ),
}


@pytest.fixture(scope="module")
def demanding() -> Iterator[Callable[[str], Broker]]:
    """Gives a broker that wants client certificates; each is started at its first use."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def get(name: str) -> Broker:
            broker = stack.enter_context(launch(name))
            broker.kill()
            _demand(broker, DEMANDS[name])
            broker.start()
            return broker

        yield get


@pytest.fixture
def strict(demanding: Callable[[str], Broker], name: str) -> Broker:
    return demanding(name)


def _demand(broker: Broker, demand: Demand) -> None:
    home = broker.home
    (home / "clients.pem").write_bytes(CLIENTS.pem)
    entry = pkcs12.PKCS12Certificate(CLIENTS.certificate, b"clients")
    sealed = BestAvailableEncryption(STORE_PASSWORD.encode())
    (home / "clients.p12").write_bytes(pkcs12.serialize_java_truststore([entry], sealed))
    facts = {"home": home, **{name.replace("+", "_"): port for name, port in broker.ports.items()}}
    text = (home / demand.file).read_text()
    for before, after in demand.changes.items():
        assert before.format_map(facts) in text
        text = text.replace(before.format_map(facts), after.format_map(facts))
    (home / demand.file).write_text(text)


def publish_as(strict: Broker, scheme: str, folder: Path, leaf: Leaf | None) -> Ended:
    """With an encrypted key."""
    shown = {}
    if leaf is not None:
        cert, key = leaf.write(folder, "me", password=KEY_PASSWORD)
        shown = {"cert": str(cert), "key": str(key), "key_password": KEY_PASSWORD}
    return program_at(strict, strict.url(scheme), folder, **shown).run("publish", "open.x", "1")


@pytest.mark.parametrize(("name", "scheme"), served(DEMANDS, web=False))
class TestClientCertificates:
    def test_one_of_ours_opens(self, strict: Broker, scheme: str, tmp_path: Path) -> None:
        ended = publish_as(strict, scheme, tmp_path, OURS)
        assert ended.code == ExitCode.OK, ended.err

    def test_one_is_wanted(self, strict: Broker, scheme: str, tmp_path: Path) -> None:
        """Java's brokers tell none from a bad one."""
        ended = publish_as(strict, scheme, tmp_path, None)
        assert ended.code == ExitCode.CONNECTION
        assert "ended the TLS handshake: it wants a client certificate" in ended.err
        assert "hint: show one: --cert" in ended.err

    def test_one_of_a_stranger_does_not_open(self, strict: Broker, scheme: str, tmp_path: Path) -> None:
        """Java's brokers do not say what they have against it."""
        ended = publish_as(strict, scheme, tmp_path, STRANGE)
        assert ended.code == ExitCode.CONNECTION
        says = "does not accept" if strict.name in ("classic", "artemis") else "does not trust the authority of"
        assert f"ended the TLS handshake: it {says} our client certificate" in ended.err
