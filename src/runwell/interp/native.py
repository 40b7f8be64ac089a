"""Compiled code beside the interpreter: its calling convention, and the ways in, out and through.

Every compiled function, and every stub that takes the place of one, has the same prototype, so that
each can tail-call each other:

    { i64, <4 x float> } f(ptr ctx, ptr inst, ptr fp, i32 left, ptr code,
                           i64 a0..a5, <4 x float> d0..d5)

``fp`` is the function's frame on the value stack, where it is in the interpreter; ``left`` the
frames that are left for its callees; ``code`` its ``FuncCode``, which need not be given if the
target is known when the caller is compiled.  ``inst`` is its instance; for a host function that of
the caller.

A number in slot s < 6 of the parameters comes in ``a`` s, or, if it is a float or a vector, in the
low bits of ``d`` s; what is above 32 bits of an i32 is undefined.  The others are in the frame.
References are where the interpreter has them; the callee's reference frame is ``ctx.native_rp``.
A caller that moves it moves it back.  Results are where ``ResultClass`` says.

Native frames of guests are on a stack of their own, one a context; the host runs on the thread's.
``ctx.host_sp`` is where to go on on the thread's stack: 0 while that is used.

    stub_native       entry of compiled functions, for the interpreter
    enter_osr         enters a compiled function at a loop that the interpreter is in
    stub_leave_native return address of a function that compiled code has called
    native_interpret  runs a function that is not compiled
    native_host       calls a host function
    native_trap       stops the guest
    native_throw      throws an exception; ``native_throw_ref`` one that exists
    native_poll       finds out what is wanted of the guest, when ``ctx.stack_limit`` says so
    native_memory_... kernels that take long, and ask now and then

A function that may catch exceptions has a ``NativeHandler`` in ``ctx.handlers`` while it is active.
When it catches one, its frame is dropped, and the place of its code for the handler is entered as
if it had been called instead; all that it needs is in the frame on the value stack.
"""

from runwell.base.traps import TrapCode
from runwell.interp.native_assembly import (
    ATTRIBUTES,
    NATIVE_TYPES,
    PAIRS,
    PARAMS,
    RESULT,
    assembly,
)
from runwell.interp.registers import (
    CC,
    TYPES,
    Registers,
    add_to_field,
    dispatch,
    field,
    handler,
    load_field,
    offset_by,
    store_field,
)
from runwell.kernel.declare import Kernel
from runwell.kernel.source import source_of
from runwell.kernel.text import FunctionText, ModuleText
from runwell.kernel.types import as_struct
from runwell.runtime import memory_kernels, table_kernels, wait_kernels
from runwell.runtime.layout import (
    Context,
    FuncCode,
    HostFunc,
    Instance,
    NativeSegment,
    ResultClass,
)

R = Registers()


def _declare(module: ModuleText) -> None:
    for name, text in {
        "llvm.frameaddress.p0": "declare ptr @llvm.frameaddress.p0(i32)",
        "llvm.returnaddress": "declare ptr @llvm.returnaddress(i32)",
        "llvm.addressofreturnaddress.p0": "declare ptr @llvm.addressofreturnaddress.p0()",
        "llvm.sponentry.p0": "declare ptr @llvm.sponentry.p0()",
        "native_returned": "@native_returned = external hidden global i8",
        "stub_leave_native": "@stub_leave_native = external global i64",
        "on_stack_limit": "declare i32 @on_stack_limit(ptr, ptr)",
        "begin_native_stack": "declare i32 @begin_native_stack(ptr)",
        "leave_segments": "declare void @leave_segments(ptr)",
        "throw_values": "declare i32 @throw_values(ptr, ptr, ptr, ptr, ptr)",
        "throw_again": "declare i32 @throw_again(ptr, ptr, ptr)",
        "throw_from_host": "declare i32 @throw_from_host(ptr, ptr, i32)",
        "call_native": f"declare hidden {CC} {RESULT} @call_native({NATIVE_TYPES})",
        "call_osr": f"declare hidden {CC} {RESULT} @call_osr({NATIVE_TYPES})",
        "call_interpreter": f"declare hidden {CC} void @call_interpreter({TYPES})",
        "call_host": "declare i32 @call_host(ptr, ptr, ptr, ptr, ptr) nounwind",
        "native_leave": "declare hidden void @native_leave(ptr)",
        "native_land": "declare hidden void @native_land(ptr)",
    }.items():
        module.declare(name, text)


