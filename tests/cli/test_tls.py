"""TLS as a person meets it: each way in which it goes wrong has its own sentence and next step."""

from __future__ import annotations

import re
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mqctl.adapters.dialing import plain_scheme
from mqctl.adapters.registry import BUILT_IN
from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, Url, is_encrypted, parse_url
from tests.brokers.launch import launch
from tests.certificates import CLIENT, DAY, NOW, Authority, Leaf, self_signed, server_context
from tests.cli.commands import Result, run_here
from tests.cli.tls_front import Front, tls_front

HOST = "127.0.0.1"
KEY_PASSWORD = "s3cret of a key"
ENCRYPTED = [scheme for scheme in BUILT_IN if is_encrypted(scheme)]

AUTHORITY, STRANGER = Authority("Test CA"), Authority("Strange CA")
MIDDLE = Authority("Middle CA", AUTHORITY)
GOOD = AUTHORITY.issue(HOST)


@pytest.fixture(scope="module")
def plain() -> Iterator[Callable[[str], Url]]:
    """Gives the address of a server that speaks a scheme without its TLS; each is started at its first use."""
    with ExitStack() as stack:
        served: dict[str, str] = {}

        def url(scheme: str) -> Url:
            if scheme not in served and not scheme.startswith("mqtt"):
                nowhere = (Endpoint(HOST, 0),)
                hub = stack.enter_context(HubThread(HubConfig(stomp=nowhere, http=nowhere)))
                served.update((url.partition("://")[0], url) for url in hub.urls)
                web = parse_url(served["stomp+ws"]).endpoints[0]
                served.update((name, f"{name}://{web}") for name in ("bayeux+http", "bayeux+sse", "bayeux+ws"))
            elif scheme not in served:
                broker = stack.enter_context(launch("iotcore"))
                login = f"://{broker.user}:{broker.password}@"
                served.update((name, broker.url(name).replace("://", login)) for name in broker.schemes)
            return parse_url(served[scheme])

        yield url


@pytest.fixture
def scheme() -> str:
    """What is parametrised with all of them has one for each."""
    return "stomp+ssl"


