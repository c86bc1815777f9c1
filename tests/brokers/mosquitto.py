"""Mosquitto from Debian's package, run as an ordinary program of ours."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.brokers.files import NotInstalled, write_template
from tests.brokers.process import Broker, Credentials, placeholders, ports_for, running
from tests.brokers.tls import write_certificates

LISTENERS = {name: name for name in ("mqtt", "mqtt+ssl", "mqtt+ws", "mqtt+wss")}
"""What is served, and at whose port."""

SETTINGS = {"persistence": "true", "autosave_on_changes": "true", "autosave_interval": "1"}
"""Write the store after each change. It is written whole, so this is for safety and not for speed."""

_FOLDERS = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))


@contextlib.contextmanager
def launch(home: Path, credentials: Credentials, _heap_mb: int, **settings: object) -> Iterator[Broker]:
    """A broker with its data below `home`; `settings` are further lines of its configuration, or others for ours."""
    program = server()
    certificates = write_certificates(home)
    ports = ports_for(LISTENERS)
    write_template(
        "mosquitto.conf",
        home,
        home=home,
        # Started as root, it would go on as a user who may not write here.
        user=pwd.getpwuid(os.getuid()).pw_name,
        settings="\n".join(f"{name} {value}" for name, value in {**SETTINGS, **settings}.items()),
        **placeholders(ports),
    )
    write_template("mosquitto.acl", home, user=credentials.user, limited_user=credentials.limited_user).chmod(0o600)
    _write_passwords(home, credentials)
    configured = Broker(
        name="mosquitto",
        version=_version(program),
        home=home,
        command=[program, "-c", str(home / "mosquitto.conf")],
        ports=ports,
        credentials=credentials,
        ca_file=certificates.ca_file,
    )
    with running(configured) as broker:
        yield broker


def server() -> str:
    """The program.

    Raises:
        NotInstalled: The package is missing.
    """
    return _program("mosquitto")


def _program(name: str) -> str:
    found = shutil.which(name, path=_FOLDERS)
    if found is None:
        raise NotInstalled(f"{name} is not installed: run `make brokers`")
    return found


def _version(program: str) -> str:
    """Of `mosquitto version 2.0.11`, the first line of its help, which ends with code 3."""
    said = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    return said.partition("\n")[0].rpartition(" ")[2]


def _write_passwords(home: Path, credentials: Credentials) -> None:
    """Its own tool turns clear text into hashes, in place."""
    path = home / "passwords"
    path.touch(0o600)
    path.write_text(
        f"{credentials.user}:{credentials.password}\n{credentials.limited_user}:{credentials.limited_password}\n",
        encoding="utf-8",
    )
    subprocess.run([_program("mosquitto_passwd"), "-U", str(path)], check=True, capture_output=True)
