"""HTML by calls: every text is escaped, unless it is HTML itself."""

from __future__ import annotations

from html import escape

from ..printable import printable

VOID = frozenset({"meta", "img"})
"""Elements of HTML that have no end; those of SVG all have one."""


class Html(str):
    """A text that is HTML, and is not escaped again."""

    __slots__ = ()


def html(*children: str) -> Html:
    """Texts, escaped, what cannot be printed written out, and HTML, as it is, in one.

    >>> html("a < b", Html("<br>"))
    'a &lt; b<br>'
    """
    return Html("".join(child if isinstance(child, Html) else _escaped(child) for child in children))


def _escaped(text: str) -> str:
    return escape(printable(text))


def tag(name: str, /, *children: str, **attributes: str | float) -> Html:
    """An element; an attribute `class_` or `stroke_width` is written `class` or `stroke-width`.

    >>> tag("p", "x & y", class_='a"b')
    '<p class="a&quot;b">x &amp; y</p>'
    """
    said = "".join(f' {key.strip("_").replace("_", "-")}="{_escaped(str(v))}"' for key, v in attributes.items())
    return Html(f"<{name}{said}>{'' if name in VOID else f'{html(*children)}</{name}>'}")


def table(head: list[str], rows: list[list[str]], class_: str = "") -> Html:
    """A table, its first row and column being titles; it scrolls by itself where it is wide."""
    top = tag("tr", *(tag("th", cell) for cell in head))
    body = (tag("tr", tag("th", row[0]), *(tag("td", cell) for cell in row[1:])) for row in rows)
    return tag("div", tag("table", tag("thead", top), tag("tbody", *body)), class_=f"wide {class_}".strip())


def folded(title: str, *children: str, open: bool = False) -> Html:
    """Something that can be folded away, without a script."""
    shown = html(tag("summary", title), *children)
    return Html(f"<details{' open' if open else ''}>{shown}</details>")
