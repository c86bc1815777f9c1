"""Which subscribers a topic has: a trie of patterns, and a bounded cache of what it answered."""

from __future__ import annotations

from mqctl.broker.ledger import Subscriber
from mqctl.broker.refusals import AddressRefused, LimitExceeded
from mqctl.topics import ONE_LEVEL, SUBTREE


class Route:
    """The subscribers of one topic, in the order they came, split by whether they need a ledger."""

    __slots__ = ("direct", "everyone", "generation", "others")

    def __init__(self, everyone: tuple[Subscriber, ...]) -> None:
        self.everyone = everyone
        self.generation = -1
        self.direct: tuple[Subscriber, ...] = ()
        self.others: tuple[Subscriber, ...] = ()

    def split(self, generation: int) -> None:
        """Sort the subscribers anew, since one of them paused, resumed or left."""
        self.generation = generation
        self.direct = tuple(subscriber for subscriber in self.everyone if subscriber.direct)
        self.others = tuple(subscriber for subscriber in self.everyone if not subscriber.direct)


class _Node:
    """A level of the trie. `here` ends at this level, `below` ends in `**` after it."""

    __slots__ = ("below", "children", "here")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.here: set[Subscriber] = set()
        self.below: set[Subscriber] = set()

    def __bool__(self) -> bool:
        return bool(self.children or self.here or self.below)


class Router:
    """Topic names to routes. `generation` counts the changes after which routes must be split anew."""

    __slots__ = ("_cache", "_cache_max", "_levels_max", "_root", "generation")

    def __init__(self, *, levels_max: int, cache_max: int) -> None:
        self.generation = 0
        self._root = _Node()
        self._levels_max = levels_max
        self._cache_max = cache_max
        self._cache: dict[str, Route] = {}

    @property
    def cached(self) -> int:
        """How many routes are remembered."""
        return len(self._cache)

    def check(self, name: str) -> None:
        """Whether `name` can be subscribed to.

        Raises:
            AddressRefused: It has an empty level, or `**` before its end.
            LimitExceeded: It has too many levels.
        """
        levels = self._levels(name)
        if SUBTREE in levels[:-1]:
            raise AddressRefused(f"** stands only at the end of a topic: {name!r}")

    def add(self, name: str, subscriber: Subscriber) -> None:
        """Subscribe to a topic or a pattern that `check` passed."""
        self._ends(name, create=True).add(subscriber)
        self._forget(name)

    def remove(self, name: str, subscriber: Subscriber) -> None:
        """Undo `add`."""
        self._ends(name, create=False).discard(subscriber)
        self._prune(self._root, name.split("."))
        self._forget(name)

    def route(self, name: str) -> Route:
        """The route of a topic, split for the current generation.

        Raises:
            AddressRefused: The name is a pattern or has an empty level.
            LimitExceeded: It has too many levels.
        """
        route = self._cache.get(name)
        if route is None:
            route = self._find(name)
        if route.generation != self.generation:
            route.split(self.generation)
        return route

    def _find(self, name: str) -> Route:
        levels = self._levels(name)
        if ONE_LEVEL in levels or SUBTREE in levels:
            raise AddressRefused(f"a wildcard cannot be published to: {name!r}")
        found: set[Subscriber] = set()
        _collect(self._root, levels, 0, found)
        route = Route(tuple(sorted(found, key=lambda subscriber: subscriber.serial)))
        if len(self._cache) >= self._cache_max:
            del self._cache[next(iter(self._cache))]
        self._cache[name] = route
        return route

    def _levels(self, name: str) -> list[str]:
        levels = name.split(".")
        if "" in levels:
            raise AddressRefused(f"a topic has no empty levels: {name!r}")
        if len(levels) > self._levels_max:
            raise LimitExceeded("topic_levels", self._levels_max)
        return levels

    def _ends(self, name: str, *, create: bool) -> set[Subscriber]:
        levels = name.split(".")
        subtree = levels[-1] == SUBTREE
        node = self._root
        for level in levels[:-1] if subtree else levels:
            if create and level not in node.children:
                node.children[level] = _Node()
            node = node.children[level]
        return node.below if subtree else node.here

    def _prune(self, node: _Node, levels: list[str]) -> None:
        child = node.children.get(levels[0]) if levels else None
        if child is not None:
            self._prune(child, levels[1:])
            if not child:
                del node.children[levels[0]]

    def _forget(self, name: str) -> None:
        """A pattern may be part of any route, a plain name only of its own."""
        if ONE_LEVEL in name:
            self._cache.clear()
        else:
            self._cache.pop(name, None)


def _collect(node: _Node, levels: list[str], depth: int, found: set[Subscriber]) -> None:
    found |= node.below
    if depth == len(levels):
        found |= node.here
        return
    for level in (levels[depth], ONE_LEVEL):
        child = node.children.get(level)
        if child is not None:
            _collect(child, levels, depth + 1, found)
