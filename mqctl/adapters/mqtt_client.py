"""paho-mqtt as clerk: it composes and reads all packets but those that carry messages and confirm them.

The bytes are ours both ways. paho would open sockets itself, write from whichever thread holds a packet, so that two
may change places, keep what does not leave without a bound, and spend twenty times as long on a PUBLISH as is needed.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from mqctl.adapters.deferred import defer
from mqctl.errors import ProtocolError
from mqctl.protocols.mqtt.outbox import Outbox
from mqctl.protocols.mqtt.reasons import RETURN_CODES
from mqctl.target import MqttOptions

# Only for proxies, which are not paho's business here; it takes longer to import than paho itself.
defer("urllib.request")

from paho.mqtt import client as paho  # noqa: E402 - after the precaution
from paho.mqtt.client import topic_matches_sub  # noqa: E402
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion  # noqa: E402
from paho.mqtt.exception import MQTTException  # noqa: E402
from paho.mqtt.packettypes import PacketTypes  # noqa: E402
from paho.mqtt.properties import Properties  # noqa: E402
from paho.mqtt.reasoncodes import ReasonCode  # noqa: E402
from paho.mqtt.subscribeoptions import SubscribeOptions  # noqa: E402

__all__ = ["Client", "Connack", "Goodbye", "Verdict", "topic_matches_sub"]

VERSIONS: Final = {
    "3.1": MQTTProtocolVersion.MQTTv31,
    "3.1.1": MQTTProtocolVersion.MQTTv311,
    "5": MQTTProtocolVersion.MQTTv5,
}

RECEIVE_MAXIMUM: Final = 1000
"""Messages that the broker may have under way to us, unacknowledged (MQTT 5, 3.1.2.11.3)."""

FOREVER_S: Final = 0xFFFF_FFFF
"""As a session's expiry: never (MQTT 5, 3.1.2.11.2)."""

_PUBLISH: Final = 0x30
_PUBREC: Final = 0x50
_PUBCOMP: Final = 0x70
_ANSWERS: Final = frozenset({0x40, _PUBREC, _PUBCOMP})
"""What the broker says of a message of ours: PUBACK, PUBREC, PUBCOMP."""

_OTHERS: Final = frozenset({0x20, 0x62, 0x90, 0xB0, 0xD0, 0xE0})
"""First bytes of what else a broker may send: CONNACK, PUBREL, SUBACK, UNSUBACK, PINGRESP, and in MQTT 5 DISCONNECT."""

_ACKNOWLEDGEMENTS: Final = {1: b"\x40\x02", 2: b"\x50\x02"}
"""How PUBACK and PUBREC begin, by quality of service."""

_BARE: Final = 2
"""Bytes of an answer that has no reason code (MQTT 5, 3.4.2.1)."""

_FAILED: Final = 0x80
_LENGTH_DIGITS: Final = 4
_REST_MAX: Final = 268_435_455
"""What four digits come to (MQTT 5, 1.5.5)."""


class Connack(NamedTuple):
    """The broker's answer to CONNECT. `code` is MQTT 5's in every version; `properties` by name without spaces."""

    code: int
    words: str
    session_present: bool
    properties: Mapping[str, Any]


class Verdict(NamedTuple):
    """The broker's answer to a request: its reason codes, and the first that is a failure in words."""

    request: str
    codes: tuple[int, ...]
    failure: str | None


class Goodbye(NamedTuple):
    """The broker's DISCONNECT (MQTT 5, 3.14), after which it sends nothing."""

    code: int
    words: str


class _Composed(threading.local):
    """What each thread has had composed and not taken."""

    def __init__(self) -> None:
        self.packets: list[bytes | bytearray] = []


class _NoSocket:
    """What paho may do to its socket: nothing."""

    def setblocking(self, flag: bool) -> None:
        pass

    def close(self) -> None:
        pass


class _Said(Properties):
    """The properties of CONNACK, of which paho refuses a Maximum Packet Size above that of any packet."""

    def __setattr__(self, name: str, value: Any) -> None:
        # It is legal, and no limit (MQTT 5, 3.2.2.3.6).
        kept = min(value, _REST_MAX) if name == "Maximum Packet Size" else value
        super().__setattr__(name, kept)  # type: ignore[no-untyped-call]  # paho's


