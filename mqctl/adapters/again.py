"""Where to connect after a loss: to the same target, for a connection that goes on where the last one ended."""

from __future__ import annotations

from dataclasses import replace

from mqctl.model import Connected
from mqctl.target import MQTT_5, Endpoint, MqttOptions, Target, is_clean


def target_after(target: Target, peer: str, left_s: float) -> Target:
    """The target of the next try.

    Args:
        target: As the user named it.
        peer: The endpoint that was lost, as `Connected` names it.
        left_s: How much time there is.
    """
    return replace(
        target,
        endpoints=_endpoints_after(peer, target.endpoints),
        mqtt=_own_session(target.mqtt),
        connect_timeout_s=min(target.connect_timeout_s, left_s),
    )


def session_forgotten(target: Target, greeting: Connected) -> str | None:
    """What to say where the broker was to keep a session over MQTT, and greets us as a stranger.

    Before MQTT 5, ActiveMQ Classic 5.18 greets everybody so; a broker that nobody has named may be one.
    """
    if target.dialect is None and target.mqtt.version != MQTT_5:
        return None
    kept = target.scheme.startswith("mqtt") and not is_clean(_own_session(target.mqtt).clean, target.client_id)
    if not kept or greeting.detail.get("session") != "new":
        return None
    return f"it has forgotten the session of {target.client_id!r}; messages in between may be missing"


def _endpoints_after(peer: str, endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """The endpoints, each once, beginning behind the one that was lost: where there is a standby, it is the next."""
    endpoints = tuple(dict.fromkeys(endpoints))
    names = [str(endpoint) for endpoint in endpoints]
    at = names.index(peer) + 1 if peer in names else 0
    return endpoints[at:] + endpoints[:at]


def _own_session(mqtt: MqttOptions) -> MqttOptions:
    """Who begins with a clean session that is kept for a while keeps it: it is our own now (MQTT 5, 3.1.2.4)."""
    return mqtt._replace(clean=False) if mqtt.session_expiry_s else mqtt
