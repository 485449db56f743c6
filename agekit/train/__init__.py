"""Training: a game becomes a run, which is a folder."""
