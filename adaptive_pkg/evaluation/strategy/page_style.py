"""How the report looks and how its charts are drawn: the style, the script, and the frame around both."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1b2430; --soft: #55616f; --line: #dfe4ea; --back: #ffffff;
  --card: #f6f8fa; --good: #1a7f37; --bad: #c0362c; --accent: #0b5fc4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ef; --soft: #9ba7b4; --line: #303a46;
  --back: #11161c; --card: #1a212a; --good: #4fc36b; --bad: #ff7b72; --accent: #6cb2ff; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 3.2rem; -webkit-text-size-adjust: 100%; }
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; color: var(--ink);
  background: var(--back); margin: 0 auto; max-width: 1120px; padding: 0 1rem 4rem;
  overflow-wrap: break-word; }
h1 { font-size: 1.55rem; line-height: 1.2; margin: 1.6rem 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .3rem; padding-top: .9rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .2rem; }
p { margin: .3rem 0 .7rem; } .soft, small { color: var(--soft); }
a { color: var(--accent); }
nav { position: sticky; top: 0; z-index: 5; background: var(--back); display: flex; gap: 1rem;
  overflow-x: auto; padding: .6rem 0; border-bottom: 1px solid var(--line); font-size: .88rem; }
nav a { text-decoration: none; white-space: nowrap; }
.verdict { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--accent);
  border-radius: 6px; padding: .8rem 1rem; margin: 1rem 0; }
.verdict p { font-size: 1.05rem; } .verdict ul { margin: .4rem 0 0; padding-left: 1.15rem; }
.verdict li { margin: .25rem 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(145px, 1fr)); gap: .6rem;
  margin: 1rem 0; }
.tile { border: 1px solid var(--line); border-radius: 6px; padding: .5rem .7rem; }
.tile b { display: block; font-size: 1.2rem; font-variant-numeric: tabular-nums; }
.tile small { display: block; line-height: 1.3; }
.scroll { overflow-x: auto; margin: .6rem 0 1rem; }
table { border-collapse: separate; border-spacing: 0; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .32rem .7rem; border-bottom: 1px solid var(--line);
  vertical-align: top; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--back); }
th.text, td.text { text-align: left; } th.text { white-space: nowrap; }
td.words { text-align: left; white-space: normal; min-width: 13rem; max-width: 26rem; }
.narrow td.words { min-width: 8.2rem; max-width: 17rem; }
td.ours { font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.bar { display: inline-block; position: relative; width: 76px; height: .8em; margin-left: .5rem;
  background: linear-gradient(var(--line), var(--line)) center / 1px 100% no-repeat; }
.bar i { position: absolute; top: 0; bottom: 0; opacity: .75; }
details { margin: .5rem 0; } summary { cursor: pointer; font-weight: 600; padding: .2rem 0; }
.chart { width: 100%; margin: .4rem 0 1rem; } .chart:not(.drawn) { min-height: 200px; }
.month td { min-width: 3.6rem; }
@media (max-width: 600px) { body { font-size: 16px; padding: 0 .8rem 3rem; } h1 { font-size: 1.35rem; }
  th, td { padding: .3rem .5rem; }
  th:first-child, td:first-child { max-width: 9.5rem; min-width: 6.5rem; white-space: normal; }
  .month th:first-child { min-width: 3rem; } th { white-space: nowrap; }
  table.cards, .cards tbody, .cards tr, .cards td { display: block; }
  .cards thead { display: none; }
  .cards tr { border: 1px solid var(--line); border-radius: 6px; padding: .4rem .7rem; margin: .6rem 0; }
  .cards td, .cards td.words, .cards td:first-child { border: 0; padding: .1rem 0; text-align: left;
    max-width: none; min-width: 0; white-space: normal; position: static; }
  .cards td:first-child { font-weight: 600; }
  .cards td:not(:first-child)[data-head]::before { content: attr(data-head) ": "; color: var(--soft); }
  .cards td:empty { display: none; } }
@media print { nav { display: none; } details > * { display: block; } }
"""

# A colour that begins with @ is looked up in the theme, so one chart serves both.
SCRIPT = """
const THEMES = {
  light: {ink: "#1b2430", soft: "#55616f", grid: "#e6eaef", back: "rgba(0,0,0,0)", card: "#ffffff",
    ours: "#0b5fc4", good: "#1a7f37", bad: "#c0362c", mark: "#8a5a00",
    a: "#d9730d", b: "#2f9e76", c: "#8b5cc2", d: "#b0477f", e: "#7a8699", f: "#9c7b1f", g: "#3b9bb3"},
  dark: {ink: "#e4e9ef", soft: "#9ba7b4", grid: "#29323d", back: "rgba(0,0,0,0)", card: "#1a212a",
    ours: "#6cb2ff", good: "#4fc36b", bad: "#ff7b72", mark: "#f0c05a",
    a: "#f4a261", b: "#63d2a5", c: "#c3a1f5", d: "#f08cc0", e: "#93a1b3", f: "#d9bd5b", g: "#74cfe6"}};
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function painted(value, theme) {
  if (typeof value === "string") return value[0] === "@" ? theme[value.slice(1)] : value;
  if (Array.isArray(value))
    return typeof value[0] === "number" ? value : value.map(item => painted(item, theme));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, painted(item, theme)]));
}
function draw(place) {
  const theme = THEMES[dark.matches ? "dark" : "light"], narrow = window.innerWidth < 600;
  const figure = painted(JSON.parse(document.getElementById(place.dataset.figure).textContent), theme);
  const layout = figure.layout;
  const shown = figure.data.filter(trace => trace.showlegend !== false).length;
  for (const name of Object.keys(layout).filter(name => /^[xy]axis/.test(name)))
    layout[name] = {gridcolor: theme.grid, zerolinecolor: theme.soft, linecolor: theme.grid,
      automargin: true, ...layout[name]};
  const extra = narrow && layout.showlegend !== false ? 11 * shown : 0;
  Plotly.react(place, figure.data, {...layout,
    height: (narrow ? 0.9 : 1) * layout.height + extra,
    paper_bgcolor: theme.back, plot_bgcolor: theme.back,
    font: {family: "system-ui, sans-serif", size: narrow ? 11 : 12, color: theme.ink},
    margin: {l: narrow ? 34 : 56, r: narrow ? 8 : 20, t: 16, b: 40, ...layout.margin},
    legend: {orientation: "h", x: 0, y: 1.02, yanchor: "bottom", ...layout.legend},
    modebar: {bgcolor: theme.back, color: theme.grid, activecolor: theme.soft},
    hoverlabel: {bgcolor: theme.card, bordercolor: theme.soft, font: {color: theme.ink}},
    dragmode: window.matchMedia("(pointer: coarse)").matches ? false : "zoom",
  }, {displaylogo: false, responsive: true, displayModeBar: narrow ? false : "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d"]}).then(() => place.classList.add("drawn"));
}
const places = [...document.querySelectorAll(".chart")];
places.forEach(draw);
dark.addEventListener("change", () => places.forEach(draw));
for (const box of document.querySelectorAll("details"))
  box.addEventListener("toggle", () => box.querySelectorAll(".chart").forEach(c => Plotly.Plots.resize(c)));
"""

FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';
 script-src 'unsafe-inline'; img-src data: blob:">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style></head><body>
{body}
<script>{plotly}</script>
<script>{script}</script>
</body></html>
"""