# From the interpreter.


def _segment(f: FunctionText, arch: str, link: tuple[str, str]) -> str:
    """Note where the interpreter goes on; the address.

    It is on the guest's native stack: in this handler's frame, or, if that is elsewhere, where
    compiled code will begin.
    """
    size = -as_struct(NativeSegment).size & -16
    own = f.alloca(f"[{-size // 8} x i64]")
    host_sp = load_field(f, "%ctx", Context, "host_sp")
    is_elsewhere = f.ins(f"icmp eq i64 {host_sp}, 0")
    top = f.ins(f"add i64 {load_field(f, '%ctx', Context, 'native_top')}, {size}")
    away = f.ins(f"inttoptr i64 {top} to ptr")
    segment = f.ins(f"select i1 {is_elsewhere}, ptr {away}, ptr {own}")
    if arch == "x86_64":
        sp = f.ins("call ptr @llvm.addressofreturnaddress.p0()")
    else:
        sp = f.ins("call ptr @llvm.sponentry.p0()")
        lr = f.ins("call ptr @llvm.returnaddress(i32 0)")
        store_field(f, segment, NativeSegment, "lr", f.ins(f"ptrtoint ptr {lr} to i64"))
    values = {
        "ip": link[0],
        "fp": link[1],
        "rp": "%rp",
        "instance": "%inst",
        "sp": f.ins(f"ptrtoint ptr {sp} to i64"),
        "left": load_field(f, "%ctx", Context, "frames_left"),
    }
    for name, source in (("previous", "segment"), *((n, n) for n in _KEPT)):
        values[name] = load_field(f, "%ctx", Context, source)
    for name, value in values.items():
        store_field(f, segment, NativeSegment, name, value)
    store_field(f, "%ctx", Context, "segment", segment)
    store_field(f, "%ctx", Context, "native_rp", "%rp")
    return segment


_KEPT = ("handlers", "host_sp", "native_top")


def _check_native_stack(f: FunctionText, module: ModuleText, link: tuple[str, str]) -> None:
    """Reserve the native stack at its first use."""
    none, ready = f.fresh("none"), f.fresh("ready")
    top = load_field(f, "%ctx", Context, "native_top")
    missing = f.ins(f"icmp eq i64 {top}, 0")
    f.end(f"br i1 {missing}, label %{none}, label %{ready}{module.weights(1, 2000)}")
    f.label(none)
    code = f.ins("call i32 @begin_native_stack(ptr %ctx)")
    f.do(f"store i32 {code}, ptr {field(f, '%ctx', Context, 'trap')}")
    failed = f.ins(f"icmp ne i32 {code}, 0")
    stop = f.fresh("stop")
    f.end(f"br i1 {failed}, label %{stop}, label %{ready}")
    f.label(stop)
    # The trap is at the call.
    ip = offset_by(f, link[0], "-1")
    for name, value in (("ip", ip), ("fp", link[1]), ("rp", "%rp"), ("instance", "%inst")):
        store_field(f, "%ctx", Context, name, value)
    f.end("ret void")
    f.label(ready)


