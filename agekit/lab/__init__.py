"""The lab: what divergences see, how far and how noisily, and at what cost."""
