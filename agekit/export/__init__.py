"""Networks of a run as files that others can load, checked as they are written."""
