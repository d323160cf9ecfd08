"""The bar is for people at a terminal and goes to the error stream."""

from io import StringIO
from pathlib import Path

import duckdb
import pytest

from analysis.tables.progress import Progress, _reading


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_bar__on_a_terminal__names_the_step():
    stream = Terminal()
    with Progress(stream).step("Reading the file", duckdb.connect()):
        pass
    assert "Reading the file" in stream.getvalue()


def test_bar__where_nobody_looks__is_silent():
    stream = StringIO()
    with Progress(stream).step("Reading the file", duckdb.connect()):
        pass
    assert stream.getvalue() == ""


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the kernel does not say how much was read")
def test_reading__counts_the_bytes_read(tmp_path: Path):
    file = tmp_path / "big"
    file.write_bytes(b"x" * 1_000_000)
    share = _reading(1_000_000)
    file.read_bytes()
    assert share() == pytest.approx(100, abs=5)
