"""The views by name, and which of them a topic gets when nobody chose."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mqctl.views.auto import AutoView
from mqctl.views.base import View
from mqctl.views.chart import ChartView
from mqctl.views.dots import DotsView
from mqctl.views.rect import RectView
from mqctl.views.table import TableView

VIEWS: Mapping[str, type[View]] = {view.name: view for view in (RectView, ChartView, DotsView, TableView, AutoView)}

_LAST_LEVEL = re.compile(r"[^./]*$")
_BY_TOPIC: Mapping[str, type[View]] = {"rect": RectView, "chart": ChartView}


def view_of(topic: str) -> type[View]:
    """The view for a topic: by its last level (`rect`, `demo.chart`); by its first value otherwise."""
    found = _LAST_LEVEL.search(topic)
    return _BY_TOPIC.get(found[0] if found else "", AutoView)
