"""`python -m agekit`, and the command `agekit`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

__all__ = ["main"]
