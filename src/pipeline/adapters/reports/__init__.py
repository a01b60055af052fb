"""A session report as a page and as text. Both say the same numbers: they come from one value."""

from pipeline.adapters.reports.html import render_html
from pipeline.adapters.reports.markdown import render_markdown

__all__ = ["render_html", "render_markdown"]
