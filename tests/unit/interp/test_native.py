"""Compiled functions among interpreted ones, in every mix."""

import struct

from tests.unit.interp.compiled import (
    LESS,
    Compiled,
    call,
    check,
    frame,
    give,
    give_float,
    imported,
    offset,
    offsets,
    own,
    place,
)

import runwell
from runwell.codegen.object import compile_text
from runwell.elf.loader import load
from runwell.kernel.types import as_struct
from runwell.runtime.layout import Context


def prepare(text, bodies, imports=None):
    """An instance of which some functions are compiled, and no others while it runs."""
    engine = runwell.Engine(runwell.Config(engine="interpreter"))
    instance = runwell.Instance(runwell.Module(text, engine=engine), imports)
    made = bodies(instance.module.code) if callable(bodies) else bodies
    return instance, Compiled(instance.module.code, made)


ADD = """(module (func $add (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1)))
  (func (export "by") (param i32 i32) (result i32) (call $add (local.get 1) (local.get 0))))"""


def add():
    body = check(0) + "%s = add i64 %a0, %a1\n%t = shl i64 %s, 1" + give("%t")
    instance, _ = prepare(ADD, {0: body})
    e = instance.exports
    return e.add(3, 4), e.by(5, 6), [e.add(i, 1) for i in range(1000)][-1]


def test_add(worker):
    assert worker.run(add) == (14, 22, 2000)


FIB = """(module (func $fib (export "fib") (param i32) (result i32)
  (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
    (then (local.get 0))
    (else (i32.add (call $half (i32.sub (local.get 0) (i32.const 1)))
                   (call $half (i32.sub (local.get 0) (i32.const 2)))))))
  (func $half (export "half") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                   (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"""


def fib_body(function, callee):
    return (
        check(function)
        + """
  %n = trunc i64 %a0 to i32
  %small = icmp ult i32 %n, 2
  br i1 %small, label %base, label %rec
base:
  %bb = insertvalue { i64, <4 x float> } poison, i64 %a0, 0
  ret { i64, <4 x float> } %bb
rec:
  %m1 = sub i32 %n, 1
  %m2 = sub i32 %n, 2
  %w1 = zext i32 %m1 to i64
  %w2 = zext i32 %m2 to i64
"""
        + LESS
        + frame("f1", 32)
        + frame("f2", 40)
        + own(callee)
        + place(function, 0)
        + call("%x1", f"%n{callee}", "%f1", ("%w1",), code=f"%c{callee}")
        + call("%x2", f"%n{callee}", "%f2", ("%w2",), code=f"%c{callee}")
        + """
  %y1 = extractvalue { i64, <4 x float> } %x1, 0
  %y2 = extractvalue { i64, <4 x float> } %x2, 0
  %sum = add i64 %y1, %y2
"""
        + give("%sum")
    )


def fib(both):
    bodies = {0: fib_body(0, 1)}
    if both:
        bodies[1] = fib_body(1, 0)
    instance, _ = prepare(FIB, bodies)
    return instance.exports.fib(20), instance.exports.half(15)


def test_fib_of_two_functions_one_compiled(worker):
    assert worker.run(fib, False) == (6765, 610)


def test_fib_compiled(worker):
    assert worker.run(fib, True) == (6765, 610)


DEEP = """(module
  (func $f (export "f") (param i32) (result i32) (call $g (local.get 0)))
  (func $g (export "g") (param i32) (result i32) (call $f (local.get 0))))"""


def deep(which):
    """The message and the frames of a recursion without end."""
    instance, _ = prepare(DEEP, lambda code: {x: deep_body(code, x, 1 - x) for x in which})
    try:
        instance.exports.f(5)
    except runwell.ExhaustionError as e:
        return str(e), e.backtrace


