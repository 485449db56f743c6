"""Write docs/lab.md: every built-in divergence at d = 64 and n = 64, against gaussian and sphere.

python docs/lab.py [--repetitions 200] [--dim 64] [--batch 64] [--grown 1024] [--out docs]

The numbers are functions of the seed; those of time are of the machine.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from agekit.files import write_text
from agekit.lab import save, tables
from agekit.lab.candidates import candidates, reference_of
from agekit.lab.departures import DEPARTURES
from agekit.lab.measure import Settings, takers
from agekit.lab.study import Study, study
from agekit.plugins import BUILTIN, load
from agekit.registry import Registries

VARIANTS = {
    "gaussian": ("kl_gaussian:formula=age-2018", "gaussian_kl_full:shrinkage=0.5", "mmd:to=z2"),
    "sphere": ("gaussian_kl_full:shrinkage=0.5", "mmd:to=z2", "cramer_wold:to=z2"),
}
"""What is measured beside the built-ins as they are: the released formula, what needs an option here, draws."""

EARLIER = {
    "kl_gaussian": (10.1, 22.1, 0.0),
    "kl_gaussian:formula=age-2018": (3.5, 25.6, 0.1),
    "mmd:to=z2": (7.1, 8.6, 1.6),
    "mmd": (14.2, 16.6, 2.4),
    "sigreg": (11.8, 11.6, 2.2),
}
"""Power against gaussian that other code had found, on the departures `SEEN`, at the dimension and batch `KNOWN_AT`."""
SEEN = ("shift", "scale", "duplicates")
KNOWN_AT = 64, (64,)

HEAD = """# The lab

What a divergence sees, how far, how noisily and at what cost, is a table that anyone can print:

    agekit lab                                      # agekit's own divergences, at d = 64 and n = 16 to 1024
    agekit lab kl_sphere mmd:kernel=rbf sigreg:slices=1024 --reference sphere --dim 128 --batch 64,256
    agekit lab mmd:to=z2 coral                      # against as many draws, not the law; one that a plugin brings
    agekit lab --in-game runs/age_celeba-0001       # on the codes of a run, against its reference
    agekit lab --match kl_sphere mmd                # the weight at which mmd pulls as hard as kl_sphere

This page is written by `make lab`.

## What is measured

Codes are drawn from the reference as often as `--repetitions` says; this is the *null*. Of each draw, departures are
made:

{departures}

On a reference whose own map leaves its draws as they are, such as the sphere's, codes are mapped back to it; a
departure that is none there is n/a. All divergences and departures see the same draws.

- **mean, ideal, bias, sd** of the null: the mean of the values, the value in the limit of many codes, their difference,
  and the standard deviation.
- **power** of a departure: how far it moves the mean, in standard deviations of the null. Below 1 a divergence is as
  good as blind to it at this batch size; negative, it takes the departure for better than the reference. Behind ± is
  its standard error, by the jackknife. R repetitions leave a small power uncertain by about √(2/R), and a large
  one, which is divided by a standard deviation of R values, by a share of about 1/√(2R): 0.3 and a seventh for the
  default of 24, which is enough to tell what is seen from what is not; 0.1 and a twentieth for 200.
- **error** of a departure: the mean less the value in the limit of many codes, where a closed form is known.
- **gradient signal-to-noise**: |E G| / √(tr Cov G), where G = Σ_i [∂D/∂x_i x_iᵀ, ∂D/∂x_i] is the gradient that a linear
  layer under the codes would get. Where it is below 1, a step follows the batch more than the law. |E G|² is estimated
  without bias; where the estimate is negative, 0 stands for it.
- **cost** of one call: processor time forward and backward (all threads together, the least of 5 calls), and the most
  bytes of tensors that are alive at once beside the codes, which is the same on every machine. **growth**: exponents of
  both, by least squares of logarithms, at 1, 2 and 4 times the largest batch (here from n = 1024 on), and at 1, 2 and 4
  times the dimension. Where a fixed part outweighs what grows, as tiles of pairs do in memory, they are below those of
  the formula; [benchmarks/pairwise.md](benchmarks/pairwise.md) measures pairs where they are many.

