"""Runs seen together: what each is and says, read from its folder without torch; and how they differ."""