def deep_body(code, function, callee):
    return (
        check(function)
        + LESS
        + frame("f1", 32)
        + own(callee)
        + place(function, offset(code, function, "call"))
        + call("%x1", f"%n{callee}", "%f1", ("%a0",), code=f"%c{callee}")
        + "  %y1 = extractvalue { i64, <4 x float> } %x1, 0\n"
        + give("%y1")
    )


def test_depth_and_backtrace_are_the_interpreters(worker):
    interpreted = worker.run(deep, ())
    assert "99936 more frames" in interpreted[0]
    for which in ((0,), (1,), (0, 1)):
        assert worker.run(deep, which) == interpreted


MIXED = """(module
  (import "env" "host" (func $host (param i32 f64) (result f64)))
  (func $f (export "f") (param i32 f32 f64 v128 i64 i32 f32 i32) (result f64)
    unreachable)
  (func $g (export "g") (param i32 f32 f64 v128 i64 i32 f32 i32) (result f64)
    (f64.add (f64.convert_i32_s (local.get 0)) (f64.promote_f32 (local.get 1)))
    (f64.add (local.get 2)) (f64.add (f64x2.extract_lane 0 (local.get 3)))
    (f64.add (f64x2.extract_lane 1 (local.get 3)))
    (f64.add (f64.convert_i64_s (local.get 4))) (f64.add (f64.convert_i32_s (local.get 5)))
    (f64.add (f64.promote_f32 (local.get 6))) (f64.add (f64.convert_i32_s (local.get 7)))
    (call $host (i32.const 1)) drop (call $host (i32.const 2) (f64.const 0))))""".replace(
    "(call $host (i32.const 1)) drop (call $host (i32.const 2) (f64.const 0))", ""
)


def passing():
    """A compiled function passes its nine slots on to an interpreted one."""
    args = {f"a{i}": f"%a{i}" for i in range(6)} | {f"d{i}": f"%d{i}" for i in range(6)}
    body = check(1) + LESS + own(2) + frame("callee", 200)
    for at in range(48, 80, 8):
        body += f"""
  %from{at} = getelementptr i8, ptr %fp, i64 {at}
  %v{at} = load i64, ptr %from{at}, align 8
  %to{at} = getelementptr i8, ptr %callee, i64 {at}
  store i64 %v{at}, ptr %to{at}, align 8
"""
    body += call("%r", "%n2", "%callee", args, code="%c2")
    body += "  %v = extractvalue { i64, <4 x float> } %r, 1\n" + give_float("%v")
    instance, _ = prepare(MIXED, {1: body}, {"env": {"host": lambda a, b: a + b}})
    v = struct.pack("<dd", 10.5, 20.25)
    given = (1, 2.5, 3.25, v, 1 << 40, -7, 0.5, 1000)
    return instance.exports.f(*given), instance.exports.g(*given)


def test_every_class_of_parameter(worker):
    compiled, interpreted = worker.run(passing)
    assert compiled == interpreted == 1 + 2.5 + 3.25 + 30.75 + (1 << 40) - 7 + 0.5 + 1000


HOST = """(module
  (import "env" "host" (func $host (param i32 f64) (result f64)))
  (func $f (export "f") (param i32 f64) (result f64) (call $host (local.get 0) (local.get 1)))
  (func $g (export "g") (param i32 f64) (result f64) (call $f (local.get 0) (local.get 1)))
  (func $h (export "h") (param i32 f64) (result f64) (call $g (local.get 0) (local.get 1))))"""


def through(code, function, callee, load):
    return (
        check(function)
        + LESS
        + frame("callee", 48)
        + load(callee)
        + place(function, offset(code, function, "call"))
        + call(
            "%r",
            f"%n{callee}",
            "%callee",
            {"a0": "%a0", "d1": "%d1"},
            code=f"%c{callee}",
            inst=f"%i{callee}" if load is imported else "%inst",
        )
        + "  %v = extractvalue { i64, <4 x float> } %r, 1\n"
        + give_float("%v")
    )