`--match` compares the root mean square norms of two gradients by the codes, half-way to each departure (along the
reference's own way), or on the codes of a run; the weight is the median of their ratios. With it a swap of divergences
changes the geometry, and not the scale. Where no `--reference` is named, it is the first at which the old divergence is
0: the sphere for `kl_sphere`, gaussian for `mmd`.

## What is saved

Each call saves to a fresh folder, `lab/table-0001` and so on (`--out` names another one in the place of `lab`):

- `table.csv`, functions of `--seed` alone, a row for each divergence, batch size and cloud of codes;
- `costs.csv` and `scaling.csv`, which depend on the machine: the cost of a call, and its exponents;
- `power.png`, the powers as a picture, and TensorBoard events: `agekit board lab` shows all folders side by side.

`--in-game` writes a `table.csv` to `lab/in-game-0001`, and `--match` the norms of both gradients and their ratio, for
each cloud of codes, to `lab/match-0001/match.csv`.

| column of `table.csv` | |
|---|---|
| `divergence` | as it was named, with its options; so in `costs.csv` and `scaling.csv` |
| `reference`, `dim`, `batch`, `repetitions`, `seed` | what it was measured against, and how |
| `codes` | the cloud: `null`, a departure, or an expression of the run, such as `e(x)` |
| `mean`, `sd` | of the values, over repetitions |
| `known` | the value in the limit of many codes: of the null, the ideal; empty where it is not known |
| `error` | `mean` less `known`: of the null, the bias |
| `power`, `power_standard_error` | as above; empty for the null |
| `gradient` | the norm of the gradient by all codes, [n, d], root mean square over repetitions |
| `signal` | the gradient signal-to-noise ratio |
| `refused` | why the divergence does not take so few or so many codes; there is nothing else in such a row |

On Linux, codes for which free memory does not suffice are refused as well.
"""


CHECKED = """
## Checked

Some powers against gaussian were known before, from other code; here they stand in brackets:
{table}
The standard errors of the figures in brackets are not known. `mmd` in brackets was compared with 20,000 draws, and
here it is with the law itself. There its power can be computed without drawing any codes: if h is the kernel less its
means, the unbiased estimate has the variance 2 E h²/(n (n − 1)) under the null, and all means are integrals. That gives
14.04, 16.91 and 2.87. Of two earlier figures for duplicates, 2.4 and 2.9, the second is right, and the first was too
low by half a deviation.
"""


SHOWN = """
## What it shows

At d = n = 64, and nothing here says that it is so elsewhere:

- A fitted diagonal Gaussian (`gaussian_kl`, `kl_sphere`, `kl_gaussian`, in both formulas) knows means and variances
  alone. It does not see correlation, duplicates or low rank, and takes codes at two opposite points for *better* than
  the reference, by about four deviations. `kl_vmf` sees a shifted mean, and nothing else.
- Kernels and slices (`mmd`, `energy`, `sliced_wasserstein`, `sigreg`, `cramer_wold`) see duplicates at 1 to 4
  deviations. Against draws `mmd` sees half of what it sees against the law. On the sphere `sigreg`, `ksd` and
  `cramer_wold` against draws see no duplicates, no correlation and no low rank.
- What knows covariances, or the distances of near codes (`gaussian_kl_full`, `frechet`, `kl_neighbours`, `uniformity`),
  sees duplicates at 10 deviations and more. `frechet` has a bias of over 40 deviations, so that codes that shrink look
  better to it, as they do to `moments`.
- Nothing sees the missing mode of two coordinates at this batch size: no power is above 1.1.
- Power is not a gradient. Under duplicates no signal-to-noise ratio against gaussian is above 0.2, but for `frechet`
  and `moments`, and `kl_sphere`, which is not at home there.
"""


def page(studies: dict[str, Study], refused: dict[str, list[tuple[str, str]]]) -> str:
    """The whole page."""
    departures = "\n".join(f"- `{departure.name}`: {departure.meaning};" for departure in DEPARTURES)
    parts = [HEAD.format(departures=f"{departures[:-1]}.")]
    for name, found in studies.items():
        settings = found.settings
        if name == "gaussian" and (settings.reference.dim, settings.batches) == KNOWN_AT:
            parts += [SHOWN, CHECKED.format(table=_block(_checked(found)))]
        sizes = ", ".join(map(str, settings.batches))
        facts = f"d = {settings.reference.dim}, n = {sizes}, {settings.repetitions} repetitions"
        parts.append(f"\n## Against {name}\n\n{facts}.\n")
        parts += [_block(text) for text in found.texts() if text.rows]
        parts += [f"\nLeft out: {label}, since {why}.\n" for label, why in refused[name]]
    return "".join(parts)


def _checked(found: Study) -> tables.Text:
    """What was known before, beside what is found."""
    entries = {entry.label: entry for entry in found.entries}
    rows = []
    for label, before in EARLIER.items():
        powers = [tables.with_error(entries[label], cloud) for cloud in SEEN]
        rows.append((label, *(f"{power} ({known})" for power, known in zip(powers, before, strict=True))))
    return tables.aligned("power here, and before", ["divergence", *SEEN], rows)


def _block(text: tables.Text) -> str:
    lines = "\n".join("  ".join(row).rstrip() for row in [tuple(text.titles), *text.rows])
    return f"\n{text.caption[0].upper()}{text.caption[1:]}:\n\n```text\n{lines}\n```\n"


def main() -> int:
    """Measure, and write the page and its numbers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--grown", type=int, default=1024)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    given = parser.parse_args()
    registries = builtins()
    studies: dict[str, Study] = {}
    refused: dict[str, list[tuple[str, str]]] = {}
    for name, variants in VARIANTS.items():
        reference = reference_of(name, given.dim, registries)
        settings = Settings(reference, (given.batch,), given.repetitions, seed=0, grown=given.grown)
        chosen, refused[name] = takers([], settings, registries)
        chosen = sorted([*chosen, *candidates(variants, registries)], key=lambda one: _place(one.label, registries))
        resized = partial(reference_of, name, registries=registries)
        studies[name] = study(name, chosen, settings, resized, lambda: print(".", end="", flush=True))
        save.write_table(given.out / f"lab_{name}.csv", studies[name].entries, settings, name)
        print(f" {name}")
    write_text(given.out / "lab.md", page(studies, refused))
    return 0


def builtins() -> Registries:
    """The registries, with the built-in divergences alone."""
    registries = load().registries
    entries = registries.divergences.entries
    registries.divergences.entries = {name: entry for name, entry in entries.items() if entry.owner in BUILTIN}
    return registries


def _place(label: str, registries: Registries) -> int:
    """Variants stand behind what they are variants of."""
    return list(registries.divergences).index(label.partition(":")[0])


if __name__ == "__main__":
    sys.exit(main())
