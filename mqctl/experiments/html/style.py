"""How reports look. The colours of the first two producers are those that the diagram on paper always had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LIGHT: Final[Mapping[str, str]] = {
    "ground": "#fbfaf8",
    "sheet": "#ffffff",
    "ink": "#1d1b22",
    "soft": "#5f5a69",
    "line": "#dedae3",
    "shade": "#f2eff5",
    "pass": "#1a7f37",
    "fail": "#c62a2f",
    "inconclusive": "#8a5a00",
    "trouble": "#b4540a",
    "accent": "#b5179e",
    "p0": "#b8473d",
    "p1": "#7b2fd6",
    "p2": "#0b7285",
    "p3": "#8a6100",
    "p4": "#2b7a36",
    "p5": "#1864ab",
    "p6": "#a61e6d",
    "p7": "#565b63",
}

DARK: Final[Mapping[str, str]] = {
    "ground": "#131118",
    "sheet": "#1b1822",
    "ink": "#eeebf3",
    "soft": "#a8a1b5",
    "line": "#37323f",
    "shade": "#25212d",
    "pass": "#4ac26b",
    "fail": "#ff7b72",
    "inconclusive": "#e3b341",
    "trouble": "#f0883e",
    "accent": "#ff8ad8",
    "p0": "#e08a82",
    "p1": "#b07cff",
    "p2": "#4cc3d9",
    "p3": "#e3b341",
    "p4": "#69d07c",
    "p5": "#74b9f5",
    "p6": "#f783ac",
    "p7": "#adb5bd",
}
"""The colours: of what is behind and before, of verdicts and marks, and of producers."""


def _variables(palette: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in palette.items())


CSS: Final = (
    f"""