def host_calls(which, error):
    """h calls g calls f calls the host, which calls h again; some are compiled."""
    depth = 0

    def host(n, x):
        nonlocal depth
        depth += 1
        if n == 0:
            if error:
                raise ValueError("deep")
            return x
        return instance.exports.h(n - 1, x * 2) + 1

    def bodies(code):
        all_of = {
            1: through(code, 1, 0, imported),
            2: through(code, 2, 1, own),
            3: through(code, 3, 2, own),
        }
        return {x: all_of[x] for x in which}

    instance, _ = prepare(HOST, bodies, {"env": {"host": host}})
    results = []
    for _ in range(3):
        try:
            results.append(instance.exports.h(5, 1.5))
        except ValueError as e:
            results.append(str(e))
    return results


def test_host_calls_nest(worker):
    for which in ((), (1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3)):
        assert worker.run(host_calls, which, False) == [53.0] * 3
        assert worker.run(host_calls, which, True) == ["deep"] * 3


TRAPS = """(module (memory 1)
  (import "env" "host" (func $host (param i32 i32)))
  (func $a (export "a") (param i32 i32) (call $b (local.get 0) (local.get 1)))
  (func $b (param i32 i32)
    (if (i32.eqz (local.get 0)) (then (call $c (local.get 0) (local.get 1)))
      (else (call $host (local.get 0) (local.get 1)))))
  (func $c (param i32 i32)
    (if (local.get 1) (then unreachable))
    (drop (i32.load (i32.const 100000)))))""".replace("(memory 1)\n", "").replace(
    "(func $a", "(memory 1) (func $a", 1
)


def trap_bodies(code):
    base = """
  %memory.at = getelementptr i8, ptr %inst, i64 0
  %memory = load ptr, ptr %memory.at, align 8
  %where = getelementptr i8, ptr %memory, i64 100000
"""
    return {
        1: check(1)
        + LESS
        + frame("callee", 32)
        + own(2)
        + place(1, offset(code, 1, "call"))
        + call("%r", "%n2", "%callee", ("%a0", "%a1"), code="%c2")
        + give("0"),
        2: check(2)
        + LESS
        + frame("callee", 32)
        + own(3)
        + imported(0)
        + """
  %n = trunc i64 %a0 to i32
  %last = icmp eq i32 %n, 0
  br i1 %last, label %low, label %out
low:
"""
        + place(2, offset(code, 2, "call", 0))
        + call("%r", "%n3", "%callee", ("%a0", "%a1"), code="%c3")
        + give("0").replace("%ret.1", "%ret.0")
        + "out:\n"
        + place(2, offset(code, 2, "call_import"))
        + call("%q", "%n0", "%callee", ("%a0", "%a1"), code="%c0", inst="%i0")
        + give("0"),
        3: check(3)
        + """
  %which = trunc i64 %a1 to i32
  %is = icmp ne i32 %which, 0
  br i1 %is, label %halt, label %fault
halt:
"""
        + place(3, offset(code, 3, "unreachable"))
        + """
  call void @native_trap(ptr %ctx, ptr %inst, ptr %fp, i32 1)
  unreachable
fault:
"""
        + base
        + place(3, offset(code, 3, "i32.load"))
        + "  %x = load volatile i32, ptr %where, align 1\n"
        + give("0"),
    }


def traps(which):
    """Messages and backtraces of traps behind several entries, for each way to trap."""
    seen = []

    def host(n, how):
        try:
            instance.exports.a(n - 1, how)
        except runwell.Trap as e:
            seen.append((str(e), e.backtrace))
            raise

    instance, _ = prepare(
        TRAPS,
        lambda code: {x: body for x, body in trap_bodies(code).items() if x in which},
        {"env": {"host": host}},
    )
    for _ in range(2):
        for depth in (0, 1, 3):
            for how in (0, 1):
                try:
                    instance.exports.a(depth, how)
                except runwell.Trap as e:
                    seen.append((str(e), e.backtrace))
    return seen


