"""A self-contained HTML page that needs no script: sections, tables, figures and folded parts, all of it escaped."""

import base64
import html
import pathlib
import string
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_PAGE = string.Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">$refresh
<title>$title</title>
<style>
:root { color-scheme: light dark; --text: #1d1d1f; --faint: #5b5b61; --line: #d6d6db; --back: #fff; --card: #f4f4f6 }
@media (prefers-color-scheme: dark) {
  :root { --text: #ececf0; --faint: #a9a9b2; --line: #43434a; --back: #17171a; --card: #232327 }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: var(--text);
  background: var(--back); overflow-wrap: anywhere }
h1 { margin-bottom: 0 }
small, figcaption, .faint { color: var(--faint) }
nav ul { padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem }
a { color: inherit }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; padding: 0 }
.cards div { background: var(--card); border-radius: .5rem; padding: .7rem .9rem }
.cards dt { font-size: .9rem }
.cards dd { margin: 0 }
.cards .value { font-size: 1.5rem; font-variant-numeric: tabular-nums }
table { border-collapse: collapse; margin: 1rem 0; width: 100% }
th, td { text-align: left; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { font-weight: 600 }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td.reason { color: var(--faint); font-style: italic }
.sortable button { all: unset; display: inline; cursor: pointer; overflow-wrap: normal }
.sortable button:focus-visible { outline: 2px solid }
th[aria-sort=ascending] button::after { content: " \\2191" }
th[aria-sort=descending] button::after { content: " \\2193" }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem }
.wide { overflow-x: auto }
.wide td, .wide th { padding-right: 1.5rem; min-width: 5rem }
.wide td.text { min-width: 14rem }
.wide th[scope=row] { position: sticky; left: 0; background: var(--back) }
figure { margin: 1rem 0 }
img { max-width: 100%; height: auto; background: #fff; border-radius: .3rem }
img.pixels { image-rendering: pixelated }
summary { font-size: 1.2rem; font-weight: 600; cursor: pointer; margin: 1rem 0 }
@media (max-width: 40rem) {
  table.metrics, .metrics tbody, .metrics tr { display: block }
  .metrics tr { border-bottom: 1px solid var(--line); padding: .3rem 0 }
  .metrics th, .metrics td, .metrics td.number { display: block; border: 0; padding: 0; text-align: left }
  .metrics tr.head { display: none }
}
@media print { details::details-content { content-visibility: visible; height: auto } nav { display: none } }
</style>
<h1>$title</h1>
$body
</html>
""")


class Section(NamedTuple):
    """A part of a page."""

    title: str
    body: str  # HTML
    folded: bool = False


def render(title: str, lead: Sequence[str], sections: Sequence[Section], *, refresh: float | None = None) -> str:
    """The page: its title, paragraphs of text, a list of contents and the sections.

    A browser loads it again every `refresh` seconds, if that is given.
    """
    names = [f"s{number}" for number in range(1, len(sections) + 1)]
    contents = "".join(
        f'<li><a href="#{name}">{html.escape(section.title)}</a>' for name, section in zip(names, sections, strict=True)
    )
    body = [f'<p class="{"faint" if number else "lead"}">{html.escape(text)}</p>' for number, text in enumerate(lead)]
    body.append(f'<nav aria-label="Contents"><ul>{contents}</ul></nav>' if len(sections) > 1 else "")
    body += [_section(name, section) for name, section in zip(names, sections, strict=True)]
    again = "" if refresh is None else f'\n<meta http-equiv="refresh" content="{refresh:g}">'
    return _PAGE.substitute(title=html.escape(title), body="\n".join(body), refresh=again)


def _section(name: str, section: Section) -> str:
    title = html.escape(section.title)
    if section.folded:
        return f'<details id="{name}"><summary>{title}</summary>\n{section.body}</details>'
    return f'<section id="{name}"><h2>{title}</h2>\n{section.body}</section>'


def table(values: Mapping[str, str]) -> str:
    """Two columns of text."""
    rows = [f'<tr><th scope="row">{html.escape(name)}<td>{html.escape(text)}</tr>' for name, text in values.items()]
    return f"<table>{''.join(rows)}</table>"


def figure(path: pathlib.Path, caption: str, *, pixels: bool = False) -> str:
    """A PNG or SVG file with its caption; `pixels` keeps the edges of enlarged pixels sharp."""
    kind = "svg+xml" if path.suffix == ".svg" else "png"
    data = base64.b64encode(path.read_bytes()).decode()
    shown = ' class="pixels"' if pixels else ""
    text = html.escape(caption)
    image = f'<img{shown} alt="{text}" src="data:image/{kind};base64,{data}">'
    return f"<figure>{image}<figcaption>{text}</figcaption></figure>"


def breakable(name: str) -> str:
    """The name with line breaks allowed between its words."""
    return html.escape(name).replace("_", "_<wbr>")
