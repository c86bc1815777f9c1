"""What can go wrong, each with the exit code it ends the program with and a hint for the person at the keyboard.

MqctlError
├── UsageError              a wrong call, a wrong combination of options
│   ├── TopicError          a name that is no topic, or that a protocol cannot express
│   └── ConfigError         a profile, an option or an environment variable
│       └── SecretError     a password that its reference does not lead to
├── PluginError             a transport that is not installed or does not load
├── ConnectError            nobody answers, or not in the protocol asked for
│   ├── TlsError            the certificate, or a plain peer on a TLS port
│   └── ConnectionLost      an established connection went away
├── RefusedError            the broker said no: password, permission, destination, limit
│   └── UnsupportedError    the transport or this broker cannot do it; nothing was sent
├── ProtocolError           the peer broke the protocol's rules
├── OperationTimeout        the time given by the user is over
└── MeasuredWrong           the thing measured is wrong: loss, an unmet expectation
"""

from __future__ import annotations

import enum
from typing import ClassVar


class ExitCode(enum.IntEnum):
    """How `mqctl` ends. The table in README is this one."""

    OK = 0
    WRONG = 1
    USAGE = 2
    INCONCLUSIVE = 3
    CONNECTION = 4
    REFUSED = 5
    PROTOCOL = 6
    PLUGIN = 7
    BUG = 70
    TIMEOUT = 124
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One line for the table of exit codes."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "all went well",
    ExitCode.WRONG: "what was measured is wrong: loss, an unmet expectation, output that could not be written",
    ExitCode.USAGE: "wrong usage or configuration; nothing was sent",
    ExitCode.INCONCLUSIVE: "could not tell: a confirmation did not come in time",
    ExitCode.CONNECTION: "cannot connect, or the connection was lost",
    ExitCode.REFUSED: "refused by the broker: password, permission, destination, limit",
    ExitCode.PROTOCOL: "the peer broke the protocol",
    ExitCode.PLUGIN: "a plugin or an extra is missing or broken",
    ExitCode.BUG: "a bug in mqctl",
    ExitCode.TIMEOUT: "--timeout is over",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
}


class MqctlError(Exception):
    """Root of all errors that mqctl raises on purpose.

    Args:
        message: One sentence, without the program's name, for people.
        hint: What to do about it, if that is known.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(MqctlError):
    """A wrong call or a wrong combination of options."""

    exit_code = ExitCode.USAGE


class TopicError(UsageError):
    """A name that is no topic, or that the protocol cannot express."""


class ConfigError(UsageError):
    """A profile, an option or an environment variable does not make sense."""


class SecretError(ConfigError):
    """A reference to a secret leads nowhere."""


class PluginError(MqctlError):
    """A transport that is not installed or does not load."""

    exit_code = ExitCode.PLUGIN


class ConnectError(MqctlError):
    """Nobody answers, or not in the protocol asked for."""

    exit_code = ExitCode.CONNECTION


class TlsError(ConnectError):
    """The certificate is not trusted, or one side does not speak TLS."""


class ConnectionLost(ConnectError):
    """An established connection went away."""


class RefusedError(MqctlError):
    """The broker said no."""

    exit_code = ExitCode.REFUSED


class UnsupportedError(RefusedError):
    """The transport or this broker cannot do it; nothing was sent."""


class ProtocolError(MqctlError):
    """The peer broke the protocol's rules."""

    exit_code = ExitCode.PROTOCOL


class OperationTimeout(MqctlError):
    """The time that the user gave is over."""

    exit_code = ExitCode.TIMEOUT


class MeasuredWrong(MqctlError):
    """What was measured is wrong: loss, an unmet expectation."""

    exit_code = ExitCode.WRONG
