"""Reports to look at: one file of HTML and SVG that asks nobody for anything, and runs nothing.

Pure: reports and scenes come in, and text leaves.
"""

from mqctl.experiments.html.page import page

__all__ = ["page"]
