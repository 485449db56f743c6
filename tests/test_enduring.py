"""A run goes on where nobody reads what it says: a pipe that was closed, a terminal that is gone."""

import os
from argparse import Namespace

from agekit.cli.training import _listening
from agekit.report.console import Enduring


def test_a_run_speaks_to_a_stream_that_may_close():
    with _listening(Namespace(json=False, nproc=None)) as teller:
        assert isinstance(teller.console.console.file, Enduring)


def test_a_stream_that_closes_fails_nobody_and_is_said_once(capsys):
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as stream:
        enduring = Enduring(stream)
        enduring.write("heard\n")
        enduring.flush()
        assert os.read(reading, 100) == b"heard\n"
        os.close(reading)
        for _ in range(3):
            assert enduring.write("unheard\n") == 8
            enduring.flush()
        assert not enduring.isatty()
    assert capsys.readouterr().err == "warning: what is said goes nowhere (Broken pipe); the run goes on\n"