def _enter(f: FunctionText, module: ModuleText, arch: str, target: str) -> None:
    """Enter compiled code for the function whose ``FuncCode`` is in ``acc``, and go on."""
    _declare(module)
    code = f.ins("inttoptr i64 %acc to ptr")
    params = f.ins(f"zext i32 {load_field(f, code, FuncCode, 'param_bytes')} to i64")
    where = offset_by(f, "%fp", params)
    link_ip = f.ins(f"load ptr, ptr {where}, align 8")
    link_fp = f.ins(f"load ptr, ptr {offset_by(f, where, '8')}, align 8")
    _check_native_stack(f, module, (link_ip, link_fp))
    segment = _segment(f, arch, (link_ip, link_fp))
    left = load_field(f, segment, NativeSegment, "left")
    integers = vectors = ["poison"] * PAIRS
    if target == "call_native":
        at = [offset_by(f, "%fp", str(8 * slot)) for slot in range(PAIRS)]
        integers = [f.ins(f"load i64, ptr {where}, align 8") for where in at]
        vectors = _load_vectors(f, code)
    arguments = [
        f"ptr %ctx, ptr %inst, ptr %fp, i32 {left}, ptr {code}",
        *(f"i64 {value}" for value in integers),
        *(f"<4 x float> {value}" for value in vectors),
    ]
    both = f.ins(f"call {CC} {RESULT} @{target}({', '.join(arguments)})")
    # The handler's own values survive in its frame.
    ctx, inst, fp = "%ctx", "%inst", "%fp"
    for name, source in (("segment", "previous"), *((n, n) for n in _KEPT[1:])):
        store_field(f, ctx, Context, name, load_field(f, segment, NativeSegment, source))
    ip, back = (load_field(f, segment, NativeSegment, name) for name in ("ip", "fp"))
    mem = load_field(f, inst, Instance, "memory_base")
    r = R._replace(ip=ip, fp=back, mem=mem, acc="poison", facc="poison")
    tail, returned = f.fresh("tail"), f.fresh("returned")
    next_ = load_field(f, ctx, Context, "tail_code")
    is_tail = f.ins(f"icmp ne ptr {next_}, null")
    f.end(f"br i1 {is_tail}, label %{tail}, label %{returned}{module.weights(1, 2000)}")
    f.label(tail)
    _interpret_next(f, next_, r)
    f.label(returned)
    count = f.ins(f"add i32 {load_field(f, segment, NativeSegment, 'left')}, 1")
    store_field(f, ctx, Context, "frames_left", count)
    kind = load_field(f, code, FuncCode, "result_class")
    number, vector, done = f.fresh("number"), f.fresh("vector"), f.fresh("done")
    f.end(
        f"switch i32 {kind}, label %{done} [i32 {int(ResultClass.INTEGER)}, label %{number} "
        f"i32 {int(ResultClass.FLOAT)}, label %{vector}]"
    )
    for n, (block, ty) in enumerate(((number, "i64"), (vector, "<4 x float>"))):
        f.label(block)
        f.do(f"store {ty} {f.ins(f'extractvalue {RESULT} {both}, {n}')}, ptr {fp}, align 8")
        f.end(f"br label %{done}")
    f.label(done)
    dispatch(f, r)


def _load_vectors(f: FunctionText, code: str) -> list[str]:
    """The first slots as vectors, as far as parameters are of that class."""
    none, loaded = f.block, f.fresh("loaded")
    ways = [[("poison", none)] for _ in range(PAIRS)]
    floats, vectors, scalars = f.fresh("floats"), f.fresh("vectors"), f.fresh("scalars")
    any_float = f.ins(f"icmp ne i32 {load_field(f, code, FuncCode, 'float_mask')}, 0")
    f.end(f"br i1 {any_float}, label %{floats}, label %{loaded}")
    f.label(floats)
    any_vector = f.ins(f"icmp ne i32 {load_field(f, code, FuncCode, 'v128_mask')}, 0")
    f.end(f"br i1 {any_vector}, label %{vectors}, label %{scalars}")
    f.label(vectors)
    for slot in range(PAIRS):
        ways[slot].append((_load_vector(f, "%fp", slot), vectors))
    f.end(f"br label %{loaded}")
    f.label(scalars)
    for slot in range(PAIRS):
        half = f.ins(f"load double, ptr {offset_by(f, '%fp', str(8 * slot))}, align 8")
        pair = f.ins(f"insertelement <2 x double> poison, double {half}, i32 0")
        ways[slot].append((f.ins(f"bitcast <2 x double> {pair} to <4 x float>"), scalars))
    f.label(loaded)
    sources = [", ".join(f"[ {value}, %{block} ]" for value, block in way) for way in ways]
    return [f.ins(f"phi <4 x float> {source}") for source in sources]


