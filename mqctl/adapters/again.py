"""Where to connect after a loss: to the same target, for a connection that goes on where the last one ended."""

from __future__ import annotations

from dataclasses import replace

from mqctl.target import Endpoint, MqttOptions, Target


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


def _endpoints_after(peer: str, endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """The endpoints, each once, beginning behind the one that was lost: where there is a standby, it is the next."""
    endpoints = tuple(dict.fromkeys(endpoints))
    names = [str(endpoint) for endpoint in endpoints]
    at = names.index(peer) + 1 if peer in names else 0
    return endpoints[at:] + endpoints[:at]


def _own_session(mqtt: MqttOptions) -> MqttOptions:
    """Who begins with a clean session that is kept for a while keeps it: it is our own now (MQTT 5, 3.1.2.4)."""
    return mqtt._replace(clean=False) if mqtt.session_expiry_s else mqtt
