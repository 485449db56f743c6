"""Attacks on what people leave alone for days; `make faults` and others run them whole, tests a short form of them."""