def _load_vector(f: FunctionText, frame: str, slot: int) -> str:
    """Two slots as a vector.

    In two loads: the processor makes a load wait that is wider than a store just before it.
    """
    vector = "<2 x i64> poison"
    for n in range(2):
        at = offset_by(f, frame, str(8 * (slot + n)))
        half = f.ins(f"load volatile i64, ptr {at}, align 8")
        vector = "<2 x i64> " + f.ins(f"insertelement {vector}, i64 {half}, i32 {n}")
    return f.ins(f"bitcast {vector} to <4 x float>")


def _interpret_next(f: FunctionText, code: str, r: Registers) -> None:
    """Compiled code has tail-called a function that is to be interpreted: here, not below it."""
    store_field(f, r.ctx, Context, "tail_code", "null")
    fp, rp = load_field(f, r.ctx, Context, "fp"), load_field(f, r.ctx, Context, "native_rp")
    _link(f, code, fp, r.ip, r.fp)
    acc = f.ins(f"ptrtoint ptr {code} to i64")
    entry = load_field(f, code, FuncCode, "entry")
    dispatch(f, r._replace(ip=entry, fp=fp, rp=rp, acc=acc))


def _link(f: FunctionText, code: str, fp: str, back_ip: str, back_fp: str) -> None:
    """Write the link of a function whose arguments are in its frame."""
    add_to_field(f, code, FuncCode, "heat", 1)
    params = f.ins(f"zext i32 {load_field(f, code, FuncCode, 'param_bytes')} to i64")
    where = offset_by(f, fp, params)
    f.do(f"store ptr {back_ip}, ptr {where}, align 8")
    f.do(f"store ptr {back_fp}, ptr {offset_by(f, where, '8')}, align 8")


def stub_native(f: FunctionText, module: ModuleText, arch: str) -> None:
    """Enter compiled code."""
    _enter(f, module, arch, "call_native")


def stub_leave_native(f: FunctionText, module: ModuleText, arch: str) -> None:
    """Return to ``native_interpret``."""
    f.end("ret void")


def _enter_osr(module: ModuleText, arch: str) -> FunctionText:
    """Go on in compiled code, at ``ctx.land_entry``; ``acc`` is the function's ``FuncCode``."""
    f = handler("enter_osr", section="")
    _enter(f, module, arch, "call_osr")
    return f


# From compiled code.


def _begin(name: str) -> FunctionText:
    """Begin a stub of the native convention."""
    attrs = f"noinline {ATTRIBUTES}"
    return FunctionText(name, PARAMS, RESULT, linkage="", cc=CC, attrs=attrs)


