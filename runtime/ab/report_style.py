"""The look of a report's page; every pair of text and ground has a contrast of at least 4.5 to 1."""

from typing import Final

STYLE: Final = """\
:root { --ink: #1f2933; --quiet: #55626f; --grid: #dfe4ea; --paper: #ffffff; --raised: #f4f6f8;
  --line: #0b5cad; --better: #146c3f; --worse: #b3330e; --open: #55626f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ee; --quiet: #a3b0bd; --grid: #36424e; --paper: #14191f; --raised: #1e262e;
    --line: #6cb2f7; --better: #5fce92; --worse: #ff9b78; --open: #a3b0bd; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0 0 .4rem; }
h1 small { font-size: 1rem; font-weight: 400; color: var(--quiet); }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--grid); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .5rem 0; max-width: 46rem; }
.badges { list-style: none; display: flex; flex-wrap: wrap; gap: .5rem; margin: 0 0 1rem; padding: 0; }
.badges li { border: 1px solid currentColor; border-radius: 1rem; padding: .05rem .7rem; font-size: .875rem; }
.summary { background: var(--raised); border-left: 4px solid var(--line); padding: .5rem 1rem; }
.better { color: var(--better); font-weight: 600; }
.worse { color: var(--worse); font-weight: 600; }
.open { color: var(--open); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; min-width: 60%; margin: .6rem 0; overflow-wrap: normal; }
caption { text-align: left; color: var(--quiet); padding: .3rem 0; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--grid); }
thead th { color: var(--quiet); font-weight: 600; }
tbody th { font-weight: 400; min-width: 9rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
dl { margin: .5rem 0; max-width: 46rem; }
dt { margin-top: .7rem; font-weight: 600; }
dt span { display: inline-block; min-width: 5rem; }
dd { margin: 0 0 0 5.3rem; }
.change, figcaption, footer { color: var(--quiet); }
figcaption, footer { font-size: .875rem; }
footer { margin-top: 2rem; }
details { margin: .4rem 0; }
summary { cursor: pointer; }
figure { margin: .6rem 0; }
.wide > svg { min-width: 36rem; }
svg { display: block; width: 100%; height: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1rem; }
svg text { font-size: 12px; fill: var(--ink); }
svg .head { font-size: 13px; font-weight: 600; }
svg .tick { font-size: 11px; fill: var(--quiet); }
svg .side { font-size: 11px; fill: var(--quiet); font-style: italic; }
svg .label.better { fill: var(--better); }
svg .label.worse { fill: var(--worse); }
svg .label.open { fill: var(--open); font-weight: 400; }
svg .grid { stroke: var(--grid); stroke-width: 1; }
svg .zero { stroke: var(--quiet); stroke-width: 1.2; stroke-dasharray: 4 3; }
svg .band { fill: var(--line); fill-opacity: .18; stroke: none; }
svg .course { fill: none; stroke: var(--line); stroke-width: 2; stroke-linejoin: round; }
svg .mark { fill: var(--line); }
svg .margin { stroke: var(--ink); stroke-width: 2; }
svg .whisker, svg .arrow { fill: none; stroke: var(--line); stroke-width: 2; }
svg .whisker.better, svg .arrow.better { stroke: var(--better); }
svg .whisker.worse, svg .arrow.worse { stroke: var(--worse); }
svg .whisker.open, svg .arrow.open { stroke: var(--open); }
svg .point { stroke-width: 2; }
svg .point.better { fill: var(--better); stroke: var(--better); }
svg .point.worse { fill: var(--worse); stroke: var(--worse); }
svg .point.open { fill: var(--paper); stroke: var(--open); }
@media (max-width: 40rem) { dd { margin-left: 0; } }
@media print { .summary { border: 1px solid var(--grid); } section { break-inside: avoid-page; } }
"""
