"""A recipe as a game: bound to components, checked, planned, and played."""