@dataclass
class World:
    """Somebody who publishes to a server behind TLS."""

    folder: Path
    env: dict[str, str]
    scheme: str
    behind: Url
    stack: ExitStack = field(default_factory=ExitStack)

    def file(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return str(self.folder / name)

    def serve(self, leaf: Leaf = GOOD, *, clients: Authority | None = None, **changes: object) -> Front:
        """`changes` are attributes of the server's SSLContext."""
        context = server_context(leaf, self.folder, clients=clients)
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            for name, value in changes.items():
                setattr(context, name, value)
        return self.stack.enter_context(tls_front(context, self.behind.endpoints[0]))

    def publish(self, front: Front, *options: str, host: str = HOST, ca: Authority | None = AUTHORITY) -> Result:
        trust = ("--ca", self.file("ca.pem", ca.pem)) if ca else ()
        url = f"{self.scheme}://{host}:{front.port}{self.behind.path}"
        return run_here(("publish", "rect", "45", "--url", url, *trust, *options), self.env)


@pytest.fixture
def world(tmp_path, home, scheme, plain) -> Iterator[World]:
    behind = plain(plain_scheme(scheme))
    if behind.user and behind.password:
        home |= {"MQCTL_USER": behind.user, "MQCTL_PASSWORD": behind.password.reveal()}
    world = World(folder=tmp_path, env=home, scheme=scheme, behind=behind)
    with world.stack:
        yield world


def refused(result: Result, front: Front, sentence: str, hint: str, host: str = HOST) -> None:
    """Exit code 4, one sentence that begins as said and names the peer, and a hint."""
    said, advised = result.err.splitlines()
    assert (result.code, result.out) == (ExitCode.CONNECTION, b"")
    assert re.fullmatch(sentence.format(peer=re.escape(f"{host}:{front.port}")), said.removeprefix("mqctl: "))
    assert hint in advised.removeprefix("  hint: ")


class TestGood:
    @pytest.mark.parametrize("scheme", ENCRYPTED)
    def test_an_authority_of_ours(self, world):
        result = world.publish(world.serve())
        assert (result.code, result.last) == (0, "mqctl: attempted 1, confirmed 1, rejected 0, unknown 0")

    def test_the_systems_authorities(self, world):
        """OpenSSL reads where the store is from its own variable."""
        front = world.serve()
        world.env["SSL_CERT_FILE"] = world.file("system.pem", AUTHORITY.pem)
        assert world.publish(front, ca=None).code == 0
        assert world.publish(front, ca=STRANGER).code == ExitCode.CONNECTION, "--ca takes the place of the store"

    def test_a_folder_of_authorities(self, world):
        """As `openssl rehash` makes it."""
        folder = world.folder / "authorities"
        folder.mkdir()
        for authority in (STRANGER, AUTHORITY):
            (folder / f"{authority.name_hash}.0").write_bytes(authority.pem)
        assert world.publish(world.serve(), "--ca", str(folder), ca=None).code == 0
        (folder / f"{AUTHORITY.name_hash}.0").unlink()
        assert world.publish(world.serve(), "--ca", str(folder), ca=None).code == ExitCode.CONNECTION

    def test_an_authority_in_the_middle(self, world):
        assert world.publish(world.serve(MIDDLE.issue(HOST))).code == 0

    def test_the_name_is_asked_for_by_sni(self, world):
        front = world.serve(AUTHORITY.issue("localhost"))
        assert world.publish(front, host="localhost").code == 0
        assert front.names == ["localhost"]

    def test_a_list_that_does_not_hold_it(self, world):
        lists = world.file("lists.pem", MIDDLE.revoke(MIDDLE.issue("another.example")) + AUTHORITY.revoke())
        assert world.publish(world.serve(MIDDLE.issue(HOST)), "--crl", lists).code == 0

    @pytest.mark.parametrize("scheme", ENCRYPTED)
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda each: each.name)
    def test_a_certificate_of_ours_with_an_encrypted_key(self, world, version):
        front = world.serve(clients=AUTHORITY, maximum_version=version, minimum_version=version)
        cert, key = AUTHORITY.issue("me", usage=CLIENT).write(world.folder, "me", password=KEY_PASSWORD)
        world.env["KEY_PASSWORD"] = KEY_PASSWORD
        options = ("--cert", str(cert), "--key", str(key), "--key-password", "env:KEY_PASSWORD")
        assert world.publish(front, *options).code == 0

    def test_settings_by_variables(self, world):
        front = world.serve(clients=AUTHORITY)
        cert, key = AUTHORITY.issue("me", usage=CLIENT).write(world.folder, "me", password=KEY_PASSWORD)
        world.env |= {
            "MQCTL_CA": world.file("ca.pem", AUTHORITY.pem),
            "MQCTL_CRL": world.file("lists.pem", AUTHORITY.revoke()),
            "MQCTL_CERT": str(cert),
            "MQCTL_KEY": str(key),
            "MQCTL_KEY_PASSWORD": KEY_PASSWORD,
        }
        assert world.publish(front, ca=None).code == 0


@dataclass(frozen=True)
class Case:
    """A server's certificate that is not trusted, and what is said of it."""

    leaf: Leaf
    says: str
    hint: str
    options: Callable[[World], tuple[str, ...]] = lambda _: ()
    host: str = HOST


def lists(*parts: bytes) -> Callable[[World], tuple[str, ...]]:
    return lambda world: ("--crl", world.file("lists.pem", b"".join(parts)))


def chained(leaf: Leaf, *above: Authority) -> Leaf:
    """The same certificate, sent with others than its own authorities."""
    return Leaf(leaf.certificate, leaf.key, [each.certificate for each in above])


