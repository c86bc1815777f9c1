"""Profiles: named brokers with their settings, where they lie, which value wins, and secrets by reference.

`load_settings` is what a command calls; `schema.SETTINGS` is the table of everything that can be set.
"""

from mqctl.profiles.resolve import Settings, TopicSettings
from mqctl.profiles.store import load_settings

__all__ = ["Settings", "TopicSettings", "load_settings"]