def _spill(f: FunctionText) -> None:
    """Write the parameters that came in registers to their slots.

    What is behind the parameters may be overwritten: nothing is there yet.
    """
    floats = load_field(f, "%code", FuncCode, "float_mask")
    vectors = load_field(f, "%code", FuncCode, "v128_mask")
    mixed, numbers, done = f.fresh("mixed"), f.fresh("numbers"), f.fresh("spilled")
    places = [offset_by(f, "%fp", str(8 * slot)) for slot in range(PAIRS)]
    f.end(f"br i1 {f.ins(f'icmp eq i32 {floats}, 0')}, label %{numbers}, label %{mixed}")
    f.label(numbers)
    for slot, at in enumerate(places):
        f.do(f"store i64 %a{slot}, ptr {at}, align 8")
    f.end(f"br label %{done}")
    f.label(mixed)
    # The slot behind a vector's first is written before the vector.
    for slot, at in reversed(list(enumerate(places))):
        number, vector, wide = f.fresh("number"), f.fresh("vector"), f.fresh("wide")
        narrow, following = f.fresh("narrow"), f.fresh("following")
        f.end(f"br i1 {_bit(f, floats, slot)}, label %{vector}, label %{number}")
        f.label(number)
        f.do(f"store i64 %a{slot}, ptr {at}, align 8")
        f.end(f"br label %{following}")
        f.label(vector)
        f.end(f"br i1 {_bit(f, vectors, slot)}, label %{wide}, label %{narrow}")
        f.label(narrow)
        low = f.ins(f"bitcast <4 x float> %d{slot} to <2 x i64>")
        f.do(f"store i64 {f.ins(f'extractelement <2 x i64> {low}, i32 0')}, ptr {at}, align 8")
        f.end(f"br label %{following}")
        f.label(wide)
        f.do(f"store <4 x float> %d{slot}, ptr {at}, align 8")
        f.label(following)
    f.label(done)


def _bit(f: FunctionText, mask: str, number: int) -> str:
    return f.ins(f"icmp ne i32 {f.ins(f'and i32 {mask}, {1 << number}')}, 0")


def _stop(f: FunctionText, code: str) -> None:
    """End the block: stop the guest; the caller of the function is where it happened."""
    frame = f.ins("call ptr @llvm.frameaddress.p0(i32 0)")
    store_field(f, "%ctx", Context, "trap", code)
    _stand_at(f, frame)
    f.do("call void @native_leave(ptr %ctx)")
    f.end("unreachable")


def _stand_at(f: FunctionText, frame: str) -> None:
    """Say in the context that the guest is where a native frame returns to."""
    rp = load_field(f, "%ctx", Context, "native_rp")
    fields = {"ip": "@stub_leave_native", "fp": frame, "rp": rp, "instance": "%inst"}
    for name, value in fields.items():
        store_field(f, "%ctx", Context, name, value)


def _poll(f: FunctionText, rp: str) -> str:
    """Find out what is wanted of the guest, which is where this function returns to; a trap code.

    The host may be called, and call guests.
    """
    _stand_at(f, f.ins("call ptr @llvm.frameaddress.p0(i32 0)"))
    code = f.ins("call i32 @on_stack_limit(ptr %ctx, ptr %fp)")
    store_field(f, "%ctx", Context, "native_rp", rp)
    return code


def _check_room(f: FunctionText, module: ModuleText) -> None:
    """Check the limits of the call stack, as at the entry of every compiled function."""
    rp = load_field(f, "%ctx", Context, "native_rp")
    limit = load_field(f, "%ctx", Context, "stack_limit")
    high = f.ins(f"icmp ugt ptr %fp, {limit}")
    deep = f.ins("icmp slt i32 %left, 0")
    either = f.ins(f"or i1 {high}, {deep}")
    rare, beyond, stop = f.fresh("rare"), f.fresh("beyond"), f.fresh("stop")
    depth, room = f.fresh("depth"), f.fresh("room")
    f.end(f"br i1 {either}, label %{rare}, label %{room}{module.weights(1, 2000)}")
    f.label(rare)
    f.end(f"br i1 {high}, label %{beyond}, label %{depth}")
    f.label(beyond)
    # The host may be called: the parameters are all there is of the frame.
    store_field(f, "%ctx", Context, "frames_left", "%left")
    for name, start, field_name in (
        ("top", "%fp", "param_bytes"),
        ("ref_top", rp, "ref_param_bytes"),
    ):
        size = f.ins(f"zext i32 {load_field(f, '%code', FuncCode, field_name)} to i64")
        store_field(f, "%ctx", Context, name, offset_by(f, start, size))
    code = _poll(f, rp)
    failed = f.ins(f"icmp ne i32 {code}, 0")
    f.end(f"br i1 {failed}, label %{stop}, label %{depth}")
    f.label(stop)
    _stop(f, code)
    f.label(depth)
    exhausted = f.fresh("exhausted")
    f.end(f"br i1 {deep}, label %{exhausted}, label %{room}")
    f.label(exhausted)
    _stop(f, str(int(TrapCode.STACK_EXHAUSTED)))
    f.label(room)