def test_traps_have_the_interpreters_backtraces(worker):
    interpreted = worker.run(traps, ())
    assert len(interpreted) == 28
    for which in ((1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3)):
        assert worker.run(traps, which) == interpreted


PING = """(module
  (func $ping (export "ping") (param i32 i32) (result i32)
    (if (result i32) (local.get 0)
      (then (return_call $pong
        (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 3))))
      (else (local.get 1))))
  (func $pong (export "pong") (param i32 i32) (result i32)
    (if (result i32) (local.get 0)
      (then (return_call $ping
        (i32.sub (local.get 0) (i32.const 1)) (i32.sub (local.get 1) (i32.const 1))))
      (else (i32.const -1))))
  (func $by (export "by") (param i32 i32) (result i32)
    (i32.add (call $ping (local.get 0) (local.get 1)) (i32.const 1))))"""


def tail_body(function, callee, step, last):
    return (
        check(function)
        + """
  %n = trunc i64 %a0 to i32
  %ends = icmp eq i32 %n, 0
  br i1 %ends, label %end, label %on
end:
"""
        + give(last).replace("%ret.1", "%ret.0")
        + f"""
on:
  %m = sub i32 %n, 1
  %w = zext i32 %m to i64
  %x = add i64 %a1, {step}
"""
        + own(callee)
        + call(
            "%r", f"%n{callee}", "%fp", ("%w", "%x"), code=f"%c{callee}", left="%left", tail=True
        )
        + "  ret { i64, <4 x float> } %r\n"
    )


def by_body(code):
    return (
        check(2)
        + LESS
        + frame("callee", 64)
        + own(0)
        + place(2, offset(code, 2, "call"))
        + call("%r", "%n0", "%callee", ("%a0", "%a1"), code="%c0")
        + """
  %v = extractvalue { i64, <4 x float> } %r, 0
  %w = add i64 %v, 1
"""
        + give("%w")
    )


def ping_pong(which):
    def bodies(code):
        all_of = {0: tail_body(0, 1, 3, "%a1"), 1: tail_body(1, 0, -1, "-1"), 2: by_body(code)}
        return {x: all_of[x] for x in which}

    instance, _ = prepare(PING, bodies)
    e = instance.exports
    before = native_kilobytes()
    results = e.ping(10**6, 5), e.pong(10**6, 5), e.by(10**6, 5)
    return results, native_kilobytes() - before < 200


def native_kilobytes():
    """What is resident of the native stack of the guest."""
    from runwell.runtime.context import current_context

    low = current_context().native.native_low
    with open("/proc/self/smaps") as maps:
        lines = maps.read().splitlines()
    total, inside = 0, False
    for line in lines:
        head = line.partition(" ")[0]
        if "-" in head:
            start, end = (int(x, 16) for x in head.split("-"))
            inside = low <= start < low + (1 << 30) and end <= low + (1 << 30)
        elif inside and head == "Rss:":
            total += int(line.split()[1])
    return total


def test_tail_calls_between_engines_take_no_room(worker):
    expected = (5 + 3 * 500_000 - 500_000, -1, 6 + 3 * 500_000 - 500_000)
    for which in ((), (0,), (1,), (0, 1), (2,), (0, 2), (1, 2), (0, 1, 2)):
        assert worker.run(ping_pong, which) == (expected, True), which


LOOP = """(module
  (func $sum (export "sum") (param i32) (result i64) (local i64)
    (loop $again
      (local.set 1 (i64.add (local.get 1) (i64.extend_i32_u (local.get 0))))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func $by (export "by") (param i32) (result i64) (call $sum (local.get 0))))"""


