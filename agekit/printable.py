"""Text from elsewhere, as a terminal, a page or a line of JSON may have it.

A recipe, a file's name or a plugin's metadata may hold control characters that move a terminal's cursor, set its title
or turn the direction of writing. What cannot be printed is written out.
"""

from __future__ import annotations

import json
from typing import Any


def printable(text: str) -> str:
    r"""A text with what cannot be printed written out; line breaks and tabs stay.

    >>> printable("a\x1b[31mb\u202ec\nd")
    'a\\x1b[31mb\\u202ec\nd'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() or c in "\n\t" else _out(c) for c in text)


def one_line(text: str) -> str:
    r"""A text with all that cannot be printed written out, so that it forges no line and no column.

    >>> one_line("a\nb")
    'a\\nb'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _out(c) for c in text)


def json_line(value: Any) -> str:
    r"""A line of JSON in which only what can be printed is written as it is.

    >>> json_line({"é": "\x9b\u202e"})
    '{"é": "\\u009b\\u202e"}'
    """
    said = json.dumps(value, ensure_ascii=False)
    return said if said.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in said)


def _out(character: str) -> str:
    return ascii(character)[1:-1]