:root {{ color-scheme: light dark; {_variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}
"""
    """* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 64rem; margin: 0 auto; padding: clamp(1rem, 4vw, 2.5rem) clamp(1rem, 4vw, 2rem); }
h1, h2, h3, p, ul, dl, figure { margin: 0; }
h1 { font-size: clamp(1.35rem, 5vw, 1.9rem); line-height: 1.2; text-wrap: balance; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; }
.soft, figcaption, dt { color: var(--soft); }
.soft, figcaption { font-size: .9rem; }
ul.soft { margin-top: .75rem; padding-left: 1.2rem; }
header { border-left: .4rem solid var(--mark); padding: .1rem 0 .1rem 1rem; }
.badge {
  display: inline-block; color: var(--mark); font-weight: 700; letter-spacing: .02em; white-space: nowrap;
}
header .badge { font-size: clamp(1.6rem, 8vw, 2.4rem); line-height: 1.2; }
.pass { --mark: var(--pass); } .fail { --mark: var(--fail); } .inconclusive { --mark: var(--inconclusive); }
.none, .unsupported { --mark: var(--soft); } .error { --mark: var(--fail); }
.compared { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1px; margin-top: 1rem;
  background: var(--line); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
.compared div { background: var(--sheet); padding: .6rem .9rem; }
.compared dt { font-size: .85rem; } .compared dd { margin: 0; }
.reasons { list-style: none; padding: 0; margin-top: 1rem; display: grid; gap: .5rem; }
.reasons li { background: var(--sheet); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .9rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .5rem .75rem .5rem 0; border-top: 1px solid var(--line); vertical-align: top; }
thead td { border: 0; }
thead th { border: 0; white-space: nowrap; color: var(--soft); font-size: .85rem; font-weight: 500; }
tbody th { font-weight: 600; white-space: nowrap; }
th, td { overflow-wrap: break-word; }
td.number { text-align: right; white-space: nowrap; }
tr.none td, tr.none th { color: var(--soft); }
tr.none th { font-weight: 400; }
.sheet { background: var(--sheet); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; }
.sheet + .sheet { margin-top: 1rem; }
.scroll { overflow-x: auto; margin-top: .75rem; }
.scroll:focus-visible { outline: 2px solid var(--p5); outline-offset: 2px; }
.tiles { display: flex; flex-wrap: wrap; gap: 1px; background: var(--line); margin-top: 1rem;
  border: 1px solid var(--line); border-radius: .6rem; overflow: hidden; }
.tiles div { flex: 1 1 7rem; background: var(--sheet); padding: .6rem .9rem; }
.tiles dd { margin: 0; white-space: nowrap; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles dt { font-size: .85rem; }
.facts { display: grid; margin-top: 1rem; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .3rem 1.25rem; }
.facts dd { margin: 0; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; padding: 0; margin-top: .75rem;
  font-size: .85rem; color: var(--soft); }
.legend svg { vertical-align: -.15em; margin-right: .4em; }
svg { display: block; color: var(--ink); font: 14px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.legend svg { display: inline; }
svg text { fill: currentColor; }
svg .minor { font-size: 12px; fill: var(--soft); }
svg .halo { paint-order: stroke; stroke: var(--sheet); stroke-width: 4px; }
svg .axis { stroke: var(--line); }
svg .bar { fill: var(--p5); } svg .bar.got { fill: var(--p2); }
svg .quantile { stroke: var(--ink); stroke-dasharray: 3 3; }
svg .period { fill: var(--trouble); fill-opacity: .2; } svg .edge { stroke: var(--trouble); }
svg .planted { fill: var(--accent); }
svg .killed { stroke: var(--fail); stroke-width: 2; }
svg .box { fill: color-mix(in srgb, var(--hue) 10%, var(--sheet)); stroke: var(--hue); stroke-width: 2; }
svg .marked .box { fill: color-mix(in srgb, var(--hue) 30%, var(--sheet)); stroke-width: 4; }
svg .marked text { font-weight: 700; }
svg .absent .box { fill: var(--sheet); stroke-dasharray: 5 4; stroke-width: 3; } svg .absent text { font-weight: 700; }
svg .plate { fill: var(--sheet); stroke: var(--soft); stroke-width: 2; }
svg .topic { fill: var(--sheet); stroke: var(--p3); stroke-width: 3; }
svg .link { stroke: var(--hue); fill: none; stroke-width: 1.5; stroke-opacity: .45; }
svg .link.strong { stroke-width: 4; stroke-opacity: 1; }
svg .flow { stroke: var(--soft); stroke-width: 2; fill: none; } svg .head { fill: var(--soft); }
.p0 { --hue: var(--p0); } .p1 { --hue: var(--p1); } .p2 { --hue: var(--p2); } .p3 { --hue: var(--p3); }
.p4 { --hue: var(--p4); } .p5 { --hue: var(--p5); } .p6 { --hue: var(--p6); } .p7 { --hue: var(--p7); }
footer { margin-top: 3rem; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: .2em; }
.matrix { width: auto; }
.matrix th, .matrix td { padding-right: 1.5rem; }
.matrix .unsupported { font-weight: 400; }
.matrix tbody th { position: sticky; left: 0; background: var(--sheet); }
.matrix tr > :last-child { padding-right: 0; }
main:has(.matrix) { max-width: 90rem; }
.notes { margin-top: 1rem; color: var(--soft); }
@media (max-width: 40rem) {
  .sheet { padding: .75rem; }
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  tbody tr { display: grid; grid-template-columns: 1fr auto; border-top: 1px solid var(--line); padding: .6rem 0; }
  th, td { border: 0; padding: .1rem 0; }
  td.number, td.wide { text-align: left; grid-column: 1 / -1; white-space: normal; }
  td[data-label]::before { content: attr(data-label) " "; color: var(--soft); }
  td:empty { display: none; }
  .matrix, .matrix tbody { display: block; }
  .matrix tbody tr { grid-template-columns: 1fr; }
  .matrix th, .matrix td { padding: 0; }
  .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: .5rem; }
}
@media print { .sheet, .reasons li { break-inside: avoid; } .scroll { overflow: visible; } }
"""
)
