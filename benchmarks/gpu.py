"""`make gpu-check` and `make gpu-recipes`: says what is missing, and hands over.

python -m benchmarks.gpu check|recipes [--device cuda] [...]; --help after either says more.
"""

from __future__ import annotations

import sys

from .needs import demand


def main(arguments: list[str]) -> int:
    """Check a device, or train the published recipes whole."""
    what, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if what == "check":
        demand(without=frozenset({"tomli-w", "tensorboard", "rich"}))
        from .speed.gpu import main as check

        return check(rest)
    if what == "recipes":
        demand()
        from .speed.whole import main as recipes

        return recipes(rest)
    print((__doc__ or "").strip(), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