def osr():
    """The compiled loop adds ten times as much: so it shows where it took over."""
    instance = runwell.Instance(runwell.Module(LOOP))
    code = instance.module.code
    # The loop begins behind what sets the other local to 0.
    header = offsets(code, 0)[1][0]
    body = """
  %n = load i32, ptr %fp, align 8
  %sum.at = getelementptr i8, ptr %fp, i64 24
  %sum = load i64, ptr %sum.at, align 8
  br label %loop
loop:
  %i = phi i32 [ %n, %entry ], [ %j, %loop ]
  %s = phi i64 [ %sum, %entry ], [ %t, %loop ]
  %w = zext i32 %i to i64
  %x = mul i64 %w, 10
  %t = add i64 %s, %x
  %j = sub i32 %i, 1
  %more = icmp ne i32 %j, 0
  br i1 %more, label %loop, label %end
end:
""" + give("%t")
    Compiled(code, {(0, header): "entry:\n" + body})
    e = instance.exports
    return e.sum(100), e.by(10_000), e.by(100)


def test_a_loop_goes_on_in_compiled_code(worker):
    short, long, again = worker.run(osr)
    assert short == 5050
    total = 10_000 * 10_001 // 2
    # It took over at some round, once the budget was spent.
    rounds = {total + 9 * (left * (left + 1) // 2): 10_000 - left for left in range(10_000)}
    assert 0 < rounds[long] <= 4097
    assert again == 5050


def threads():
    """Threads run the same compiled code, call the host, trap, and end; their stacks go."""
    import threading

    instance, _ = prepare(TRAPS, trap_bodies, {"env": {"host": print}})
    counts = []

    def run():
        mine = {"host": lambda n, how: own.exports.a(n - 1, how)}
        own = runwell.Instance(instance.module, {"env": mine})
        traps = 0
        for n in range(20):
            try:
                own.exports.a(n % 5, n & 1)
            except runwell.Trap as e:
                traps += "unreachable" in str(e) if n & 1 else "out of bounds" in str(e)
        counts.append(traps)

    def round_of_threads():
        all_of_them = [threading.Thread(target=run) for _ in range(8)]
        for thread in all_of_them:
            thread.start()
        for thread in all_of_them:
            thread.join()

    round_of_threads()
    before = native_stacks()
    for _ in range(5):
        round_of_threads()
    return counts, native_stacks() - before


def native_stacks():
    """Mappings as large as a native stack."""
    import gc

    # The instances of the threads, with their memories, are garbage.
    gc.collect()
    sizes = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            sizes.append(end - start)
    return sum(1 << 29 < size <= 1 << 30 for size in sizes)


def test_threads(worker):
    counts, more = worker.run(threads)
    assert counts == [20] * 48
    assert more == 0


def forked():
    import os

    instance, _ = prepare(
        TRAPS,
        trap_bodies,
        {"env": {"host": lambda n, how: instance.exports.a(n - 1, how) if n < 9 else child()}},
    )

    def child():
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                instance.exports.a(3, 1)
            except runwell.Trap:
                try:
                    instance.exports.a(3, 0)
                except runwell.Trap as e:
                    code = 40 + len(e.backtrace)
            os._exit(code)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    codes = []
    instance.exports.a(9, 0)
    return codes


def test_a_child_of_a_running_guest(worker):
    assert worker.run(forked) == [43]


DEEP_KERNEL = """(module
  (func $f (export "f") (param i32) (result i32) (call $f (local.get 0)))
  (func (export "one") (result i32) (i32.const 1)))"""


def overflow(kilobytes, calls_kernel):
    """A compiled function whose native frames are large: the native stack is exhausted first."""
    instance = runwell.Instance(runwell.Module(DEEP_KERNEL))
    code = instance.module.code
    at = offset(code, 0, "call")
    big = f"""begin:
  %big = alloca [{kilobytes << 10} x i8], align 16
  store volatile i8 1, ptr %big
"""
    if calls_kernel:
        big += "  %grown = call i32 @deep_kernel(ptr %big)\n"
    body = (
        check(0).replace("begin:\n", big)
        + LESS
        + frame("callee", 32)
        + own(0)
        + place(0, at)
        + call("%r", "%n0", "%callee", ("%a0",), code="%c0")
        + "  %v = extractvalue { i64, <4 x float> } %r, 0\n"
        + give("%v")
    )
    kernel = load([compile_text(KERNEL, 1)])
    symbols = {"deep_kernel": kernel["deep_kernel"]}
    Compiled.everything.clear()
    made = Compiled(code, {0: body}, "declare i32 @deep_kernel(ptr)", symbols)
    assert not made.low <= kernel.base < made.high
    found = []
    for _ in range(3):
        try:
            instance.exports.f(1)
        except runwell.ExhaustionError as e:
            found.append((str(e).partition("\n")[0], {f.function for f in e.backtrace}))
        found.append(instance.exports.one())
    return found


# It is not compiled code, and must not be stopped anywhere; it takes 200 KiB of the stack.
KERNEL = """
define i32 @deep_kernel(ptr %big) noinline nounwind "probe-stack"="inline-asm" {
  %room = alloca [204800 x i8], align 16
  store volatile i8 1, ptr %room
  %there = load volatile i8, ptr %room
  %wide = zext i8 %there to i32
  ret i32 %wide
}
"""


def test_the_native_stack_is_bounded(worker):
    for kilobytes, calls_kernel in (
        (16, False),
        (64, False),
        (900, False),
        (16, True),
        (100, True),
    ):
        found = worker.run(overflow, kilobytes, calls_kernel)
        assert found == [("call stack exhausted", {0, -1}), 1] * 3


def interrupted(signals):
    """A compiled loop polls."""
    import signal
    import threading

    instance, _ = prepare(
        """(module (func (export "spin") (loop $l (br $l))) (func (export "one") (result i32)
        (i32.const 1)))""",
        lambda code: {
            0: check(0)
            + f"""
  br label %loop
loop:
  %limit.now = load atomic ptr, ptr %limit.at monotonic, align 8
  %wanted = icmp ugt ptr %fp, %limit.now
  br i1 %wanted, label %ask, label %loop
ask:
  %rp.at = getelementptr i8, ptr %ctx, i64 {as_struct(Context).offset("native_rp")}
  %rp = load ptr, ptr %rp.at, align 8
  %end = getelementptr i8, ptr %fp, i64 16
{place(0, offset(code, 0, "br"))}
  %code.now = call i32 @native_poll(ptr %ctx, ptr %inst, ptr %fp, i32 %left, ptr %end, ptr %rp)
  %stops.now = icmp ne i32 %code.now, 0
  br i1 %stops.now, label %stop.now, label %loop
stop.now:
{place(0, offset(code, 0, "br"))}
  call void @native_trap(ptr %ctx, ptr %inst, ptr %fp, i32 %code.now)
  unreachable
"""
        },
    )
    from runwell.base.traps import TrapCode
    from runwell.runtime.context import current_context

    context = current_context()
    seen = []
    if signals:

        def handle(number, frame):
            seen.append(instance.exports.one())
            if len(seen) == 3:
                raise KeyboardInterrupt

        old = signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        try:
            instance.exports.spin()
        except KeyboardInterrupt:
            seen.append("stopped")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
    else:
        for _ in range(3):
            timer = threading.Timer(0.05, context.interrupt, (TrapCode.INTERRUPTED,))
            timer.start()
            try:
                instance.exports.spin()
            except runwell.Trap as e:
                seen.append((e.code, [f.offset is not None for f in e.backtrace]))
            timer.join()
    return seen, instance.exports.one()


def test_interrupts(worker):
    from runwell.base.traps import TrapCode

    assert worker.run(interrupted, False) == ([(TrapCode.INTERRUPTED, [True])] * 3, 1)


def test_signal_handlers_run_and_call_guests(worker):
    assert worker.run(interrupted, True) == ([1, 1, 1, "stopped"], 1)
