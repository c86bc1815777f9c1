"""References to AWS Secrets Manager, and the password in its answer."""

from __future__ import annotations

import traceback

import pytest

from mqctl.errors import SecretError
from mqctl.profiles.aws_secret import SecretName, parse_name, text_of

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf"


@pytest.mark.parametrize(
    ("text", "name", "region"),
    [
        ("shop/broker", SecretName("shop/broker"), None),
        ("shop/broker#password", SecretName("shop/broker", "password"), None),
        ("shop#", SecretName("shop"), None),
        (f"{ARN}#a#b", SecretName(ARN, "a#b"), "us-east-1"),
    ],
)
def test_names(text, name, region):
    """The first `#` ends the name; an ARN knows its region."""
    assert (parse_name(text), parse_name(text).region) == (name, region)


def test_text():
    """For people it is written as in a profile."""
    assert str(SecretName("shop", "pw")) == "aws-secret:shop#pw"
    assert str(SecretName("shop")) == "aws-secret:shop"


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("s", {"SecretString": "hunter2"}),
        ("s", {"SecretString": "hunter2\r\nmore"}),
        ("s", {"SecretBinary": b"hunter2\n"}),
        ("s#pw", {"SecretString": '{"pw": "hunter2"}'}),
        ("s#pw", {"SecretBinary": b'{"pw": "hunter2", "user": "u"}'}),
    ],
)
def test_password(reference, answer):
    """A text's first line, or a member of a JSON object."""
    assert text_of(answer, parse_name(reference), "password").reveal() == "hunter2"


def test_json_that_is_no_object():
    """A password of digits is JSON too, and a password all the same."""
    assert text_of({"SecretString": "12345"}, parse_name("s"), "password").reveal() == "12345"


@pytest.mark.parametrize(
    ("reference", "answer", "words", "hint"),
    [
        (
            "s",
            {"SecretString": '{"password": "hunter2"}'},
            "is a JSON object",
            "name the member: aws-secret:s#password",
        ),
        ("s", {"SecretString": '{"pw": "hunter2", "u": 1}'}, "is a JSON object", "it has pw, u"),
        ("s#x", {"SecretString": '{"pw": "hunter2"}'}, "aws-secret:s has no member 'x'", "it has pw"),
        ("s#x", {"SecretString": '{"x": 2}'}, "s#x is no text, or is empty", "quotes there too"),
        ("s#x", {"SecretString": '{"x": ""}'}, "s#x is no text, or is empty", "quotes there too"),
        ("s#x", {"SecretString": "hunter2"}, "no JSON object", "use aws-secret:s"),
        ("s#x", {"SecretString": '["hunter2"]'}, "no JSON object", "use aws-secret:s"),
        ("s", {"SecretBinary": b"hunter2\xff"}, "is binary", "None"),
        ("s", {"SecretString": "\nhunter2"}, "the first line of aws-secret:s is empty", "None"),
        ("s", {}, "the first line of aws-secret:s is empty", "None"),
    ],
)
def test_no_password(reference, answer, words, hint):
    """What is no password is an error whose traceback has nothing of the secret's values."""
    with pytest.raises(SecretError, match=words) as refused:
        text_of(answer, parse_name(reference), "password for alice")
    assert str(refused.value).startswith("password for alice: ")
    assert hint in str(refused.value.hint)
    assert "hunter2" not in "".join(traceback.format_exception(refused.value)) + str(refused.value.hint)
