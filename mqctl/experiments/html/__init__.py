"""Reports to look at: one file of HTML and SVG that asks nobody for anything, and runs nothing.

Pure: reports and scenes come in, and text leaves.
"""

from mqctl.experiments.html.page import page
from mqctl.experiments.html.table import matrix_page

__all__ = ["matrix_page", "page"]
