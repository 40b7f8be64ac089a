"""Exceptions thrown, passed on and caught by compiled and by interpreted functions."""

from tests.unit.interp.compiled import (
    LESS,
    UNLINK,
    Compiled,
    call,
    catching,
    check,
    frame,
    give,
    imported,
    landings,
    offset,
    own,
    place,
    throwing,
)

import runwell

TEXT = """(module
  (import "env" "host" (func $host (param i32) (result i32)))
  (tag $e (export "e") (param i32))
  (func $thrower (param i32) (result i32)
    (if (i32.and (local.get 0) (i32.const 1)) (then (throw $e (local.get 0))))
    (call $host (local.get 0)))
  (func $middle (param i32) (result i32) (call $thrower (local.get 0)))
  (func $catcher (export "catcher") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (return (call $middle (local.get 0))))
      unreachable)
    (i32.add (i32.const 1000)))
  (func $again (export "again") (param i32) (result i32)
    (block $h (result i32 exnref)
      (try_table (catch_ref $e $h) (return (call $catches_nothing (local.get 0))))
      unreachable)
    throw_ref)
  (func $catches_nothing (param i32) (result i32)
    (block $h (try_table (catch $f $h) (return (call $middle (local.get 0)))))
    (i32.const 7))
  (tag $f)
  (func $outer (export "outer") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (return (call $again (local.get 0))))
      unreachable)
    (i32.sub (i32.const 10))))"""
THROWER, MIDDLE, CATCHER, AGAIN, NOTHING, OUTER = range(1, 7)


def plain_call(code, function, callee):
    return (
        check(function)
        + LESS
        + frame("callee", 64)
        + own(callee)
        + place(function, offset(code, function, "call"))
        + call("%r", f"%n{callee}", "%callee", ("%a0",), code=f"%c{callee}")
        + "  %v = extractvalue { i64, <4 x float> } %r, 0\n"
    )


def catching_call(code, function, callee):
    at = offset(code, function, "call")
    body = plain_call(code, function, callee)
    return body.replace("begin:\n", "begin:\n" + catching(at), 1) + UNLINK + give("%v")


def landing(slot, operation):
    return f"""
  %slot = getelementptr i8, ptr %fp, i64 {slot}
  %caught = load i32, ptr %slot, align 4
  %changed = {operation}
  %wide = zext i32 %changed to i64
""" + give("%wide")


def rethrow(code, ref_slot):
    from runwell.kernel.types import as_struct
    from runwell.runtime.layout import Context

    return f"""
  %rp.at = getelementptr i8, ptr %ctx, i64 {as_struct(Context).offset("native_rp")}
  %rp = load ptr, ptr %rp.at, align 8
  %ref.at = getelementptr i8, ptr %rp, i64 {ref_slot}
  %ref = load ptr, ptr %ref.at, align 8
{place(AGAIN, offset(code, AGAIN, "throw_ref"))}
  call void @native_throw_ref(ptr %ctx, ptr %inst, ptr %fp, ptr %ref)
  unreachable
"""


def bodies(code, which):
    """Compiled functions."""
    made = {}
    if THROWER in which:
        made[THROWER] = (
            check(THROWER)
            + """
  %n = trunc i64 %a0 to i32
  %bit = and i32 %n, 1
  %odd = icmp ne i32 %bit, 0
  br i1 %odd, label %throw, label %pass
throw:
  store i64 %a0, ptr %fp, align 8
"""
            + throwing(THROWER, offset(code, THROWER, "throw"), 0, 0)
            + "pass:\n"
            + LESS
            + frame("callee", 64)
            + imported(0)
            + place(THROWER, offset(code, THROWER, "call_import"))
            + call("%r", "%n0", "%callee", ("%a0",), code="%c0", inst="%i0")
            + "  %v = extractvalue { i64, <4 x float> } %r, 0\n"
            + give("%v")
        )
    if MIDDLE in which:
        made[MIDDLE] = plain_call(code, MIDDLE, THROWER) + give("%v")
    if CATCHER in which:
        made[CATCHER] = catching_call(code, CATCHER, MIDDLE)
        target, slot, _ = landings(code, CATCHER)[0]
        made[CATCHER, target] = landing(slot, "add i32 %caught, 1000")
    if AGAIN in which:
        made[AGAIN] = catching_call(code, AGAIN, NOTHING)
        target, _, ref_slot = landings(code, AGAIN)[0]
        made[AGAIN, target] = rethrow(code, ref_slot)
    if NOTHING in which:
        made[NOTHING] = catching_call(code, NOTHING, MIDDLE)
        target, _, _ = landings(code, NOTHING)[0]
        made[NOTHING, target] = give("7")
    if OUTER in which:
        made[OUTER] = catching_call(code, OUTER, AGAIN)
        target, slot, _ = landings(code, OUTER)[0]
        made[OUTER, target] = landing(slot, "sub i32 %caught, 10")
    return made


def run(which):
    """What happens, for each entry and argument; the host throws, raises, calls back."""

    def host(n):
        if n == 2:
            raise runwell.WasmException(e, (77,))
        if n == 4:
            raise ValueError("four")
        if n == 6:
            return instance.exports.outer(3) + instance.exports.catcher(2)
        if n == 8:
            instance.exports.again(5)
        return n * 2

    instance = runwell.Instance(runwell.Module(TEXT), {"env": {"host": host}})
    e = instance.exports.e
    code = instance.module.code
    Compiled(code, bodies(code, which))
    seen = []
    for _ in range(2):
        for name in ("catcher", "again", "outer"):
            for n in range(1, 11):
                try:
                    seen.append(instance.exports[name](n))
                except runwell.WasmException as thrown:
                    frames = [(f.function, f.offset) for f in thrown.backtrace]
                    seen.append((thrown.tag is e, thrown.values, frames))
                except ValueError as error:
                    seen.append(str(error))
    return seen