def _result(f: FunctionText) -> None:
    """Return what is at the bottom of the frame, whatever its class."""
    number = f.ins("load i64, ptr %fp, align 8")
    vector = _load_vector(f, "%fp", 0)
    first = f.ins(f"insertvalue {RESULT} poison, i64 {number}, 0")
    f.end(f"ret {RESULT} {f.ins(f'insertvalue {RESULT} {first}, <4 x float> {vector}, 1')}")


def _native_interpret(module: ModuleText) -> FunctionText:
    """Run a function that is not compiled.

    If nothing but the interpreter waits for it, because it was tail-called, that goes on with it.
    """
    f = _begin("native_interpret")
    _spill(f)
    back = f.ins("call ptr @llvm.returnaddress(i32 0)")
    segment = load_field(f, "%ctx", Context, "segment")
    home = load_field(f, segment, NativeSegment, "instance")
    is_tail = f.ins(f"icmp eq ptr {back}, @native_returned")
    is_home = f.ins(f"icmp eq ptr {home}, %inst")
    tail, below = f.fresh("tail"), f.fresh("below")
    f.end(f"br i1 {f.ins(f'and i1 {is_tail}, {is_home}')}, label %{tail}, label %{below}")
    f.label(tail)
    store_field(f, "%ctx", Context, "tail_code", "%code")
    store_field(f, "%ctx", Context, "fp", "%fp")
    store_field(f, "%ctx", Context, "frames_left", "%left")
    f.end(f"ret {RESULT} poison")
    f.label(below)
    _check_room(f, module)
    frame = f.ins("call ptr @llvm.frameaddress.p0(i32 0)")
    _link(f, "%code", "%fp", "@stub_leave_native", frame)
    store_field(f, "%ctx", Context, "frames_left", "%left")
    rp = load_field(f, "%ctx", Context, "native_rp")
    registers = R._replace(
        ip=load_field(f, "%code", FuncCode, "entry"),
        mem=load_field(f, "%inst", Instance, "memory_base"),
        rp=rp,
        acc=f.ins("ptrtoint ptr %code to i64"),
        facc="zeroinitializer",
    )
    f.do(f"call {CC} void @call_interpreter({registers.arguments()})")
    trapped, returned = f.fresh("trapped"), f.fresh("returned")
    trap = load_field(f, "%ctx", Context, "trap")
    fine = f.ins(f"icmp eq i32 {trap}, 0")
    f.end(f"br i1 {fine}, label %{returned}, label %{trapped}{module.weights(2000, 1)}")
    f.label(trapped)
    f.do("call void @native_leave(ptr %ctx)")
    f.end("unreachable")
    f.label(returned)
    store_field(f, "%ctx", Context, "native_rp", rp)
    _result(f)
    return f


def call_host(f: FunctionText, module: ModuleText, host: str, fp: str, rp: str) -> str:
    """Call a host function on the thread's own stack; what it returned."""
    module.declare("call_host", "declare i32 @call_host(ptr, ptr, ptr, ptr, ptr) nounwind")
    entry = load_field(f, host, HostFunc, "entry")
    return f.ins(f"call i32 @call_host(ptr %ctx, ptr {host}, ptr {fp}, ptr {rp}, ptr {entry})")


def prepare_host_call(f: FunctionText, host: str, fp: str, rp: str) -> None:
    """Say in the context where the stacks are free for entries from the host function."""
    values = f.ins(f"zext i32 {load_field(f, host, HostFunc, 'frame_bytes')} to i64")
    refs = f.ins(f"zext i32 {load_field(f, host, HostFunc, 'ref_bytes')} to i64")
    store_field(f, "%ctx", Context, "top", offset_by(f, fp, values))
    store_field(f, "%ctx", Context, "ref_top", offset_by(f, rp, refs))