UNKNOWN_IF_REVOKED = "so it is unknown whether the certificate of {peer} was revoked"
NEEDS = "it must hold the list of every authority in the chain; this certificate was issued by"
CASES = {
    "expired": Case(
        AUTHORITY.issue(HOST, until=NOW - DAY),
        f"the certificate of {{peer}} expired on {NOW - DAY:%Y-%m-%d %H:%M} UTC",
        "whoever runs the broker must renew it",
    ),
    "expired for another host": Case(
        AUTHORITY.issue("a.example", until=NOW - DAY),
        f"the certificate of {{peer}} is for a.example, not for {HOST}",
        "connect by a name that it carries",
    ),
    "not yet valid": Case(
        AUTHORITY.issue(HOST, since=NOW + DAY),
        f"the certificate of {{peer}} is valid from {NOW + DAY:%Y-%m-%d %H:%M} UTC only",
        "compare this machine's clock",
    ),
    "another host": Case(
        AUTHORITY.issue("a.example", "b.example", "10.0.0.1"),
        "the certificate of {peer} is for a.example, b.example, 10.0.0.1, not for localhost",
        "connect by a name that it carries",
        host="localhost",
    ),
    "another address": Case(
        AUTHORITY.issue("localhost", "10.0.0.1"),
        f"the certificate of {{peer}} is for localhost, 10.0.0.1, not for {HOST}",
        "connect by a name that it carries",
    ),
    "self-signed": Case(self_signed(HOST), "{peer} shows a certificate that it signed itself", "with --ca"),
    "unknown authority": Case(
        STRANGER.issue(HOST),
        "the certificate of {peer} was issued by 'Strange CA', which is not trusted here",
        "name the file of its certificate with --ca",
    ),
    "unknown authority, sent along": Case(
        chained(STRANGER.issue(HOST), STRANGER),
        "the certificate of {peer} was issued by 'Strange CA', which is not trusted here",
        "--ca",
    ),
    "authority in the middle not sent": Case(
        chained(MIDDLE.issue(HOST)),
        "the certificate of {peer} was issued by 'Middle CA', which is not trusted here",
        "--ca",
    ),
    "another usage": Case(
        AUTHORITY.issue(HOST, usage=CLIENT), "the certificate of {peer} is not meant for servers", "serverAuth"
    ),
    "weak key": Case(
        AUTHORITY.issue(HOST, rsa_bits=1024), "the certificate of {peer} is too weak: .*key too weak", "longer key"
    ),
    "revoked": Case(
        GOOD,
        "the certificate of {peer}, or one above it, was revoked by its authority",
        "do not log in there",
        options=lists(AUTHORITY.revoke(GOOD)),
    ),
    "authority in the middle revoked": Case(
        MIDDLE.issue(HOST),
        "the certificate of {peer}, or one above it, was revoked by its authority",
        "do not log in there",
        options=lists(MIDDLE.revoke(), AUTHORITY.revoke(Leaf(MIDDLE.certificate, MIDDLE.key))),
    ),
    "list missing": Case(
        GOOD,
        f"the --crl file lacks the list of an authority above {{peer}}, {UNKNOWN_IF_REVOKED}",
        f"{NEEDS} 'Test CA'",
        options=lists(STRANGER.revoke()),
    ),
    "one of two lists missing": Case(
        MIDDLE.issue(HOST),
        f"the --crl file lacks the list of an authority above {{peer}}, {UNKNOWN_IF_REVOKED}",
        f"{NEEDS} 'Middle CA'",
        options=lists(MIDDLE.revoke()),
    ),
    "list expired": Case(
        GOOD,
        f"a list in the --crl file has expired, {UNKNOWN_IF_REVOKED}",
        "fetch the newest",
        options=lists(AUTHORITY.revoke(until=NOW - DAY)),
    ),
    "list not yet valid": Case(
        GOOD,
        f"a list in the --crl file is not valid yet, {UNKNOWN_IF_REVOKED}",
        "clock",
        options=lists(AUTHORITY.revoke(since=NOW + DAY)),
    ),
    "list forged": Case(
        GOOD,
        f"a list in the --crl file was not signed by its authority, {UNKNOWN_IF_REVOKED}",
        "fetch it once more",
        options=lists(Authority("Test CA").revoke()),
    ),
}


