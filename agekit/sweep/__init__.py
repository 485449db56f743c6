"""Several runs of one recipe: over seeds, over values; planned first, then played, and gone on with."""
