"""What `profile check` finds without connecting."""

from __future__ import annotations

import pytest

from mqctl.profiles.check import Report, check

SCHEMES = ("stomp", "stomp+ssl")
VIEWS = ("rect", "chart")


def report(world, text, name="mine"):
    world.put("user", name, text)
    return check(world.store, world.store.find(name), schemes=SCHEMES, views=VIEWS)


def test_right(world):
    """A profile that could be used has no problem."""
    assert report(world, 'extends = "rabbitmq"') == Report()


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("url = ", ["is not TOML"]),
        ('ulr = "x"\n[auth]\nusr = "x"', ["unknown key ulr", "unknown key auth.usr"]),
        ('extends = "gone"', ["extends: no profile 'gone'"]),
        ("", ["it has no url, and no parent that has one"]),
        ('url = "stmp://h"', ["no transport for stmp://; did you mean 'stomp'?"]),
        ('url = "ssl://h:61617"', ["ssl:// is OpenWire"]),
        ('url = "wss://h"', ["wss:// does not say which protocol is spoken; write stomp+wss://"]),
        ('url = "stomp://h"\nprotocol = "mqtt"', ["--protocol mqtt does not fit stomp://"]),
        (
            'url = "stomp://b-4aada85d-a80c-4be0-9d30-e344a01b921e-1.mq.eu-west-1.on.aws"',
            ["takes TLS only; use stomp+ssl://"],
        ),
        (
            'url = "stomp://h"\n[topics.a]\nview = "rekt"\n[topics.b]\nview = "rect"\n[defaults.watch]\nview = "x"',
            [
                "defaults.watch.view: no view 'x'; known: rect, chart",
                "topics.a.view: no view 'rekt'; did you mean 'rect'?",
            ],
        ),
        (
            'url = "stomp://h"\n[tls]\nca = "ca.pem"\nkey = "k.pem"\ncrl = "r.pem"',
            [f"{key}: no file at" for key in ("ca", "key", "crl")],
        ),
    ],
)
def test_wrong(world, text, problems):
    """Each mistake is one problem, and all of them are told."""
    found = report(world, text)
    assert len(found.problems) == len(problems)
    assert all(words in problem for words, problem in zip(problems, found.problems, strict=True))


def test_files_that_are_there(world):
    """A file is looked for beside the profile that names it."""
    world.put("user", "ca")
    assert report(world, 'url = "stomp://h"\n[tls]\nca = "ca.toml"') == Report()


def test_sample_to_fill_in(world):
    """A placeholder is no mistake, but something to do."""
    assert report(world, 'extends = "amazonmq"') == Report(
        (),
        "<broker-id>",
        "mqctl profile add NAME --amazonmq BROKER, or mqctl profile add NAME --extends mine --url URL",
    )


def test_unavailable(world):
    """Why there is nothing to connect to is no mistake either."""
    assert report(world, 'unavailable = "no"') == Report(unavailable="no")
    assert report(world, 'unavailable = "no"\n[defaults.watch]\nview = "x"').problems


def test_environment_does_not_matter(world):
    """What is checked is the profile and not what a variable makes of it; no secret is read."""
    world.environ["MQCTL_URL"] = "nonsense"
    assert report(world, 'url = "stomp://h"\n[auth]\npassword = "command:false"') == Report()