def _native_host(module: ModuleText) -> FunctionText:
    """Call a host function."""
    f = _begin("native_host")
    _spill(f)
    _check_room(f, module)
    host = load_field(f, "%code", FuncCode, "host")
    frame = f.ins("call ptr @llvm.frameaddress.p0(i32 0)")
    rp = load_field(f, "%ctx", Context, "native_rp")
    _stand_at(f, frame)
    store_field(f, "%ctx", Context, "frames_left", "%left")
    prepare_host_call(f, host, "%fp", rp)
    result = call_host(f, module, host, "%fp", rp)
    failed, ok = f.fresh("failed"), f.fresh("ok")
    fine = f.ins(f"icmp eq i32 {result}, 0")
    f.end(f"br i1 {fine}, label %{ok}, label %{failed}{module.weights(2000, 1)}")
    f.label(failed)
    _stand_at(f, frame)
    trap = f.ins(f"call i32 @throw_from_host(ptr %ctx, ptr {host}, i32 {result})")
    _land(f, trap)
    f.label(ok)
    store_field(f, "%ctx", Context, "native_rp", rp)
    _result(f)
    return f


def _land(f: FunctionText, trap: str) -> None:
    """End the block: go on where an exception is caught, or stop with a trap code."""
    stop, land = f.fresh("stop"), f.fresh("land")
    f.end(f"br i1 {f.ins(f'icmp ne i32 {trap}, 0')}, label %{stop}, label %{land}")
    f.label(stop)
    store_field(f, "%ctx", Context, "trap", trap)
    f.do("call void @native_leave(ptr %ctx)")
    f.end("unreachable")
    f.label(land)
    f.do("call void @native_land(ptr %ctx)")
    f.end("unreachable")


def _native_trap() -> FunctionText:
    """``native_trap(ctx, inst, fp, trap code)``: stop the guest at the call of this."""
    params = [("ptr", "ctx"), ("ptr", "inst"), ("ptr", "fp"), ("i32", "trap")]
    f = FunctionText("native_trap", params, linkage="", attrs=f"noinline {ATTRIBUTES}")
    _stop(f, "%trap")
    return f


def _native_throw() -> FunctionText:
    """``native_throw(ctx, inst, fp, tag, values, refs)``: throw at the call of this."""
    params = [("ptr", name) for name in ("ctx", "inst", "fp", "tag", "values", "refs")]
    f = FunctionText("native_throw", params, linkage="", attrs=f"noinline {ATTRIBUTES}")
    _stand_at(f, f.ins("call ptr @llvm.frameaddress.p0(i32 0)"))
    thrown = "ptr %ctx, ptr null, ptr %tag, ptr %values, ptr %refs"
    _land(f, f.ins(f"call i32 @throw_values({thrown})"))
    return f


def _native_throw_ref() -> FunctionText:
    """``native_throw_ref(ctx, inst, fp, exception)``: throw it, which is not null, again."""
    params = [("ptr", name) for name in ("ctx", "inst", "fp", "exception")]
    f = FunctionText("native_throw_ref", params, linkage="", attrs=f"noinline {ATTRIBUTES}")
    _stand_at(f, f.ins("call ptr @llvm.frameaddress.p0(i32 0)"))
    _land(f, f.ins("call i32 @throw_again(ptr %ctx, ptr null, ptr %exception)"))
    return f


def _native_poll() -> FunctionText:
    """``native_poll(ctx, inst, fp, left, top, ref_top)``: a trap code, or 0 to go on.

    What a compiled function calls when it, or a loop in it, finds ``fp`` beyond the limit of the
    stack.  ``top`` and ``ref_top`` are the ends of its frames, as far as they are in use.
    """
    types = ("ptr", "ptr", "ptr", "i32", "ptr", "ptr")
    names = ("ctx", "inst", "fp", "left", "top", "ref_top")
    params = list(zip(types, names, strict=True))
    f = FunctionText("native_poll", params, "i32", linkage="", attrs=f"noinline {ATTRIBUTES}")
    rp = load_field(f, "%ctx", Context, "native_rp")
    for name, value in (("frames_left", "%left"), ("top", "%top"), ("ref_top", "%ref_top")):
        store_field(f, "%ctx", Context, name, value)
    f.end(f"ret i32 {_poll(f, rp)}")
    return f