EVERYWHERE = {"expired", "another host", "unknown authority", "revoked"}
"""The others differ in words only, which all transports share."""


@pytest.mark.parametrize(
    ("scheme", "case"),
    [(scheme, case) for case in CASES for scheme in ENCRYPTED if scheme == "stomp+ssl" or case in EVERYWHERE],
)
def test_a_certificate_that_is_not_trusted(world, case):
    case = CASES[case]
    front = world.serve(case.leaf)
    refused(world.publish(front, *case.options(world), host=case.host), front, case.says, case.hint, host=case.host)


class TestInsecure:
    @pytest.mark.parametrize(
        ("scheme", "case"),
        [
            *((scheme, "self-signed") for scheme in ENCRYPTED),
            ("stomp+ssl", "expired"),
            ("stomp+ssl", "another address"),
        ],
    )
    def test_no_certificate_is_refused_and_that_is_said(self, world, case):
        result = world.publish(world.serve(CASES[case].leaf), "--insecure")
        assert result.code == 0
        assert result.err.splitlines()[0] == "mqctl: --insecure: the broker's certificate is not checked"

    def test_it_is_said_even_with_quiet(self, world):
        assert "the broker's certificate is not checked" in world.publish(world.serve(), "--insecure", "--quiet").err

    def test_no_profile_and_no_variable_can_say_it(self, world):
        front = world.serve(self_signed(HOST))
        profile = world.file(
            "p.toml", f'url = "{world.scheme}://{HOST}:{front.port}"\n[tls]\nverify = false\n'.encode()
        )
        result = run_here(("publish", "rect", "45", "--profile", profile), world.env)
        assert result.code == ExitCode.USAGE
        assert "the broker's certificate is always checked" in result.err
        world.env |= {"MQCTL_INSECURE": "1", "MQCTL_VERIFY": "false"}
        assert world.publish(front).code == ExitCode.CONNECTION


class TestClientCertificates:
    @pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda each: each.name)
    def front(self, request, world) -> Front:
        return world.serve(clients=AUTHORITY, minimum_version=request.param, maximum_version=request.param)

    @pytest.mark.parametrize("scheme", ENCRYPTED)
    def test_one_is_wanted(self, world, front):
        says = "{peer} ended the TLS handshake: it wants a client certificate(, or a cipher that we lack)?"
        refused(world.publish(front), front, says, "show one: --cert FILE --key FILE")

    @pytest.mark.parametrize(
        ("leaf", "says"),
        [
            (STRANGER.issue("me", usage=CLIENT), "it does not trust the authority of our client certificate"),
            (AUTHORITY.issue("me", usage=CLIENT, until=NOW - DAY), "our client certificate has expired"),
            (AUTHORITY.issue("me"), "our client certificate is not meant for clients"),
        ],
        ids=["unknown authority", "expired", "another usage"],
    )
    def test_ours_is_refused(self, world, front, leaf, says):
        cert, key = leaf.write(world.folder, "me")
        result = world.publish(front, "--cert", str(cert), "--key", str(key))
        refused(result, front, f"{{peer}} ended the TLS handshake: {says}", "--cert")

    def test_ours_is_revoked(self, world):
        ours = AUTHORITY.issue("me", usage=CLIENT)
        context = server_context(GOOD, world.folder, clients=AUTHORITY)
        context.load_verify_locations(cafile=world.file("lists.pem", AUTHORITY.revoke(ours)))
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        front = world.stack.enter_context(tls_front(context, world.behind.endpoints[0]))
        cert, key = ours.write(world.folder, "me")
        result = world.publish(front, "--cert", str(cert), "--key", str(key))
        refused(result, front, "{peer} ended the TLS handshake: our client certificate was revoked", "--cert")


