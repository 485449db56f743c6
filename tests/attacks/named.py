"""Recipes that somebody may well have meant to break something with, each by name, and what is said of it."""
# ruff: noqa: E501 - a case a line, however long it is

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from agekit.recipe.find import shipped

from .recipes import Case

QUICK = shipped()["quickstart"].read_text(encoding="utf-8")


def over(text: str, *settings: str) -> Case:
    """The quickstart, with something laid over it."""
    return Case({"0.toml": f'extends = "quickstart"\n{text}'.encode()}, settings)


def showing(expression: str) -> Case:
    return over(f"[views]\nsamples = '''{expression}'''\n")


def chain(length: int) -> Case:
    files = {f"{n}.toml": f'extends = "{n + 1}.toml"\n'.encode() for n in range(length)}
    return Case({**files, f"{length}.toml": b'extends = "quickstart"\n'})


def fields(expression: str, count: int) -> Case:
    """Fields that are each derived from the one before."""
    lines = [f'f{n} = "{expression.format(f"f{n - 1}" if n else "x")}"' for n in range(count)]
    return over("[data.fields]\n" + "\n".join(lines) + '\n[views]\nsamples = "f' + f'{count - 1}"\n')


REFUSED: Mapping[str, tuple[Case, str]] = {
    "an expression nested 10,000 deep": (showing("e(" * 10_000 + "x" + ")" * 10_000), "longer than 4096"),
    "an expression nested 1,000 deep": (showing("e(" * 1000 + "x" + ")" * 1000), "nested deeper than 64"),
    "an expression of ten thousand arguments": (showing("e(" + "x," * 10_000 + "x)"), "longer than 4096"),
    "an expression of a thousand arguments": (showing("e(" + "x," * 1000 + "x)"), "was given 1001"),
    "a name from another script": (showing("е(x)"), "U+0435 CYRILLIC SMALL LETTER IE"),
    "a name in full width": (showing("ｅ(x)"), "U+FF45 FULLWIDTH LATIN SMALL LETTER E"),
    "a name that is turned round": (showing("e\u202e(x)"), "has '\\u202e', where names, commas"),
    "a name with a space of no width": (showing("e\u200b(x)"), "has '\\u200b', where names, commas"),
    "an expression with a terminal's sequence": (over('[views]\nsamples = "\\u001b[31me(x)"\n'), "has '\\x1b', where names"),
    "a key with a line break": (over('[data]\n"a\\n  0.toml: all is well" = 3\n'), "data.a\\n  0.toml: all is well: unknown key"),
    "a key with a tab": (over('[data]\n"a\\tb" = 3\n'), "data.a\\tb: unknown key"),
    "a file of 100 MB": (Case({"0.toml": b"# " + b"x" * 100_000_000}), "larger than 131072 bytes"),
    "a circle": (Case({"0.toml": b'extends = "1.toml"', "1.toml": b'extends = "0.toml"'}), "in a circle: 0.toml → 1.toml → 0.toml"),
    "a recipe that extends itself": (Case({"0.toml": b'extends = "0.toml"'}), "in a circle"),
    "a chain of a thousand": (chain(1000), "a chain of more than 16 recipes"),
    "bytes that are no UTF-8": (Case({"0.toml": b"[data]\nbatch = 1 # \xff"}), "is not UTF-8 text: byte 19"),
    "a NUL byte": (Case({"0.toml": b"[data]\nbatch = \x001"}), "0.toml:2: not TOML"),
    "UTF-16": (Case({"0.toml": "[data]\n".encode("utf-16")}), "is not UTF-8 text: byte 0"),
    "lists in lists, 100,000 deep": (Case({"0.toml": b"a = " + b"[" * 100_000}), "0.toml:1: not TOML: nested deeper than 64"),
    "tables in tables, 40,000 deep": (Case({"0.toml": b"a = " + b"{a=" * 40_000}), "nested deeper than 64"),
    "a key of 60,000 names": (Case({"0.toml": b".".join([b"a"] * 60_000) + b" = 1"}), "nested deeper than 64"),
    "a header of 60,000 names": (Case({"0.toml": b"[" + b".".join([b"a"] * 60_000) + b"]"}), "nested deeper than 64"),
    "a short header again and again": (Case({"0.toml": b"[[a.b.c]]\n" * 12_000}), "more than 5,000 keys"),
    "10,000 keys": (Case({"0.toml": b"".join(b"k%d = 1\n" % n for n in range(10_000))}), "more than 5,000 keys"),
    "5,000 unknown keys": (Case({"0.toml": b"".join(b"k%d = 1\n" % n for n in range(5000))}), "0.toml:1: k0: unknown key"),
    "a list of 20,000 lines": (Case({"0.toml": b"a = [\n" + b"1,\n" * 20_000 + b"]\n"}), "more than 5,000 keys"),
    "a text of 10,000 lines that is not ended": (Case({"0.toml": b'a = """\n' + b"x\n" * 10_000}), "not TOML"),
    "a list of 10,000 lines that is not ended": (Case({"0.toml": b"a = [\n" + b"1,\n" * 10_000}), "not TOML"),
    "a number of 100,000 digits": (over("[data]\nbatch = " + "9" * 100_000), "not TOML"),
    "a number of 100,000 hexadecimal digits": (over("[data]\nbatch = 0x" + "f" * 100_000), "more than 64 bits"),
    "a number of 65 bits": (over(f"[data]\nbatch = {2**63}"), "more than 64 bits"),
    "a date that no calendar has": (over("[data]\nbatch = 2026-02-31"), "not TOML"),
    "a date in the place of a number": (over("[data]\nbatch = 2026-02-01"), "where a whole number fits"),
    "a text of 100,000 letters": (over(f'[data]\nbatch = "{"x" * 100_000}"'), "where a whole number fits"),
    "a key of 100,000 letters": (over(f"[data]\n{'x' * 100_000} = 1"), "unknown key"),
    "a name of 100,000 letters": (over(f'[data]\ndataset = "{"x" * 100_000}"'), "no dataset is called"),
    "a network of 100,000 letters": (over(f'[networks]\n{"x" * 100_000} = {{ generator = "dcgan" }}'), "networks.x"),
    "a player of 100,000 letters": (over(f"[players.{'x' * 100_000}]\nowns = []"), "players.x"),
    "a view of 300 letters": (over(f'[views]\n{"x" * 300} = "x"'), "is no plain name"),
    "a network of a million channels": (over("[networks]\ng.width = 1_000_000_000_000"), "cannot be built"),
    "a code of 2⁶² numbers": (over("[latent]\ndim = 4611686018427387904"), "less than or equal to 65536 fits"),
    "a thousand stages": (over("[[stages]]\nsteps = 1\n" * 1000), "1000 of them, where at most 50 fit"),
    "a thousand networks": (over("[networks]\n" + "".join(f'n{n} = {{ generator = "dcgan" }}\n' for n in range(1000))), "1003 networks, where at most 64 fit"),
    "fields derived from each other, a thousand": (fields("luminance({})", 1000), "derived by way of more than 8 others"),
    "fields that double, a hundred": (fields("mix({0}, {0})", 100), "derived by way of more than 8 others"),
    "a setting of a key of 20,000 names": (over("", ".".join(["a"] * 20_000) + "=1"), "nested deeper than 64"),
    "a setting with a line end": (over("", "data.batch=1\nextends = 3"), "where a whole number fits"),
    "a setting of a number of 10,000 digits": (over("", "data.batch=" + "9" * 10_000), "where a whole number fits"),
    "a setting of lists, 10,000 deep": (over("", "data.batch=" + "[" * 10_000 + "]" * 10_000), "where a whole number fits"),
    "a setting of nothing": (over("", ""), "where KEY=VALUE fits"),
    "a setting of dots": (over("", "..=1"), "where KEY=VALUE fits"),
}  # fmt: skip

