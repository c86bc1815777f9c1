"""Secrets by reference: each way leads there, each failure says so, and no message has the secret."""

from __future__ import annotations

import io
import os
import sys
import traceback
from types import SimpleNamespace

import pytest

from mqctl.errors import SecretError
from mqctl.profiles import secrets
from mqctl.profiles.secrets import Reference, SecretKind, follow, parse_reference
from mqctl.target import Secret

PYTHON = sys.executable


def fetch(text, *, environ=None, base="/"):
    return follow(parse_reference(text), environ=environ or {}, base=str(base), what="password for alice")


@pytest.mark.parametrize(
    ("text", "kind", "rest"),
    [
        ("env:NAME", SecretKind.ENV, "NAME"),
        ("file:a:b", SecretKind.FILE, "a:b"),
        ("command:pass show x", SecretKind.COMMAND, "pass show x"),
        ("aws-secret:shop/broker#pw", SecretKind.AWS_SECRET, "shop/broker#pw"),
        ("prompt", SecretKind.PROMPT, ""),
    ],
)
def test_parse(text, kind, rest):
    """The first colon ends the kind."""
    assert parse_reference(text) == Reference(kind, rest)


@pytest.mark.parametrize("text", ["hunter2", "hunter2:x", "prompt:hunter2", "PROMPT hunter2", ""])
def test_parse_refuses_a_password(text):
    """What is no reference may be a password: the refusal shows how to refer, and repeats nothing."""
    with pytest.raises(ValueError, match='write "env:NAME"') as refused:
        parse_reference(text)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("text", ["env:", "file: ", "command:", "aws-secret:", "aws-secret: #pw", "aws-secret:shop#"])
def test_parse_refuses_emptiness(text):
    """A kind alone leads nowhere."""
    with pytest.raises(ValueError, match="nothing follows"):
        parse_reference(text)


def test_texts_of_references():
    """A command shows its program and no argument, which may be a token."""
    shown = {
        text: str(parse_reference(text))
        for text in ("env:A", "file:/x y", "file:#x", "prompt", "command:pass", "aws-secret:s#k")
    }
    assert all(text == seen for text, seen in shown.items())
    assert repr(parse_reference("command: vault -token=t0ken read")) == "command:vault …"


def test_env():
    """A variable that is set gives its text, spaces and all."""
    found = fetch("env:P", environ={"P": " hunter2 "})
    assert (found.secret.reveal(), found.warning) == (" hunter2 ", None)
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize("environ", [{}, {"P": ""}])
def test_env_not_set(environ):
    """A variable that is absent or empty is an error that names it and says what to do."""
    with pytest.raises(SecretError, match="password for alice: the environment variable P is not set") as refused:
        fetch("env:P", environ=environ)
    assert refused.value.hint == "export P=…"


@pytest.mark.parametrize("content", [b"hunter2", b"hunter2\n", b"hunter2\r\nsecond\n", b"hunter2\n\xff"])
def test_file(tmp_path, content):
    """The first line counts, whatever ends it and whatever follows."""
    path = tmp_path / "pw"
    path.write_bytes(content)
    path.chmod(0o600)
    if content.endswith(b"\xff"):
        with pytest.raises(SecretError, match="not UTF-8"):
            fetch("file:pw", base=tmp_path)
    else:
        found = fetch("file:pw", base=tmp_path)
        assert (found.secret.reveal(), found.warning) == ("hunter2", None)


