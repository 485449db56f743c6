"""What the benchmarks import that is not theirs, told before anything is imported."""

from __future__ import annotations

import importlib.util
import sys

NEEDED = {
    "torch": "torch",
    "numpy": "numpy",
    "packaging": "packaging",
    "PIL": "pillow",
    "pluggy": "pluggy",
    "pydantic": "pydantic",
    "rich": "rich",
    "safetensors": "safetensors",
    "tensorboard": "tensorboard",
    "tomli_w": "tomli-w",
}
"""Modules, and the packages that bring them."""


def demand(without: frozenset[str] = frozenset()) -> None:
    """End with a message that says which packages are missing, and how they get here without a network."""
    missing = [package for module, package in NEEDED.items() if not importlib.util.find_spec(module)]
    missing = [package for package in missing if package not in without]
    if not missing:
        return
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    names = " ".join(missing)
    sys.exit(
        f"{sys.executable} has no {', '.join(missing)}.\n"
        f"With a network: {sys.executable} -m pip install {names}\n"
        "Without one, on a machine that has one:\n"
        f"  python3 -m pip download --only-binary=:all: --python-version {version} "
        f"--platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 -d wheels {names}\n"
        f"and here, beside the folder wheels:\n"
        f"  {sys.executable} -m pip install --no-index --find-links wheels --target build/wheels {names} "
        "&& export PYTHONPATH=build/wheels"
    )