ACCEPTED: Mapping[str, Case] = {
    "names in any script": over(
        '[networks]\n"生成" = { generator = "small" }\n[players."игрок"]\nowns = ["生成"]\n'
        '[players."игрок".terms]\n"όρος" = { reciprocity = "l1", of = "生成(z)", to = "x" }\n[views]\n"تصویر" = "生成(z)"\n'
    ),
    "a byte order mark": Case({"0.toml": b"\xef\xbb\xbf" + QUICK.encode()}),
    "line ends of Windows": Case({"0.toml": QUICK.replace("\n", "\r\n").encode()}),
    "a chain of sixteen": chain(15),
    "a thousand comments": Case({"0.toml": (QUICK + "# e(x) [\n" * 1000).encode()}),
    "a batch of 10⁹ in portions of one": over("[data]\nbatch = 1000000000\n[compute]\nmicro_batch = 1\n"),
    "terms by the hundred": over(
        "[players.encoder.terms]\n" + "".join(f'n{n} = {{ divergence = "kl_sphere", of = "e(x)" }}\n' for n in range(300))
    ),
}  # fmt: skip


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


FILES: Mapping[str, Callable[[Path], None]] = {
    "a folder": Path.mkdir,
    "a pipe": fifo,
    "a link to itself": link("0.toml"),
    "a link to nothing": link("nowhere.toml"),
    "a link to a device that never ends": link("/dev/zero"),
    "a link to a terminal": link("/dev/tty"),
    "a link to a folder": link("/"),
}
"""What lies in the place of a recipe's file, as such and as what another extends: told within a moment."""
