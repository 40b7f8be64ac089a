"""Finding what earlier runs compiled."""

import os

import runwell
from runwell.jit import kept
from runwell.jit.kept import path_of

BYTES = 5000


def code_of(fill: str, **config: object):
    text = f'(module (memory 1) (data (i32.const 0) "{fill}"))'
    return runwell.Module(text, engine=runwell.Engine(runwell.Config(**config))).code


def test_modules_and_options_have_files_of_their_own(tmp_path):
    directory = str(tmp_path)
    plain = path_of(code_of("a" * BYTES), directory)
    assert plain == path_of(code_of("a" * BYTES), directory)
    assert os.path.dirname(plain) == directory
    others = [
        code_of("a" * BYTES + "a"),
        code_of("b" + "a" * (BYTES - 1)),
        code_of("a" * BYTES, bounds="explicit"),
        code_of("a" * BYTES, deterministic=True),
    ]
    assert len({plain, *(path_of(code, directory) for code in others)}) == 5


def test_what_is_large_is_left_for_later(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNWELL_CACHE_DIR", str(tmp_path))
    code = code_of("c" * BYTES)
    path = path_of(code, str(tmp_path))
    kept.use_kept(code)
    assert code.tier is None
    with open(path, "wb") as file:
        file.truncate(kept.MAX_BYTES + 1)
    kept.use_kept(code)
    assert code.tier is None
    with open(path, "wb") as file:
        file.write(b"damaged")
    kept.use_kept(code)
    assert code.tier.is_loaded
    assert code.tier.n_loaded == 0
