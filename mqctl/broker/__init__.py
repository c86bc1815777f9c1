"""What the hub decides: topics, queues, acknowledgements, limits. Pure: effects out, no IO, no clock."""

from mqctl.broker.core import Broker, BrokerStats
from mqctl.broker.effects import (
    DeadLettered,
    Deliver,
    Dropped,
    DurableEnded,
    Effect,
    Evict,
    FanOut,
    Hold,
    Release,
    Unfinished,
)
from mqctl.broker.ledger import Subscriber
from mqctl.broker.refusals import (
    AddressRefused,
    DurableRefused,
    LimitExceeded,
    NotOpen,
    UnknownDelivery,
    UnknownSubscription,
)
from mqctl.broker.values import (
    DEAD_LETTER_QUEUE,
    DEAD_LETTER_REASON_HEADER,
    DEFAULT_PREFETCH,
    ORIGINAL_DESTINATION_HEADER,
    Address,
    AddressKind,
    DropReason,
    Limits,
    Message,
    SlowConsumer,
)

__all__ = [
    "DEAD_LETTER_QUEUE",
    "DEAD_LETTER_REASON_HEADER",
    "DEFAULT_PREFETCH",
    "ORIGINAL_DESTINATION_HEADER",
    "Address",
    "AddressKind",
    "AddressRefused",
    "Broker",
    "BrokerStats",
    "DeadLettered",
    "Deliver",
    "DropReason",
    "Dropped",
    "DurableEnded",
    "DurableRefused",
    "Effect",
    "Evict",
    "FanOut",
    "Hold",
    "LimitExceeded",
    "Limits",
    "Message",
    "NotOpen",
    "Release",
    "SlowConsumer",
    "Subscriber",
    "Unfinished",
    "UnknownDelivery",
    "UnknownSubscription",
]