# Kernels that take long, or wait: they may find that something is wanted of the guest.
LONG = (
    memory_kernels.memory_copy,
    memory_kernels.memory_fill,
    memory_kernels.memory_init,
    wait_kernels.memory_notify,
    wait_kernels.memory_wait32,
    wait_kernels.memory_wait64,
    table_kernels.table_copy,
    table_kernels.table_fill,
    table_kernels.table_init,
)


def _native_long(kernel: Kernel, module: ModuleText) -> FunctionText:
    """``native_...``: such a kernel, for compiled code.

    ``ctx.frames_left``, ``ctx.top`` and ``ctx.ref_top`` must be those of its frame.
    """
    source = source_of(kernel)
    types = [param.type.ir for param in source.params]
    names = ["ctx", "inst", *(param.name for param in source.params[2:])]
    params = list(zip(types, names, strict=True))
    name, result = f"native_{kernel.name}", source.result.ir
    f = FunctionText(name, params, result, linkage="", attrs=f"noinline {ATTRIBUTES}")
    rp = load_field(f, "%ctx", Context, "native_rp")
    _stand_at(f, f.ins("call ptr @llvm.frameaddress.p0(i32 0)"))
    module.declare(kernel.name, f"declare {result} @{kernel.name}({', '.join(types)})")
    values = ", ".join(f"{ty} %{name}" for ty, name in params)
    outcome = f.ins(f"call {result} @{kernel.name}({values})")
    store_field(f, "%ctx", Context, "native_rp", rp)
    f.end(f"ret {result} {outcome}")
    return f


def _resume() -> FunctionText:
    """Go on interpreting where the context says; only ``ctx`` is given."""
    f = handler("resume_interpreter", section="")
    ip, fp, rp, inst = (
        load_field(f, "%ctx", Context, name) for name in ("ip", "fp", "rp", "instance")
    )
    mem = load_field(f, inst, Instance, "memory_base")
    acc, facc = "0", "zeroinitializer"
    dispatch(f, R._replace(ip=ip, fp=fp, rp=rp, inst=inst, mem=mem, acc=acc, facc=facc))
    return f


def landed(f: FunctionText, module: ModuleText) -> None:
    """End the block if the handler of an exception is beyond compiled code; go on there."""
    _declare(module)
    far, near = f.fresh("far"), f.fresh("near")
    sp = load_field(f, "%ctx", Context, "land_sp")
    f.end(f"br i1 {f.ins(f'icmp eq i64 {sp}, 0')}, label %{near}, label %{far}")
    f.label(far)
    f.do("call void @native_land(ptr %ctx)")
    f.end("unreachable")
    f.label(near)


def _kernel(declared: object) -> Kernel:
    assert isinstance(declared, Kernel)
    return declared


# Symbols that compiled code refers to, beside kernels.
STUBS = (
    "native_interpret",
    "native_host",
    "native_trap",
    "native_throw",
    "native_throw_ref",
    "native_poll",
    *(f"native_{_kernel(long).name}" for long in LONG),
)
EXPORTS = [*STUBS, "native_return"]


def add_native(module: ModuleText, arch: str) -> None:
    """Add everything here to a module, except the stubs' handlers, which are forms."""
    _declare(module)
    for function in (
        _enter_osr(module, arch),
        _native_interpret(module),
        _native_host(module),
        _native_trap(),
        _native_throw(),
        _native_throw_ref(),
        _native_poll(),
        *(_native_long(_kernel(long), module) for long in LONG),
        _resume(),
        *assembly(arch),
    ):
        module.add_function(function)
