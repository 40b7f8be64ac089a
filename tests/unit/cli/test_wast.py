"""``runwell wast`` and what it prints."""

import argparse

from runwell.cli.wast import features_of, run


def do(*files, features=None):
    files = [str(file) for file in files]
    return run(argparse.Namespace(engine="interpreter", features=features, files=files))


def test_output(tmp_path, capsys):
    good, bad, broken = tmp_path / "good.wast", tmp_path / "bad.wast", tmp_path / "broken.wast"
    good.write_text('(assert_invalid (module (func (result i32))) "type mismatch")')
    bad.write_text('\n(assert_invalid (module) "x")')
    broken.write_text("(module")
    assert do(good) == 0
    assert capsys.readouterr().out == f"{good}: 1 assertions passed\n"
    assert do(good, bad) == 1
    assert capsys.readouterr().out == (
        f"{good}: 1 assertions passed\n"
        f"{bad}: 1 assertions, 1 failures\n"
        f"{bad}:2: expected InvalidError 'x', but it is accepted\n"
        "2 scripts, 2 assertions, 1 failures\n"
    )
    assert do(broken) == 1
    assert "unexpected token (at 1:8)" in capsys.readouterr().err
    assert do(tmp_path / "none.wast") == 66


def test_features(tmp_path, capsys):
    script = tmp_path / "two.wast"
    script.write_text("(module (memory 1) (memory 1))")
    assert do(script) == 0
    assert do(script, features="-multi-memory") == 1
    assert "multiple memories" in capsys.readouterr().out
    assert do(script, features="frobnication") == 64
    assert "frobnication" in capsys.readouterr().err


def test_features_of_proposals():
    assert (
        features_of("/x/proposals/threads/atomic.wast")
        == "-memory64,-multi-memory,-reference-types"
    )
    assert features_of("core/threads.wast") == ""
