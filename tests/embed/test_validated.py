"""Large modules that were found valid are not validated again, and no others are spared it."""

import os
from pathlib import Path

import pytest

import runwell
from runwell.embed import module as module_faces
from runwell.interp import core
from runwell.text.parser import parse
from runwell.translate import translator

TEXT = '(module (func (export "f") (result i32) i32.const 1 i32.const 2 i32.add drop i32.const 77))'
VALID = parse(TEXT)


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNWELL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module_faces, "LEAST_BYTES", 0)
    return tmp_path / "cache"


@pytest.fixture
def checks(monkeypatch):
    """Grows with each validation of a whole module."""
    made = []
    validate = translator.validate

    def counted(code, progress=None):
        made.append(code)
        validate(code, progress)

    monkeypatch.setattr(translator, "validate", counted)
    return made


def files(directory):
    return sorted(directory.glob("*.valid"))


def test_the_second_time_it_is_known(directory, checks):
    for _ in range(3):
        assert runwell.Instance(runwell.Module(VALID)).exports.f() == 77
    assert len(checks) == 1
    (file,) = files(directory)
    assert os.stat(file).st_mode & 0o77 == 0


def test_small_modules_leave_nothing(directory, checks, monkeypatch):
    monkeypatch.setattr(module_faces, "LEAST_BYTES", len(VALID))
    for _ in range(2):
        runwell.Module(VALID)
    assert (len(checks), files(directory)) == (2, [])


def test_an_invalid_module_of_the_same_name_is_refused(directory, checks):
    """What is left of the code is as long, and ends alike: for the quick check it is the same."""
    runwell.Module(VALID)
    at = VALID.index(b"\x6a")  # i32.add becomes f32.add
    invalid = VALID[:at] + b"\x92" + VALID[at + 1 :]
    from runwell.embed.validated import _SAMPLE_BYTES

    padding = bytes([0, 0x80 | (_SAMPLE_BYTES + 1) & 0x7F, *_leb((_SAMPLE_BYTES + 1) >> 7)])
    custom = padding + b"\0" + bytes(_SAMPLE_BYTES)
    for _ in range(2):
        runwell.Module(VALID + custom)
        with pytest.raises(runwell.InvalidError, match="type mismatch"):
            runwell.Module(invalid + custom)
    assert len(checks) == 4
    assert len(files(directory)) == 2


def _leb(value):
    out = []
    while value >= 0x80:
        out.append(0x80 | value & 0x7F)
        value >>= 7
    return [*out, value]


def test_other_features_are_another_module(directory, checks):
    runwell.Module(VALID)
    engine = runwell.Engine(runwell.Config(features="-simd"))
    for _ in range(2):
        runwell.Module(VALID, engine=engine)
    assert (len(checks), len(files(directory))) == (2, 2)


def test_another_validator_checks_again(directory, checks, monkeypatch):
    runwell.Module(VALID)
    loaded = core.load_core()
    monkeypatch.setattr(core, "_loaded", [type(loaded)(loaded.path, loaded.key + "\nnewer")])
    for _ in range(2):
        runwell.Module(VALID)
    assert len(checks) == 2


def test_every_damaged_byte_is_noticed(directory, checks):
    runwell.Module(VALID)
    (file,) = files(directory)
    whole = file.read_bytes()
    for count, at in enumerate(range(0, len(whole), max(1, len(whole) // 40)), 2):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        Path(file).write_bytes(damaged)
        runwell.Module(VALID)
        assert len(checks) == count
        assert file.read_bytes() == whole


def test_a_file_that_others_can_write_says_nothing(directory, checks):
    runwell.Module(VALID)
    (file,) = files(directory)
    os.chmod(file, 0o666)
    runwell.Module(VALID)
    assert len(checks) == 2


def test_without_a_cache(checks, monkeypatch):
    monkeypatch.setattr(module_faces, "LEAST_BYTES", 0)
    for directory in ("/proc/none", "/dev/null"):
        monkeypatch.setenv("RUNWELL_CACHE_DIR", directory)
        runwell.Module(VALID)
    monkeypatch.delenv("RUNWELL_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "relative")
    runwell.Module(VALID)
    assert len(checks) == 3


def test_who_only_asks_is_answered_in_the_same_way(directory, checks):
    for _ in range(2):
        runwell.Module.validate(VALID)
        runwell.Module(VALID)
    assert len(checks) == 1


def test_progress_is_told_either_way(directory, checks):
    for _ in range(2):
        told = []
        runwell.Module(VALID, progress=lambda *step, told=told: told.append(step))
        phase, done, total = [step for step in told if step[0] == "validate"][-1]
        assert phase == "validate"
        assert done == total > 0
    assert len(checks) == 1


def test_only_the_latest_files_stay(directory, monkeypatch):
    from runwell.embed import validated

    monkeypatch.setattr(validated, "_MOST_FILES", 3)
    for number in range(6):
        runwell.Module(parse(TEXT.replace("77", str(number))))
    assert len(files(directory)) == 3
