"""The maintenance report as one HTML page that needs no network and no script."""

from __future__ import annotations

from html import escape
from pathlib import Path

from adaptive_pkg.evaluation.strategy.page_style import STYLE
from adaptive_pkg.upkeep.findings import Finding, Verdict
from adaptive_pkg.upkeep.report import MaintenanceReport

_COLOURS = {Verdict.ACT: "bad", Verdict.LOOK: "look", Verdict.OK: "good"}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';
 img-src data:">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}
.look {{ color: #9a6700; }} @media (prefers-color-scheme: dark) {{ .look {{ color: #f0c05a; }} }}
h2 b {{ font-weight: 600; margin-right: .5rem; }} ol {{ padding-left: 1.3rem; }}</style></head><body>
<h1>{title}</h1><p class="soft">{headline}<br>{database}</p>
<div class="verdict"><p><b>What to do</b></p>{steps}</div>
{sections}
</body></html>
"""


def write_page(report: MaintenanceReport, path: Path) -> None:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(report), encoding="utf-8")


def render_page(report: MaintenanceReport) -> str:
    """The page as text: what to do first, for that is what a reader wants."""
    todo = "".join(
        f'<li><b class="{_COLOURS[item.verdict]}">{item.verdict}</b> {escape(item.name)}: '
        f"{escape(item.remedy)}</li>"
        for item in report.to_do
    )
    return _PAGE.format(
        title=f"{str(report.period).capitalize()} maintenance",
        style=STYLE,
        headline=escape(report.headline),
        database=escape(str(report.database)),
        steps=f"<ol>{todo}</ol>" if todo else "<p>nothing</p>",
        sections="\n".join(map(_section, report.findings)),
    )


def _section(item: Finding) -> str:
    mark = "–" if not item.measured and item.verdict is Verdict.OK else str(item.verdict)
    colour = _COLOURS[item.verdict]
    body = f'<h2><b class="{colour}">{mark}</b>{escape(item.name)}</h2><p>{escape(item.told)}</p>'
    if item.table is None or not item.table.rows:
        return body
    head = "".join(f"<th>{escape(heading)}</th>" for heading in item.table.headings)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in item.table.rows
    )
    return f'{body}<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'
