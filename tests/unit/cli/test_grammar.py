"""A plain command line is read as ``argparse`` reads it, and no other one is taken for plain."""

import pytest

from runwell.cli.grammar import COMMANDS, parse, read_any, read_plain

PLAIN = """
run f
run f a b
run f -x --lazy -h --dir
run f --dir x --lazy
run --dir a --dir=b::c --env K=V --env L f
run --dir= f
run --arg0 n --invoke g f -3 +4
run --tmpfs /t:1M --overlay a::/a --zip z::/ --stdin f --clock virtual --seed 7 --listen h:1 f
run --engine interpreter --bounds=explicit f
run --stats --engine jit f -x
run -v --deterministic f
run --verbose --log-level debug f -v
validate a
validate a b c
inspect f
inspect --engine jit f
wast --engine interpreter a b
cache
cache clear
doctor
"""

FOR_ARGPARSE = """
run
run -h
run --lazy
run --laz f
run -v=1 f
run -w f
run --log-level loud f
run --lazy=1 f
run --dir
run --dir -x f
run --bounds none f
run --unknown f
validate
validate a --foo
validate --foo a
inspect --wat f
inspect --wat --ir 3 f
inspect --asm 3 f
inspect --asm 3 --llvm 3 f
inspect --engine interpreter f
inspect a b
wast --engine other a
cache drop
cache list path
doctor x
"""


@pytest.mark.parametrize("line", PLAIN.strip().splitlines())
def test_plain_ones(line):
    argv = line.split()
    values = read_plain(COMMANDS[argv[0]], argv[1:])
    assert values is not None
    assert vars(read_any(argv)) == {"command": argv[0], **values} == vars(parse(argv))


@pytest.mark.parametrize("line", FOR_ARGPARSE.strip().splitlines())
def test_those_for_argparse(line):
    name, *rest = line.split()
    assert read_plain(COMMANDS[name], rest) is None


@pytest.mark.parametrize("line", ["", "-h", "--version", "nothing", "run", "run -h", "cache drop"])
def test_help_and_errors(line, capsys):
    with pytest.raises(SystemExit) as e:
        parse(line.split())
    out, err = capsys.readouterr()
    assert (e.value.code == 0) == bool(out)
    assert ("usage: runwell" in out or "runwell 0." in out) if out else err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "file", "args"),
    [
        ("run -- f", "f", []),
        ("run -- -f -x", "-f", ["-x"]),
        ("run f -- x", "f", ["--", "x"]),
        ("run --lazy -- f -- --lazy", "f", ["--", "--lazy"]),
    ],
)
def test_two_dashes_end_the_options_and_what_follows_the_file_is_the_guest_s(line, file, args):
    found = parse(line.split())
    assert (found.file, found.args) == (file, args)


def test_reading_does_not_change_the_grammar():
    parse(["run", "--dir", "x", "f"])
    assert parse(["run", "f"]).dir == []
