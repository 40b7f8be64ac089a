"""Directories and clocks on the command line."""

import pytest

from runwell.cli.worlds import clock, preopens
from runwell.wasi import HostDirectory, MemoryDirectory, Overlay, Quota


def kinds(**options):
    order = ("directories", "temporary", "overlays", "archives")
    made = preopens(*[options.get(name, []) for name in order])
    return {
        guest: world if isinstance(world, str) else type(world) for guest, world in made.items()
    }


def test_directories(tmp_path):
    path = str(tmp_path)
    assert kinds(directories=[path]) == {path: path}
    assert kinds(directories=[f"{path}::/d"]) == {"/d": path}
    assert kinds(directories=[f"{path}::/d:ro"]) == {"/d": HostDirectory}
    assert kinds(directories=[f"{path}:ro"]) == {path: HostDirectory}
    assert kinds(directories=[f"{path}::/d:bytes=1M,files=3"]) == {"/d": Quota}
    # what is no option is a name
    assert kinds(directories=["C:x", "a::b:c", "d:ro,x::/d"]) == {
        "C:x": "C:x", "b:c": "a", "/d": "d:ro,x",
    }  # fmt: skip


def test_others(tmp_path):
    made = kinds(temporary=["/t:bytes=1K"], overlays=[f"{tmp_path}::/o"])
    assert made == {"/t": MemoryDirectory, "/o": Overlay}


@pytest.mark.parametrize(
    ("text", "room"), [("5", 5), ("5K", 5 << 10), ("5m", 5 << 20), ("5G", 5 << 30), ("1T", 1 << 40)]
)
def test_sizes(text, room):
    (made,) = preopens([], [f"/t:bytes={text}"], [], []).values()
    assert made.disk.bytes_left == room


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5G", "K"])
def test_sizes_that_are_none(text):
    with pytest.raises(ValueError, match="bytes="):
        preopens([], [f"/t:bytes={text}"], [], [])


@pytest.mark.parametrize(
    ("text", "start", "tick"),
    [
        ("virtual", 0, 1000),
        ("virtual:7", 7 * 10**9, 1000),
        ("virtual,tick=0", 0, 0),
        ("virtual:1970-01-02,tick=3", 86400 * 10**9, 3),
        ("virtual:1970-01-01T00:00:01.5", 1_500_000_000, 1000),
        ("virtual:1970-01-01T01:00:00+01:00", 0, 1000),
    ],
)
def test_clocks(text, start, tick):
    assert clock(text).now(0) == start + tick


def test_the_system_s_clock():
    assert clock("real") == "real"


@pytest.mark.parametrize("text", ["", "unreal", "real,tick=3", "virtual,tock=3", "virtual:x"])
def test_clocks_that_are_none(text):
    with pytest.raises(ValueError, match="clock"):
        clock(text)
