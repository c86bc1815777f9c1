"""Which transport serves a URL's scheme: a built-in table, then entry points. Only what is asked for is imported."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

from mqctl.adapters.base import Adapter
from mqctl.errors import ConfigError, PluginError
from mqctl.target import WEB_SOCKETS

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

GROUP = "mqctl.adapters.v1"
"""Entry points of this group are transports: the name is the scheme, the object is called without arguments."""

BUILT_IN = {
    "stomp": "mqctl.adapters.stomp:StompAdapter",
    "stomp+ssl": "mqctl.adapters.stomp:StompAdapter",
    "stomp+ws": "mqctl.adapters.stomp:StompAdapter",
    "stomp+wss": "mqctl.adapters.stomp:StompAdapter",
    "mqtt": "mqctl.adapters.mqtt:MqttAdapter",
    "mqtt+ssl": "mqctl.adapters.mqtt:MqttAdapter",
    "mqtt+ws": "mqctl.adapters.mqtt:MqttAdapter",
    "mqtt+wss": "mqctl.adapters.mqtt:MqttAdapter",
    "bayeux+http": "mqctl.adapters.bayeux:BayeuxAdapter",
    "bayeux+https": "mqctl.adapters.bayeux:BayeuxAdapter",
    "bayeux+ws": "mqctl.adapters.bayeux:BayeuxAdapter",
    "bayeux+wss": "mqctl.adapters.bayeux:BayeuxAdapter",
    "bayeux+sse": "mqctl.adapters.bayeux:BayeuxAdapter",
    "bayeux+sses": "mqctl.adapters.bayeux:BayeuxAdapter",
    "mem": "mqctl.adapters.memory:MemoryAdapter",
}

_Factory = Callable[[], Adapter]


def schemes() -> tuple[str, ...]:
    """Every scheme that some transport claims, sorted; nothing is loaded for it."""
    return tuple(sorted({*BUILT_IN, *(point.name for point in _claims())}))


def check_scheme(scheme: str) -> None:
    """Refuse a scheme that no transport will ever serve; nothing is loaded.

    Raises:
        ConfigError: No transport has it. A bare `ws` or `wss` is not refused: a profile says what is spoken there.
    """
    if scheme not in (*WEB_SOCKETS, *schemes()):
        raise _unknown(scheme)


def adapter_for(scheme: str) -> Adapter:
    """The transport of a scheme, loaded now.

    Raises:
        ConfigError: No transport has this scheme.
        PluginError: It does not load, or two packages claim the scheme.
    """
    if scheme in BUILT_IN:
        return _built_in(scheme)()
    claims = tuple(_claims().select(name=scheme))
    if not claims:
        raise _unknown(scheme)
    if len(claims) > 1:
        owners = " and ".join(sorted(map(_owner, claims)))
        raise PluginError(f"{scheme}:// is claimed by {owners}", hint="uninstall one of them")
    return _plugin(claims[0])


def _claims() -> EntryPoints:
    from importlib import metadata  # noqa: PLC0415 - takes as long to import as half a transport

    return metadata.entry_points(group=GROUP)


def _built_in(scheme: str) -> _Factory:
    module, _, attribute = BUILT_IN[scheme].partition(":")
    try:
        return cast("_Factory", getattr(import_module(module), attribute))
    except ImportError as error:
        raise PluginError(f"the transport of {scheme}:// does not load: {error}", hint="reinstall mqctl") from error


def _plugin(point: EntryPoint) -> Adapter:
    try:  # whatever a plugin raises while it loads is its failure, not ours
        return cast("_Factory", point.load())()
    except Exception as error:
        raise PluginError(
            f"the transport of {point.name}:// does not load: {type(error).__name__}: {error}",
            hint=f"it comes from {_owner(point)}; update or uninstall that package",
        ) from error


def _owner(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _unknown(scheme: str) -> ConfigError:
    import difflib  # noqa: PLC0415 - only a mistake pays for it

    from mqctl.profiles.foreign import FOREIGN  # noqa: PLC0415

    if foreign := FOREIGN.get(scheme):
        return ConfigError(f"{scheme}:// {foreign.meaning}", hint=foreign.hint)
    known = schemes()
    near = difflib.get_close_matches(scheme, known, n=1)
    hint = f"did you mean {near[0]}://?" if near else "schemes: " + ", ".join(known)
    return ConfigError(f"no transport for {scheme}://", hint=hint)
