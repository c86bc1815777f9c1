"""The file that a session is kept in: one process at a time, and never half of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from mqctl.errors import ConfigError, MeasuredWrong
from mqctl.protocols.bayeux.resume import SavedError, SavedSession, read, write


class SessionFile:
    """A file under lock between `with` and its end.

    Each `save` puts another file in its place, so the lock goes from one to the next: who waits for the first looks
    whether it still is the file of that name. It holds a secret, and nobody else may read it.

    Args:
        path: Of the file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.saved: SavedSession | None = None
        self._real = path.resolve()
        self._lock = -1

    def __enter__(self) -> Self:
        """Take it.

        Raises:
            ConfigError: Another process has it, it cannot be written, or what is in it is no session.
        """
        try:
            self._lock = self._locked()
            self._try_to_write()
            data = self._real.read_bytes()
        except BlockingIOError:
            raise ConfigError(
                f"{self.path} is in use: another mqctl goes on with this session", hint="give each its own file"
            ) from None
        except OSError as error:
            self._release()
            raise ConfigError(f"a session cannot be kept in {self.path}: {error.strerror or error}") from error
        if data:
            try:
                self.saved = read(data)
            except SavedError as error:
                self._release()
                hint = "to begin a new session, delete the file or name another"
                raise ConfigError(f"{self.path} cannot be resumed: {error}", hint=hint) from error
        return self

    def _locked(self) -> int:
        while True:
            descriptor = os.open(self._real, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), self._real.stat()):
                    return descriptor
            except FileNotFoundError:
                pass
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _try_to_write(self) -> None:
        """Whether another file can take its place, before there is a session to lose."""
        descriptor, name = self._draft()
        os.close(descriptor)
        Path(name).unlink()

    def _draft(self) -> tuple[int, str]:
        return tempfile.mkstemp(dir=self._real.parent, prefix=f".{self._real.name}.")

    def save(self, session: SavedSession) -> None:
        """Put this session in place of the one before.

        Raises:
            MeasuredWrong: It could not be written.
        """
        try:
            self._replace(write(session))
        except OSError as error:
            raise MeasuredWrong(f"the session could not be saved in {self.path}: {error.strerror or error}") from error
        self.saved = session

    def _replace(self, data: bytes) -> None:
        descriptor, name = self._draft()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            Path(name).replace(self._real)
        except BaseException:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        self._release()
        self._lock = descriptor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave it, and no empty one behind."""
        if self.saved is None:
            self._real.unlink(missing_ok=True)
        self._release()

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
