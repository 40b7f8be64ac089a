"""Each mistake gets one error, which says what is wrong, where, and what would be right."""

import gzip
import re

import pytest

import runwell

PLUGIN = """
(module
  (import "env" "log" (func $log (param i32) (result i32)))
  (import "env" "memory" (memory 1 2))
  (import "env" "base" (global i32))
  (import "env" "table" (table 1 funcref))
  (func (export "add") (param i32 i64) (result i64) (local.get 1))
  (func (export "call") (result i32) (call $log (i32.const 1)))
  (global (export "one") i32 (i32.const 1)))
"""


def env(**changes):
    good = {
        "log": lambda n: n,
        "memory": runwell.Memory(1, 2),
        "base": 3,
        "table": runwell.Table("funcref", 1),
    }
    return {"env": good | changes}


def plugin(**changes):
    return runwell.load(PLUGIN, env(**changes))


def closed():
    guest = plugin()
    guest.close()
    return guest


CASES = {
    "no module": (lambda: runwell.Module(None), TypeError,
                  "a module is bytes, a path, or text, not NoneType"),
    "no file": (lambda: runwell.Module("none.wasm"), FileNotFoundError, "'none.wasm'"),
    "a directory": (lambda: runwell.Module("/"), IsADirectoryError, "'/'"),
    "nothing": (lambda: runwell.Module(b""), runwell.MalformedError,
                "unexpected end: it is empty (at byte 0x0)"),
    "text in bytes": (lambda: runwell.Module(b"(module)"), runwell.MalformedError,
                      "magic header not detected: it is text; WebAssembly's text format is known "
                      "by the suffix .wat (at byte 0x0)"),
    "compressed": (lambda: runwell.Module(gzip.compress(b"\0asm\1\0\0\0")), runwell.MalformedError,
                   "magic header not detected: it is compressed by gzip (at byte 0x0)"),
    "a component": (lambda: runwell.Module(b"\0asm\x0d\0\1\0"), runwell.MalformedError,
                    "unknown binary version: it is a component, and core modules are what runs"),
    "a library": (lambda: runwell.Module(b"\x7fELF\2\1\1" + bytes(20)), runwell.MalformedError,
                  "it is a program or library for Linux, and was not compiled to WebAssembly"),
    "other bytes": (lambda: runwell.Module(b"\xff" * 20), runwell.MalformedError,
                    "magic header not detected (at byte 0x0)"),
    "cut off": (lambda: runwell.Module(b"\0asm\1\0\0\0\1\5"), runwell.MalformedError,
                "length out of bounds (at byte 0x"),
    "wrong text": (lambda: runwell.Module("(module (func (i32.addd)))"), runwell.MalformedError,
                   "unknown operator i32.addd (at 1:16)\n  (module (func (i32.addd)))"),
    "a wrong type": (lambda: runwell.Module("(module (func $f (result i32) (i64.const 1)))"),
                     runwell.InvalidError,
                     "type mismatch: instruction requires [i32] but stack has [i64] (in function "
                     "0 $f, at end, byte 0x1a)"),
    "a configuration": (lambda: runwell.Module("(module)", engine=runwell.Config()), TypeError,
                        "engine must be a runwell.Engine, not Config"),
    "no instance": (lambda: runwell.Instance("plugin.wasm"), TypeError,
                    "module must be a runwell.Module, not str"),
    "no imports": (lambda: runwell.load(PLUGIN), runwell.LinkError,
                   "unknown imports, 4 of them:\n  'env'.'log': func [i32] -> [i32]\n"),
    "a set": (lambda: runwell.load(PLUGIN, {1, 2}), TypeError,
              "imports must be a mapping of module names, or a list in the module's order, not"),
    "a short list": (lambda: runwell.load(PLUGIN, [print]), runwell.LinkError,
                     "4 imports wanted, 1 given"),
    "no function": (lambda: plugin(log=5), runwell.LinkError,
                    "incompatible import type for 'env'.'log': wanted func [i32] -> [i32], "
                    "found int"),
    "another function": (lambda: plugin(log=plugin().exports.add), runwell.LinkError,
                         "wanted func [i32] -> [i32], found func [i32 i64] -> [i64]"),
    "no memory": (lambda: plugin(memory=bytearray(65536)), runwell.LinkError,
                  "incompatible import type for 'env'.'memory': wanted memory 1 2, found byte"),
    "a small memory": (lambda: plugin(memory=runwell.Memory(0, 2)), runwell.LinkError,
                       "wanted memory 1 2, found memory 0 2"),
    "no number": (lambda: plugin(base="3"), runwell.LinkError,
                  "incompatible import type for 'env'.'base': wanted global i32, found str"),
    "a large number": (lambda: plugin(base=1 << 40), runwell.LinkError,
                       "wanted global i32: the value does not fit i32: 1099511627776"),
    "a list": (lambda: plugin(table=[None]), runwell.LinkError, "wanted table 1 funcref, found"),
    "too few": (lambda: plugin().exports.add(1), TypeError,
                "add() takes 2 arguments (i32, i64), 1 given"),
    "by name": (lambda: plugin().exports.add(x=1), TypeError, "add() takes no keyword arguments"),
    "a string": (lambda: plugin().exports.add("1", 2), TypeError,
                 "add() argument 1 must be an int for i32, not str"),
    "too large": (lambda: plugin().exports.add(1 << 32, 2), OverflowError,
                  "add() argument 1 does not fit i32: 4294967296"),
    "a wrong result": (lambda: [plugin(log=str).exports.call()], TypeError,
                       "the result of env.log() must be an int for i32, not str"),
    "no such export": (lambda: plugin().exports.ad, AttributeError, "'ad'"),
    "immutable": (lambda: setattr(plugin().exports.one, "value", 2), AttributeError,
                  "the global is immutable"),
    "out of bounds": (lambda: runwell.Memory(1).read(65535, 2), IndexError,
                      "2 bytes at 65535 are out of bounds of memory"),
    "no address": (lambda: runwell.Memory(1).read("a", 2), TypeError,
                   "address must be an int, not str"),
    "no place": (lambda: runwell.Memory(1).write("a", b""), TypeError,
                 "address must be an int, not str"),
    "no size": (lambda: runwell.Memory(1).read(0, None), TypeError,
                "size must be an int, not NoneType"),
    "no bytes": (lambda: runwell.Memory(1).write(0, "abc"), TypeError,
                 "data must be bytes, not str: encode it first"),
    "no buffer": (lambda: runwell.Memory(1).write(0, 5), TypeError,
                  "data must be bytes, not int: a contiguous buffer is wanted"),
    "no pages": (lambda: runwell.Memory("1"), TypeError,
                 "minimum must be a number of pages, not str"),
    "no index": (lambda: runwell.Table("funcref", 1)["a"], TypeError,
                 "an index of a table must be an int, not str"),
    "no element": (lambda: runwell.Table("funcref", 1)[1], IndexError,
                   "1 is out of bounds of a table of 1 elements"),
    "one argument": (lambda: runwell.WasiConfig("-v"), TypeError,
                     "args is a list of arguments, not one str"),
    "a number": (lambda: runwell.WasiConfig(["-n", 3]), TypeError,
                 "arguments, variables and names are strings, not int"),
    "pairs": (lambda: runwell.WasiConfig(env=["a=b"]), TypeError, "env must be a mapping, not"),
    "a path": (lambda: runwell.WasiConfig(preopens="/tmp"), TypeError,
               "preopens must be a mapping, not str"),
    "options": (lambda: runwell.load("(module)", wasi={"args": []}), TypeError,
                "wasi must be a runwell.WasiConfig, not dict"),
    "no directory": (lambda: runwell.load(
                         "(module)", wasi=runwell.WasiConfig(preopens={"/": "/no/such/place"})),
                     FileNotFoundError, "'/no/such/place'"),
    "no command": (lambda: plugin().run(), runwell.RunwellError, "it does not export _start"),
    "unmetered": (lambda: plugin().fuel, ValueError,
                  "the engine meters nothing: make it with runwell.Config(fuel=True)"),
    "closed": (lambda: closed().exports.add, runwell.ClosedError,
               "cannot get add: the instance is closed"),
    "no such engine": (lambda: runwell.Config(engine="fast"), ValueError,
                       "engine is 'interpreter', 'tiered', 'jit', not 'fast'"),
    "no such feature": (lambda: runwell.Config(features="-smid"), ValueError,
                        "unknown feature 'smid'; features are sign-extension, "),
    "no serialized module": (lambda: runwell.Module.deserialize(b"abc"), runwell.DeserializeError,
                             "this is no serialized module"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_api(name):
    do, kind, message = CASES[name]
    with pytest.raises(kind, match=re.escape(message)) as caught:
        do()
    assert caught.type is kind