class Client(paho.Client):
    """One connection's packets. A client lives once: a new connection has a new one.

    Args:
        options: Of the connection.
        client_id: Who we are.
        clean: Whether the broker forgets what it knows of us.
        take_publish: Called by `feed` with each PUBLISH: its first byte, and what follows its length.
    """

    def __init__(
        self, options: MqttOptions, client_id: str, *, clean: bool, take_publish: Callable[[int, bytes], None]
    ) -> None:
        self.connack: Connack | None = None
        self.goodbye: Goodbye | None = None
        self.outbox = Outbox()
        self._composed = _Composed()
        self._confirmed: list[int] = []
        self._verdicts: list[Verdict] = []
        self._version = VERSIONS[options.version]
        self._five = self._version is MQTTProtocolVersion.MQTTv5
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if self._five else clean,
            protocol=self._version,
            reconnect_on_failure=False,
        )
        self._options = options
        self._clean = clean
        self._take_publish = take_publish
        self._parts: list[bytes] = []
        self._held = 0
        self._needed = 2
        self.on_subscribe = self._granted
        self.on_unsubscribe = self._subscribed
        self.on_disconnect = self._dismissed

    def compose_connect(self, keep_alive_s: int) -> bytes:
        """CONNECT."""
        if not self._five:
            self.connect("broker", keepalive=keep_alive_s)
            return self.composed()
        properties = Properties(PacketTypes.CONNECT)
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        expiry_s = self._options.session_expiry_s
        if expiry_s is None and not self._clean:
            expiry_s = FOREVER_S
        if expiry_s is not None:
            properties.SessionExpiryInterval = min(round(expiry_s), FOREVER_S)
        self.connect("broker", keepalive=keep_alive_s, clean_start=self._clean, properties=properties)
        return self.composed()

    def compose_subscribe(
        self, pattern: str, qos: int, *, skip_retained: bool, headers: Mapping[str, str]
    ) -> tuple[str, bytes]:
        """SUBSCRIBE: the name of the request, and the packet; an empty one once the broker has said goodbye."""
        if not self._five:
            _, mid = self.subscribe(pattern, qos)
            return _of_subscribe(mid), self.composed()
        handling = SubscribeOptions.RETAIN_DO_NOT_SEND if skip_retained else SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
        properties = Properties(PacketTypes.SUBSCRIBE)
        if headers:
            properties.UserProperty = list(headers.items())
        _, mid = self.subscribe(pattern, options=SubscribeOptions(qos, retainHandling=handling), properties=properties)
        return _of_subscribe(mid), self.composed()

    def compose_unsubscribe(self, pattern: str) -> tuple[str, bytes]:
        """UNSUBSCRIBE, as `compose_subscribe`."""
        _, mid = self.unsubscribe(pattern)
        return _of_subscribe(mid), self.composed()

    def compose_acks(self, messages: Iterable[tuple[int, int]]) -> bytes:
        """What acknowledges received messages, each a packet's id and its quality of service, in their order.

        A message of QoS 2 is the receiver's from PUBREC on, so that is its acknowledgement (MQTT 3.1.1, 4.3.3).
        """
        return b"".join([_ACKNOWLEDGEMENTS[qos] + mid.to_bytes(2, "big") for mid, qos in messages])

    def compose_ping(self) -> bytes:
        """PINGREQ."""
        self._send_pingreq()
        return self.composed()

    def compose_disconnect(self) -> bytes:
        """DISCONNECT."""
        self.disconnect()
        return self.composed()

    def composed(self) -> bytes:
        """What this thread had composed since it last asked."""
        packets, self._composed.packets = self._composed.packets, []
        return b"".join(packets)

    def confirmed(self) -> list[int]:
        """The ids of the messages of ours that were confirmed since this was last asked."""
        confirmed, self._confirmed = self._confirmed, []
        return confirmed

    def verdicts(self) -> list[Verdict]:
        """The other answers that came since this was last asked."""
        verdicts, self._verdicts = self._verdicts, []
        return verdicts

    def feed(self, data: bytes) -> None:
        """Read what came. What answers packets by itself is composed.

        Raises:
            ProtocolError: It is not MQTT.
        """
        self._parts.append(data)
        self._held += len(data)
        if self._held < self._needed:
            return
        buffer = data if len(self._parts) == 1 else b"".join(self._parts)
        try:
            end = self._read_packets(buffer)
        except (MQTTException, struct.error, IndexError, ValueError, KeyError) as error:
            raise ProtocolError(f"the broker sent a packet that is no MQTT: {error}") from error
        self._parts = [buffer[end:]] if end < len(buffer) else []
        self._held = len(buffer) - end

    def _read_packets(self, buffer: bytes) -> int:
        """Read the whole packets; return where they end, and leave in `_needed` how long the rest must become."""
        at, end, publish = 0, len(buffer), self._take_publish
        while end - at >= 2:
            length, start = buffer[at + 1], at + 2
            if length > 0x7F:
                length, start = self._long_length(buffer, at + 1)
            if start + length > end:
                self._needed = start + length - at
                return at
            first = buffer[at]
            at = start + length
            if first & 0xF0 == _PUBLISH:
                publish(first, buffer[start:at])
            elif first in _ANSWERS:
                self._read_answer(first, buffer[start:at])
            else:
                self._read_packet(first, buffer[start:at])
        self._needed = 2
        return at

    def _long_length(self, buffer: bytes, at: int) -> tuple[int, int]:
        """A remaining length of several digits and where it ends; beyond the buffer, if it is not all there."""
        length = 0
        for index, digit in enumerate(buffer[at : at + _LENGTH_DIGITS]):
            length |= (digit & 0x7F) << 7 * index
            if digit <= 0x7F:
                return length, at + index + 1
        if len(buffer) - at >= _LENGTH_DIGITS:
            raise ValueError("a length has more than four digits")
        return 0, len(buffer) + 1

    def _read_answer(self, kind: int, packet: bytes) -> None:
        """PUBACK, PUBREC or PUBCOMP. What RabbitMQ has only QoS 1 for, it answers with PUBACK."""
        mid = packet[0] << 8 | packet[1]
        code, more = (0, None) if len(packet) == _BARE else self._reason(kind, packet)
        if code < _FAILED and kind == _PUBREC:
            self._composed.packets.append(self.outbox.release(mid))
        elif not self.outbox.end(mid, of_release=kind == _PUBCOMP):
            return
        elif code < _FAILED:
            self._confirmed.append(mid)
        else:
            # A PUBREC that refuses the message ends its flow (MQTT 5, 4.3.3).
            self._verdicts.append(Verdict(str(mid), (code,), _words(kind >> 4, code, more)))

    def _reason(self, kind: int, packet: bytes) -> tuple[int, Properties]:
        """The reason code of an answer, and its properties."""
        if not self._five:
            raise ValueError(f"{PacketTypes.Names[kind >> 4]} is too long")
        properties = Properties(kind >> 4)
        if len(packet) > _BARE + 1:
            properties.unpack(packet[_BARE + 1 :])
        return packet[_BARE], properties

    def _mid_generate(self) -> int:
        """The id of any packet that paho composes."""
        return self.outbox.new_id()

    def _read_packet(self, first: int, packet: bytes) -> None:
        if first not in _OTHERS:
            raise ValueError(f"{PacketTypes.Names[first >> 4]} out of place")
        self._in_packet["command"] = first
        self._in_packet["remaining_length"] = len(packet)
        self._in_packet["packet"] = bytearray(packet)
        error = self._packet_handle()
        if error > 0:
            raise ValueError(f"{PacketTypes.Names[first >> 4]} out of place")

    def _create_socket(self) -> Any:
        return _NoSocket()

    def _packet_queue(self, command: int, packet: bytes | bytearray, *_more: object, **_and_more: object) -> Any:  # noqa: ARG002
        """Where all that paho composes ends up; it would write from here."""
        self._composed.packets.append(packet)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_connack(self) -> MQTTErrorCode:
        """The answer to CONNECT; paho answers some refusals with another CONNECT, and keeps others to itself."""
        if self.connack is not None:
            raise ValueError("a second CONNACK")
        packet = bytes(self._in_packet["packet"])
        properties: Properties = _Said(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]  # paho's
        code = packet[1]
        if not self._five or code in RETURN_CODES:
            # In the words of MQTT 3 even to an MQTT 5 client, from a broker that does not know MQTT 5.
            code = RETURN_CODES.get(code, code)
        elif len(packet) > 2:
            properties.unpack(packet[2:])
        words = _words(PacketTypes.CONNACK, code, properties)
        self.connack = Connack(code, words, bool(packet[0] & 1), _as_mapping(properties))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _granted(self, _client: paho.Client, _data: Any, mid: int, codes: list[ReasonCode], more: Properties) -> None:
        if not codes:
            raise ValueError("a SUBACK that grants nothing and refuses nothing")
        self._subscribed(_client, _data, mid, codes, more)

    def _subscribed(
        self, _client: paho.Client, _data: Any, mid: int, codes: list[ReasonCode], more: Properties | None
    ) -> None:
        bad = next((code for code in codes if code.is_failure), None)
        failure = None if bad is None else _words(bad.packetType, bad.value, more)
        self._verdicts.append(Verdict(_of_subscribe(mid), tuple(code.value for code in codes), failure))

    def _dismissed(
        self, _client: paho.Client, _data: Any, _flags: object, code: ReasonCode | None, more: Properties | None
    ) -> None:
        if code is not None:
            self.goodbye = Goodbye(code.value, _words(PacketTypes.DISCONNECT, code.value, more))


def _of_subscribe(mid: int | None) -> str:
    return f"s{mid}"


def _words(kind: int, code: int, properties: Properties | None) -> str:
    """A reason code as a person would say it, with what the broker adds."""
    try:
        name = ReasonCode(kind, identifier=code).getName().lower()
    except (KeyError, ValueError):
        name = f"reason code {code}"
    more = getattr(properties, "ReasonString", None)
    return f"{name}: {more}" if more else name


def _as_mapping(properties: Properties) -> dict[str, Any]:
    names = [name.replace(" ", "") for name in properties.names]
    return {name: getattr(properties, name) for name in names if hasattr(properties, name)}