def test_file_from_home(tmp_path, monkeypatch):
    """`~` is the home directory, and an absolute path ignores the base."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pw").write_text("hunter2")
    assert fetch("file:~/pw").secret.reveal() == "hunter2"
    assert fetch(f"file:{tmp_path}/pw", base="/nowhere").secret.reveal() == "hunter2"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_open_file_warns(tmp_path, mode):
    """A file that anybody else may touch works, with a warning that names the cure and not the secret."""
    path = tmp_path / "pw"
    path.write_text("hunter2")
    path.chmod(mode)
    found = fetch("file:pw", base=tmp_path)
    assert found.secret.reveal() == "hunter2"
    assert found.warning
    assert f"chmod 600 {path}" in found.warning
    assert "hunter2" not in found.warning


def test_no_warning_where_the_mode_says_nothing(tmp_path, monkeypatch):
    """Windows shows every file as one that all can read, and has no chmod."""
    (tmp_path / "pw").write_text("hunter2")
    monkeypatch.setattr(secrets, "os", SimpleNamespace(name="nt", path=os.path, fstat=os.fstat))
    assert fetch("file:pw", base=tmp_path).warning is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "cannot read .*pw: No such file"),
        (lambda path: path.mkdir(), "cannot read .*pw: Is a directory"),
        (lambda path: path.write_text("\nhunter2"), "the first line of .*pw is empty"),
        (lambda path: path.write_bytes(b"hunter2\xff"), "pw is not UTF-8 text"),
    ],
)
def test_file_that_leads_nowhere(tmp_path, make, words):
    """A file without a secret is an error whose traceback has nothing of the file in it."""
    make(tmp_path / "pw")
    with pytest.raises(SecretError, match=words) as refused:
        fetch("file:pw", base=tmp_path)
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))


def test_large_file_is_cut(tmp_path, monkeypatch):
    """Of a file that cannot be a password no more is read than the limit."""
    monkeypatch.setattr(secrets, "SECRET_BYTES_MAX", 4)
    (tmp_path / "pw").write_text("hunter2")
    assert fetch("file:pw", base=tmp_path).secret.reveal() == "hunt"


def test_command(tmp_path):
    """The first line that a command prints is the secret; it runs where the profile lies, without a shell."""
    script = tmp_path / "show secret.py"
    script.write_text("import os, sys; print(sys.argv[1], os.getcwd()); print('more')")
    found = fetch(f"command:{PYTHON} 'show secret.py' '$HOME;x'", base=tmp_path)
    assert found.secret.reveal() == f"$HOME;x {tmp_path}"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"{PYTHON} -c 'print(\"hunter2\"); raise SystemExit(3)'", "ended with 3"),
        (f"{PYTHON} -c pass", "the first line of command:.* is empty"),
        (f"{PYTHON} -c 'import os; os.write(1, bytes([255]))'", "not UTF-8"),
        ("/nowhere/at-all hunter2", "cannot run command:/nowhere/at-all …: No such file"),
        ("pass 'hunter2", "cannot be split into words: No closing quotation"),
    ],
)
def test_command_that_leads_nowhere(command, words):
    """A command that fails is named by its program; its arguments and output stay out of the traceback."""
    with pytest.raises(SecretError, match=words) as refused:
        fetch(f"command:{command}")
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))


def test_command_that_hangs(monkeypatch):
    """A command has a time limit."""
    monkeypatch.setattr(secrets, "COMMAND_TIMEOUT_S", 0.2)
    with pytest.raises(SecretError, match=r"did not end within 0.2 s"):
        fetch(f"command:{PYTHON} -c 'import time; time.sleep(60)'")


def test_aws():
    """What follows the colon goes to whoever asks AWS; without anybody, that is an error."""
    reference = parse_reference("aws-secret:s#k")

    def ask(name, what):
        return Secret(f"{name} for {what}")

    found = follow(reference, environ={}, base="/", what="alice", ask_aws=ask)
    assert found.secret.reveal() == "s#k for alice"
    with pytest.raises(SecretError, match="alice: nobody here asks AWS for aws-secret:s#k"):
        follow(reference, environ={}, base="/", what="alice")


def test_prompt_needs_a_terminal(monkeypatch):
    """Without a terminal nobody can be asked; the hint names what scripts use."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("hunter2"))
    with pytest.raises(SecretError, match="no terminal to ask") as refused:
        fetch("prompt")
    assert "env:NAME" in (refused.value.hint or "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_prompt(monkeypatch):
    """On a terminal the question names what the secret is for; no answer is an error."""
    asked = []
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda question: asked.append(question) or "hunter2")
    assert fetch("prompt").secret.reveal() == "hunter2"
    assert asked == ["password for alice: "]

    def nobody(question):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody)
    with pytest.raises(SecretError, match="nothing was entered"):
        fetch("prompt")


def test_environment_is_untouched():
    """Following a reference changes no variable of the process."""
    before = dict(os.environ)
    fetch("env:P", environ={"P": "hunter2"})
    assert dict(os.environ) == before