class TestPeersThatSpeakNoTlsOfOurs:
    def test_nothing_newer_than_tls_1_1(self, world):
        front = world.serve(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
        says = "{peer} ended the TLS handshake: it speaks no TLS from 1.2 on"
        refused(world.publish(front), front, says, "must switch on TLS 1.2")
        warned, said, _ = world.publish(front, "--insecure").err.splitlines()
        assert "is not checked" in warned
        assert said.endswith("it speaks no TLS from 1.2 on")

    def test_no_cipher_in_common(self, world):
        context = server_context(GOOD, world.folder)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
        front = world.stack.enter_context(tls_front(context, world.behind.endpoints[0]))
        says = "{peer} ended the TLS handshake: it wants a client certificate, or a cipher that we lack"
        refused(world.publish(front), front, says, "--cert")


@pytest.mark.parametrize("scheme", ["stomp", "mqtt+ws", "bayeux+http"])
@pytest.mark.parametrize(
    "options",
    [
        *(("--ca", "x"), ("--crl", "x"), ("--cert", "x"), ("--key", "x"), ("--key-password", "env:X")),
        ("--insecure",),
    ],
)
def test_an_option_of_tls_at_a_plain_scheme_is_a_wrong_call(home, scheme, options):
    """Whoever types one believes to be protected."""
    result = run_here(("publish", "rect", "45", "--url", f"{scheme}://{HOST}:1", *options), home)
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert f"mqctl: {scheme}:// is not encrypted: {options[0]} means nothing there\n" in result.err
    assert "hint: use the encrypted scheme: stomp+ssl://, mqtt+ssl://" in result.err


class TestFiles:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (("--ca", "gone.pem"), "cannot read the CA file {}/gone.pem: No such file or directory"),
            (("--ca", "."), "the CA folder {}/. has no certificate under the name of its hash"),
            (("--crl", "."), "the CRL file {}/. is a directory"),
            (("--ca", "empty"), "the CA file {}/empty holds no certificate"),
            (("--crl", "ca.pem"), "the CRL file {}/ca.pem holds no list of revoked certificates"),
            (("--cert", "me.pem"), "{}/me.pem holds no private key"),
            (("--cert", "me.pem", "--key", "gone"), "cannot read the key {}/gone: No such file or directory"),
            (
                ("--cert", "me.pem", "--key", "you.key"),
                "the key {}/you.key does not belong to the certificate {}/me.pem",
            ),
            (("--cert", "me.pem", "--key", "me.key"), "the key {}/me.key is encrypted"),
            (
                ("--cert", "me.pem", "--key", "me.key", "--key-password", "env:WRONG"),
                "the password does not open the key {}/me.key",
            ),
            (("--key", "me.key"), "the key {}/me.key has no certificate to go with it"),
        ],
        ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
    )
    def test_one_that_cannot_be_used_is_a_wrong_call(self, world, options, says):
        AUTHORITY.issue("me", usage=CLIENT).write(world.folder, "me", password=KEY_PASSWORD)
        AUTHORITY.issue("you", usage=CLIENT).write(world.folder, "you")
        world.file("ca.pem", AUTHORITY.pem)
        world.file("empty", b"")
        url = f"{world.scheme}://{HOST}:1"
        result = run_here(
            ("publish", "rect", "45", "--url", url, *options), world.env | {"WRONG": "wr0ng"}, cwd=world.folder
        )
        assert (result.code, result.out) == (ExitCode.USAGE, b"")
        assert result.err.splitlines()[0] == f"mqctl: {says.replace('{}', str(world.folder))}"
