"""A password made to be found again, and the search of all that a command printed and wrote."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

from tests.cli.commands import Result, run, run_here

WORDS = ("zqamber", "zqochre", "zqumber", "zqsepia", "zqcoral", "zqmauve", "zqtaupe", "zqéclair")
PASSWORD = "{}/{}:{}@{}#{}?{},{} %41\\{}".format(*WORDS)
WRONG = PASSWORD[::-1].replace("/", "-")
"""No word of the right one is in it."""
WRONG_WORDS = tuple(word[::-1] for word in WORDS)

QUOTED = quote(PASSWORD, safe="")


def forms(password: str, words: tuple[str, ...] = ()) -> set[bytes]:
    """What a password may look like: as it is, in part, in quotes, percent-encoded, in hexadecimal, in base64."""
    plain = password.encode()
    texts = {password, repr(password)[1:-1], ascii(password)[1:-1], json.dumps(password)[1:-1], quote(password), *words}
    found = {text.encode() for text in texts} | {quote(password, safe="").encode(), plain.hex().encode()}
    for before in range(3):
        # Whatever stands before and behind it shares the outer characters.
        for encoded in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encoded(b"\0" * before + plain)
            found.add(whole[4 if before else 0 : len(plain) * 4 // 3])
    return {form.lower() for form in found}


def leaks(data: bytes, hidden: set[bytes]) -> list[bytes]:
    """The forms that occur in it."""
    lowered = data.lower()
    return sorted(form for form in hidden if form in lowered)


HIDDEN = forms(PASSWORD, WORDS) | forms(WRONG, WRONG_WORDS)


class World:
    """Somebody with a password. `leave` searches all that was said and written since."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self.env = env
        self.folder = folder
        self.said = [b""]
        self._planted: set[Path] = set()

    def plant(self, name: str, text: str) -> Path:
        """A file that holds the password because it has to."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o700)
        self._planted.add(path)
        return path

    def hear(self, *texts: bytes | str) -> None:
        self.said += [text.encode(errors="surrogateescape") if isinstance(text, str) else text for text in texts]

    def run(self, *args: str, **env: str) -> Result:
        """The installed command, with tracebacks."""
        result = run(("--debug", *args), {**self.env, **env}, cwd=self.folder)
        self.hear(result.out, result.err)
        return result

    def here(self, *args: str, **env: str) -> Result:
        """The same in this process, where there is much to try."""
        result = run_here(("--debug", *args), {**self.env, **env}, cwd=self.folder)
        self.hear(result.out, result.err)
        return result

    def everything(self) -> bytes:
        files = [path for path in self.folder.rglob("*") if path.is_file() and path not in self._planted]
        return b"\n".join([*self.said, *(str(path).encode() + b"\n" + path.read_bytes() for path in files)])

    def leave(self) -> None:
        assert len(self.said) > 1, "nothing was heard"
        assert leaks(self.everything(), HIDDEN) == []
