"""Entry points: translation on demand, for all, and once more to find places."""

import ctypes
import threading

import pytest
from translate_harness import FORM_AT

from runwell.base.traps import TrapCode
from runwell.kernel import ctype_of
from runwell.runtime.layout import FuncCode
from runwell.runtime.mapping import Mapping
from runwell.text.parser import parse
from runwell.translate.code import decode_code
from runwell.translate.errors import Error

TEXT = """
(module
  (func $a (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $b (param i32) (result i32) (loop (br_if 0 (local.get 0))) (call $a (local.get 0)))
  (func $c (result i32) (i64.const 1)))
"""


def codes(module):
    array = ctype_of(FuncCode) * module.n_functions
    return array.from_address(module.code_address(0))


@pytest.fixture
def module(translator):
    return translator.prepare(parse(TEXT))


def test_a_function_is_translated_once(translator, module):
    a = codes(module)[0]
    assert translator.bound.translate_on_demand(translator.context, a) == 0
    entry, out = a.entry, module._native.code_out
    assert translator.bound.translate_on_demand(translator.context, a) == 0
    assert (a.entry, module._native.code_out) == (entry, out)
    assert module._native.lock == 0


def test_what_is_recorded(translator, module):
    a, b, _ = codes(module)
    assert translator.bound.translate_functions(module.address, 0, 2) == 0
    assert (a.brief, b.brief) == (1, 0)
    # Parameter, link, and one or two operands.
    assert a.frame_bytes == 8 + 16 + 16
    assert b.frame_bytes == 8 + 16 + 8


def test_an_invalid_function_traps_and_the_others_do_not(translator, module):
    a, _, c = codes(module)
    for _ in range(2):
        found = translator.bound.translate_on_demand(translator.context, c)
        assert found == TrapCode.INVALID_FUNCTION
    assert c.frame_bytes == 0
    assert translator.bound.translate_on_demand(translator.context, a) == 0
    trouble = translator.validate(module)
    assert (trouble.code, trouble.function) == (Error.TYPE_MISMATCH, 2)


def test_a_full_arena_traps(translator, module):
    module._native.code_end = module._native.code + (4 << 20) - 4
    found = translator.bound.translate_on_demand(translator.context, codes(module)[0])
    assert found == TrapCode.INTERNAL
    assert module._native.code_out == module._native.code


def test_threads_that_meet_translate_once(translator, module):
    entry = translator.bound._library["translate_on_demand"]
    entry.argtypes = [ctypes.c_uint64] * 2
    a = ctypes.addressof(codes(module)[0])
    threads = [
        threading.Thread(target=entry, args=(ctypes.addressof(translator.context), a))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    size = module._native.code_out - codes(module)[0].entry
    words = list((ctypes.c_uint32 * (size // 4)).from_address(codes(module)[0].entry))
    assert sum(len(i.parts) for i in decode_code(words, FORM_AT)) == 2


PLACES = """
(module (memory 1) (func $f (param i32) (result i32) (local i32)
  local.get 0 i32.load offset=4 local.set 1
  local.get 0 local.get 0 i32.const 1 i32.add local.set 0
  local.get 1 i32.add
  local.get 0 call $f
  i32.div_u))
"""


def test_origins_of_instructions(translator):
    module = translator.prepare(parse(PLACES))
    assert translator.validate(module) is None
    instructions = decode_code(translator.words(module, 0), FORM_AT)
    room, notes = Mapping(16 << 20), Mapping(1 << 20)
    n = translator.bound.map_offsets(
        module.address, codes(module)[0], room, room + room.size, notes
    )
    pairs = list((ctypes.c_uint32 * (2 * n)).from_address(notes))
    start = module.module.body(0).start
    data = module.module.data
    found = {at: data[start + offset] for at, offset in zip(pairs[::2], pairs[1::2], strict=True)}
    expected = {"i32.load": 0x28, "i32.add": 0x6A, "call": 0x10, "i32.div_u": 0x6E}
    seen = set()
    for instruction in instructions:
        name = instruction.parts[0].form.op.name
        if name in expected:
            assert found[instruction.at] == expected[name]
            seen.add(name)
    assert seen == set(expected)
    # Each note is that of one instruction.
    assert set(found) <= {instruction.at for instruction in instructions}
