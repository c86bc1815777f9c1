"""Modules that others import at their head and that we seldom need."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType


class _Deferred(ModuleType):
    """Stands in for a module until something of it is used, and hands everything on from then."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def defer(name: str) -> None:
    """Let the next `import name` cost nothing; the module is imported when something of it is used."""
    if name not in sys.modules:
        sys.modules[name] = _Deferred(name)
