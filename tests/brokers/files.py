"""Where the installed brokers are, and the configuration files of one instance."""

from __future__ import annotations

import shutil
from pathlib import Path
from string import Template

_HERE = Path(__file__).parent
DISTRIBUTIONS = _HERE.parent.parent / ".brokers"
"""What `scripts/brokers` unpacked."""

INTEROP = _HERE.parent / "interop"
"""A folder for each foreign client, with its driver; `scripts/brokers` installs there what the driver needs."""


class NotInstalled(Exception):
    """The broker, or what it runs on, is not on this machine."""


def installed(name: str) -> Path:
    """The unpacked distribution of a Java broker.

    Raises:
        NotInstalled: `scripts/brokers` has not been run.
    """
    folder = DISTRIBUTIONS / name
    if not folder.exists():
        raise NotInstalled(f"{name} is not installed: run `make brokers`")
    return folder.resolve()


def foreign(client: str, script: str = "driver.js") -> list[str]:
    """The command line of a script of a foreign client, such as `stompjs`.

    Raises:
        NotInstalled: Node.js or the package is missing.
    """
    node = shutil.which("node")
    if node is None or not (INTEROP / client / "node_modules").exists():
        raise NotInstalled(f"{client} is not installed: run `make brokers`")
    return [node, str(INTEROP / client / script)]


def version_of(distribution: Path) -> str:
    """`5.18.3` of `…/apache-activemq-5.18.3`."""
    return distribution.name.rpartition("-")[2]


def java(heap_mb: int) -> list[str]:
    """The start of a Java command line.

    Raises:
        NotInstalled: There is no Java.
    """
    program = shutil.which("java")
    if program is None:
        raise NotInstalled("java is not installed: a Java runtime, 17 or newer, is needed")
    return [program, "-Xms64m", f"-Xmx{heap_mb}m", "-XX:+UseSerialGC", "-Djava.awt.headless=true"]


def write_template(name: str, folder: Path, **values: object) -> Path:
    """Fill in `templates/<name>` and write it to `folder` under the same name."""
    text = (_HERE / "templates" / name).read_text(encoding="utf-8")
    path = folder / name
    path.write_text(Template(text).substitute({key: str(value) for key, value in values.items()}), encoding="utf-8")
    return path
