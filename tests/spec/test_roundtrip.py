"""Every module of the official suite survives encoding and printing."""

import pytest
from tests.spec.suite import SUITE, scripts

from runwell.base.errors import MalformedError, RunwellError
from runwell.binary.decoder import decode
from runwell.binary.encoder import encode
from runwell.text.parser import parse
from runwell.text.printer import print_module
from runwell.text.wast import Assertion, Define, Source, parse_script

SCRIPTS = scripts()


def modules(name):
    """The binaries of a script that can be decoded."""
    for command in parse_script((SUITE / name).read_bytes()):
        source = command.source if isinstance(command, Define) else None
        if isinstance(command, Assertion) and isinstance(command.subject, Source):
            source = command.subject
        if source is None or source.error is not None:
            continue
        try:
            data = parse(source.data) if source.form == "quote" else source.data
            decode(data)
        except RunwellError:
            continue
        yield command.line, source.form, data


@pytest.mark.skipif(not SCRIPTS, reason=f"the official suite is not at {SUITE}")
@pytest.mark.parametrize("name", SCRIPTS)
def test_round_trip(name):
    for line, form, data in modules(name):
        encoded = encode(decode(data))
        if form != "binary":
            assert encoded == data, f"{name}:{line}: what the parser wrote was not canonical"
        module = decode(encoded)
        assert encode(module) == encoded, f"{name}:{line}"
        try:
            text = print_module(module)
        except MalformedError:
            # A body that only looking at instructions finds malformed.
            continue
        again = decode(parse(text))
        assert print_module(again) == text, f"{name}:{line}"
