"""What a configuration accepts."""

import io
import pathlib
import sys

import pytest

from runwell.wasi import MemoryDirectory, VirtualClock, WasiConfig


def test_all_that_can_be_given(tmp_path):
    memory = MemoryDirectory()
    made = WasiConfig(
        ["a", "b"],
        {"K": "V"},
        {"/": str(tmp_path), "/p": tmp_path, "/m": memory},
        b"in",
        "capture",
        io.BytesIO(),
        clock=VirtualClock(),
        random=7,
        listeners=["127.0.0.1:0"],
    )
    assert (made.args, made.env) == (["a", "b"], {"K": "V"})
    assert made.preopens == {"/": str(tmp_path), "/p": str(tmp_path), "/m": memory}
    WasiConfig(stdin=tmp_path / "in", stdout=pathlib.PurePath("out"), stderr=print)
    WasiConfig(stdin=lambda size: b"", stdout=None, clock="virtual", random=bytes)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"args": ["a\0"]}, ValueError, "NUL"),
        ({"env": {"A=B": "C"}}, ValueError, "'A=B' cannot be the name of a variable"),
        ({"env": {"": "C"}}, ValueError, "cannot be the name"),
        ({"preopens": {"/\0": "x"}}, ValueError, "NUL"),
        ({"preopens": {"/": 3}}, TypeError, "neither a path nor a directory"),
        ({"stdin": "capture"}, ValueError, "inherit"),
        ({"stdout": "what"}, ValueError, "capture"),
        ({"stdout": b"x"}, TypeError, "stdout cannot be a bytes"),
        ({"stdout": io.StringIO()}, TypeError, "binary"),
        ({"stdout": sys.stdout}, TypeError, "buffer"),
        ({"stdin": 3}, TypeError, "stdin cannot be a int"),
        ({"clock": "sun"}, ValueError, "virtual"),
        ({"clock": 7}, TypeError, "not a Clock"),
        ({"random": "x"}, TypeError, "seed"),
    ],
)
def test_what_cannot_be_given(options, kind, words):
    with pytest.raises(kind, match=words):
        WasiConfig(**options)
