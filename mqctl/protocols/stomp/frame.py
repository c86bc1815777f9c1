"""One STOMP frame as a value, and the error of bytes that are none."""

from __future__ import annotations

from dataclasses import dataclass

from mqctl.errors import ProtocolError


@dataclass(slots=True)
class Frame:
    """A frame, decoded: `headers` unescaped, `body` verbatim. Not frozen: one is made for every message."""

    command: str
    headers: dict[str, str]
    body: bytes = b""


class FrameError(ProtocolError):
    """The bytes are no STOMP frame, or one beyond a limit. The connection cannot go on.

    Args:
        message: What is wrong, in one sentence.
        limit: The name of the limit that was passed, where it was one.
    """

    def __init__(self, message: str, *, limit: str | None = None) -> None:
        super().__init__(f"{message} (limit: {limit})" if limit else message)
        self.limit = limit
        self.frames: list[Frame] = []
        """Frames of the same read that were complete before the bad one; nothing of the peer's is lost."""
