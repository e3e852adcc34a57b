"""Sphinx reads this file: `make docs`."""  # noqa: INP001 - Sphinx executes it by its path; docs is no package

from __future__ import annotations

from schedulerui import __version__

project = "schedulerui"
author = "The schedulerui contributors"
version = release = __version__

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = f"schedulerui {__version__}"
html_show_sourcelink = False
