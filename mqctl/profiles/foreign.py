"""Schemes that people paste from a broker's console and mqctl does not speak: what they are and what to take. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple


class Foreign(NamedTuple):
    """What a scheme stands for, as the rest of a sentence, and what to do instead."""

    meaning: str
    hint: str


_TAKE_ANOTHER: Final = (
    "take the address of the same broker that begins with stomp or mqtt; at Amazon MQ with stomp+ssl://, mqtt+ssl:// "
    "or wss://"
)
_OPENWIRE: Final = Foreign(
    "is OpenWire, the protocol of ActiveMQ's own clients, which mqctl does not speak", _TAKE_ANOTHER
)
_AMQP: Final = Foreign(
    "is AMQP, which mqctl does not speak",
    f"{_TAKE_ANOTHER}; the RabbitMQ engine of Amazon MQ has none of these, a RabbitMQ of your own has plugins for them",
)
_PAGE: Final = Foreign("is a web page, such as the console of a broker, and not the broker", _TAKE_ANOTHER)

FOREIGN: Final = {
    **dict.fromkeys(("tcp", "ssl", "nio", "nio+ssl", "auto", "auto+ssl", "auto+nio", "auto+nio+ssl", "vm"), _OPENWIRE),
    **dict.fromkeys(("amqp", "amqps", "amqp+ssl", "amqp+nio", "amqp+nio+ssl"), _AMQP),
    **dict.fromkeys(("http", "https"), _PAGE),
}
"""By scheme. The names are those of ActiveMQ's transport connectors and of the consoles of Amazon MQ."""
