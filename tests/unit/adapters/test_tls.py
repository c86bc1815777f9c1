"""The files of TLS: each that cannot be used is named, with what is wrong with it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from mqctl.adapters import tls
from mqctl.errors import ConfigError
from mqctl.target import Secret, TlsOptions
from tests.certificates import DAY, NOW, Authority

AUTHORITY = Authority()
LEAF = AUTHORITY.issue("me")
OTHER = AUTHORITY.issue("other")
RSA = AUTHORITY.issue("rsa", rsa_bits=2048)
PEM_DAMAGED = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PASSWORD = "s3cret of a key"
SECRET = Secret(PASSWORD)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All there is to be read, right and wrong."""
    LEAF.write(tmp_path, "me")
    LEAF.write(tmp_path, "sealed", password=PASSWORD)
    OTHER.write(tmp_path, "other")
    RSA.write(tmp_path, "rsa")
    contents = {
        "ca.pem": AUTHORITY.pem,
        "list.pem": AUTHORITY.revoke(),
        "both.pem": AUTHORITY.revoke() + AUTHORITY.pem,
        "empty": b"",
        "text": b"no certificate",
        "der": ssl.PEM_cert_to_DER_cert(AUTHORITY.pem.decode()),
        "damaged": PEM_DAMAGED,
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "one.pem").write_bytes((tmp_path / "me.pem").read_bytes() + (tmp_path / "me.key").read_bytes())
    (tmp_path / "directory").mkdir()
    return tmp_path


def context(folder: Path, password: Secret | None = None, **files: str) -> ssl.SSLContext:
    return tls.context(TlsOptions(key_password=password, **{name: str(folder / file) for name, file in files.items()}))


def complaint(folder: Path, password: Secret | None = None, **files: str) -> str:
    """What is said, with the hint; the folder's name left out."""
    with pytest.raises(ConfigError) as caught:
        context(folder, password, **files)
    said = f"{caught.value} | {caught.value.hint}".replace(f"{folder}/", "")
    assert PASSWORD not in said + repr(caught.value.args) + repr(caught.value.__cause__)
    return said


class TestContext:
    def test_nothing_before_tls_1_2(self):
        assert tls.context(TlsOptions()).minimum_version is ssl.TLSVersion.TLSv1_2

    def test_names_and_authorities_are_checked(self):
        made = tls.context(TlsOptions())
        assert made.check_hostname
        assert made.verify_mode is ssl.CERT_REQUIRED

    def test_an_authority_takes_the_place_of_the_systems(self, folder):
        held = context(folder, ca_file="ca.pem")
        assert held.cert_store_stats() == {"x509": 1, "x509_ca": 1, "crl": 0}

    def test_a_list_is_checked_for_the_whole_chain(self, folder):
        made = context(folder, ca_file="ca.pem", crl_file="list.pem")
        assert made.cert_store_stats()["crl"] == 1
        assert made.verify_flags & ssl.VERIFY_CRL_CHECK_CHAIN == ssl.VERIFY_CRL_CHECK_CHAIN

    def test_without_verification_no_file_of_authorities_is_read(self, folder):
        made = tls.context(TlsOptions(ca_file="/no/such/file", crl_file="/no/such/file", verify=False))
        assert made.verify_mode is ssl.CERT_NONE

    @pytest.mark.parametrize(
        ("files", "password"),
        [
            ({"cert_file": "me.pem", "key_file": "me.key"}, None),
            ({"cert_file": "me.pem", "key_file": "me.key"}, SECRET),
            ({"cert_file": "me.pem", "key_file": "sealed.key"}, SECRET),
            ({"cert_file": "one.pem"}, None),
        ],
        ids=["plain key", "needless password", "encrypted key", "all in one file"],
    )
    def test_a_certificate_of_ours(self, folder, files, password):
        assert context(folder, password, **files)


class TestComplaints:
    def test_folders(self, folder):
        assert (
            complaint(folder, crl_file="directory") == "the CRL file directory is a directory | name a PEM file in it"
        )
        assert complaint(folder, ca_file="directory").startswith(
            "the CA folder directory has no certificate under the name of its hash | openssl rehash directory, or name"
        )

    @pytest.mark.parametrize(("option", "what"), [("ca_file", "CA file"), ("crl_file", "CRL file")])
    @pytest.mark.parametrize(
        ("file", "says"),
        [
            ("gone", "cannot read the {what} gone: No such file or directory | None"),
            ("empty", "the {what} empty holds no {held} | it must be PEM"),
            ("text", "the {what} text holds no {held} | it must be PEM"),
            ("me.key", "the {what} me.key holds no {held} | it must be PEM"),
            ("der", "the {what} der holds no {held} | it is DER or PKCS #12; `openssl x509`"),
            ("damaged", "the {what} damaged is damaged | it must be PEM"),
        ],
        ids=lambda each: each.partition(" ")[0],
    )
    def test_authorities_and_lists(self, folder, option, what, file, says):
        held = "certificate" if option == "ca_file" else "list of revoked certificates"
        assert complaint(folder, **{option: file}).startswith(says.format(what=what, held=held))

    def test_a_list_in_place_of_an_authority(self, folder):
        assert complaint(folder, ca_file="list.pem").startswith("the CA file list.pem holds no certificate")

    def test_an_authority_among_the_lists_is_not_trusted_in_passing(self, folder):
        assert complaint(folder, crl_file="both.pem").startswith("the CRL file both.pem holds certificates too | ")

    @pytest.mark.parametrize(
        ("cert", "key", "password", "says"),
        [
            ("gone", "me.key", None, "cannot read the client certificate gone: No such file"),
            ("me.pem", "gone", None, "cannot read the key gone: No such file"),
            ("directory", "me.key", None, "the client certificate directory is a directory"),
            ("me.pem", "directory", None, "the key directory is a directory"),
            ("text", "me.key", None, "the client certificate text holds no certificate | it must be PEM"),
            ("der", "me.key", None, "the client certificate der holds no certificate | it is DER or PKCS #12"),
            ("me.key", "me.key", None, "the client certificate me.key holds no certificate"),
            ("damaged", "me.key", None, "the client certificate damaged is damaged"),
            ("me.pem", "text", None, "text holds no private key | it must be PEM"),
            ("me.pem", "other.pem", None, "other.pem holds no private key"),
            ("me.pem", "other.key", None, "the key other.key does not belong to the certificate me.pem"),
            ("me.pem", "rsa.key", None, "the key rsa.key does not belong to the certificate me.pem"),
            ("me.pem", "sealed.key", None, "the key sealed.key is encrypted | say where its password is: --key-pass"),
            ("me.pem", "sealed.key", Secret("wrong"), "the password does not open the key sealed.key"),
            ("me.pem", "sealed.key", Secret(PASSWORD * 100), "the password does not open the key sealed.key"),
        ],
    )
    def test_a_certificate_of_ours(self, folder, cert, key, password, says):
        assert complaint(folder, password, cert_file=cert, key_file=key).startswith(says)

    def test_no_key_at_all(self, folder):
        said = complaint(folder, cert_file="me.pem")
        assert said == "me.pem holds no private key | name the file of the key: --key"

    def test_a_key_alone(self, folder):
        assert complaint(folder, key_file="me.key") == "the key me.key has no certificate to go with it | --cert FILE"

    def test_a_list_that_has_expired_is_read(self, folder):
        """It is the handshake that finds it too old, and names the broker that cannot be checked."""
        (folder / "old.pem").write_bytes(AUTHORITY.revoke(until=NOW - DAY))
        assert context(folder, crl_file="old.pem")
