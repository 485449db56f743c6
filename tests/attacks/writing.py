"""Writing trees as TOML, more or less."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

BYTES = (b"\x00", b"\xff\xfe", b"\r", b"[", b'"""', b"=", b"\xc0\x80", b"\xe2\x80\xae")


def garbled(pick: Callable[[Sequence[Any]], Any], text: str) -> bytes:
    """The bytes of a text; of a few texts in a hundred, some are wrong."""
    blob = text.encode("utf-8", "surrogatepass")
    how = pick(range(50))
    place = pick(range(len(blob) + 1)) if how < 8 else 0
    match how:
        case 0:
            return b"".join((blob[:place], pick(BYTES), blob[place:]))
        case 1:
            return blob[:place]
        case 2:
            return b"\xef\xbb\xbf" + blob
        case 3:
            return blob.replace(b"\n", b"\r\n")
        case 4:
            return blob + blob[place:]
        case 5:
            return blob[:place] + blob[place + 1 :]
        case 6:
            return text.encode("utf-16", "surrogatepass")
        case 7:
            return blob.replace(b"\n", b"\n\n\t  # \xe2\x80\xae\n")
    return blob


def toml(tree: dict[str, Any]) -> str:
    """A tree as TOML: a header for each of the outer tables, the rest inline."""
    lines = [f"{quoted(name)} = {inline(value)}" for name, value in tree.items() if not headed(value)]
    for name, value in tree.items():
        for inner in value if isinstance(value, list) and headed(value) else [value] * headed(value):
            lines.append(f"[[{quoted(name)}]]" if isinstance(value, list) else f"[{quoted(name)}]")
            lines += [f"{quoted(key)} = {inline(one)}" for key, one in inner.items()]
    return "\n".join(lines) + "\n"


def headed(value: Any) -> bool:
    several = isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)
    return isinstance(value, dict) or several


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(str(name))} = {inline(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
