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
    enter_osr         enters a compiled function at a loop that the interpreter is in;
                      ``stub_enter_place`` goes there, from the loop's first instruction
    stub_leave_native return address of a function that compiled code has called
    native_interpret  runs a function that is not compiled
    native_host       calls a host function
    native_trap       stops the guest
    native_throw      throws an exception; ``native_throw_ref`` one that exists
    native_fuel       stops the guest, which has too little fuel, until it goes on
    native_poll       finds out what is wanted of the guest, when ``ctx.stack_limit`` says so
    native_memory_... kernels that take long, and ask now and then

A guest that is to go on later stops in ``native_park``: that leaves its native stack as it is, and
the guest by the way of a trap.  ``enter_parked`` goes back there, on whatever thread, and
``native_park`` returns.

A function that may catch exceptions has a ``NativeHandler`` in ``ctx.handlers`` while it is active.
When it catches one, its frame is dropped, and the place of its code for the handler is entered as
if it had been called instead; all that it needs is in the frame on the value stack.
"""

from runwell.interp.native_assembly import (
    NATIVE_TYPES,
    PAIRS,
    RESULT,
)
from runwell.interp.registers import (
    CC,
    TYPES,
    Registers,
    count_call,
    dispatch,
    field,
    handler,
    load_field,
    offset_by,
    store_field,
)
from runwell.kernel.text import FunctionText, ModuleText
from runwell.kernel.types import as_struct
from runwell.runtime.layout import (
    Context,
    FuncCode,
    Instance,
    NativeSegment,
    ResultClass,
)

R = Registers()


def declare_native(module: ModuleText) -> None:
    """Declare what the functions here and in ``native_stubs`` refer to."""
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
        "enter_parked": f"declare hidden {CC} {RESULT} @enter_parked({NATIVE_TYPES})",
        "native_leave": "declare hidden void @native_leave(ptr)",
        "native_park": "declare hidden i32 @native_park(ptr, i32)",
        "native_land": "declare hidden void @native_land(ptr)",
    }.items():
        module.declare(name, text)


# From the interpreter.


def _segment(f: FunctionText, arch: str, code: str, link: tuple[str, str]) -> str:
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
    _note_stack(f, arch, segment)
    values = {
        "ip": link[0],
        "fp": link[1],
        "rp": "%rp",
        "instance": "%inst",
        "code": code,
        "frame": "%fp",
        "left": load_field(f, "%ctx", Context, "frames_left"),
        "inner": f.ins(f"select i1 {is_elsewhere}, i64 0, i64 -1"),
    }
    for name, source in (("previous", "segment"), *((n, n) for n in _KEPT)):
        values[name] = load_field(f, "%ctx", Context, source)
    for name, value in values.items():
        store_field(f, segment, NativeSegment, name, value)
    store_field(f, "%ctx", Context, "segment", segment)
    store_field(f, "%ctx", Context, "native_rp", "%rp")
    return segment


_KEPT = ("handlers", "native_top")


def _note_stack(f: FunctionText, arch: str, segment: str) -> None:
    """Note in a segment where this handler would return to."""
    if arch == "x86_64":
        sp = f.ins("call ptr @llvm.addressofreturnaddress.p0()")
    else:
        sp = f.ins("call ptr @llvm.sponentry.p0()")
        lr = f.ins("call ptr @llvm.returnaddress(i32 0)")
        store_field(f, segment, NativeSegment, "lr", f.ins(f"ptrtoint ptr {lr} to i64"))
    store_field(f, segment, NativeSegment, "sp", f.ins(f"ptrtoint ptr {sp} to i64"))


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
    declare_native(module)
    code = f.ins("inttoptr i64 %acc to ptr")
    params = f.ins(f"zext i32 {load_field(f, code, FuncCode, 'param_bytes')} to i64")
    where = offset_by(f, "%fp", params)
    link_ip = f.ins(f"load ptr, ptr {where}, align 8")
    link_fp = f.ins(f"load ptr, ptr {offset_by(f, where, '8')}, align 8")
    _check_native_stack(f, module, (link_ip, link_fp))
    segment = _segment(f, arch, code, (link_ip, link_fp))
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
    _leave(f, module, segment, both)


def _leave(f: FunctionText, module: ModuleText, segment: str, both: str) -> None:
    """Compiled code has returned: go on as its segment says."""
    ctx = "%ctx"
    inst, fp, code = (
        load_field(f, segment, NativeSegment, name) for name in ("instance", "frame", "code")
    )
    for name, source in (("segment", "previous"), ("native_top", "native_top")):
        store_field(f, ctx, Context, name, load_field(f, segment, NativeSegment, source))
    inner = load_field(f, segment, NativeSegment, "inner")
    host_sp = f.ins(f"and i64 {load_field(f, ctx, Context, 'host_sp')}, {inner}")
    store_field(f, ctx, Context, "host_sp", host_sp)
    ip, back, rp = (load_field(f, segment, NativeSegment, name) for name in ("ip", "fp", "rp"))
    mem = load_field(f, inst, Instance, "memory_base")
    r = R._replace(ip=ip, fp=back, rp=rp, inst=inst, mem=mem, acc="poison", facc="poison")
    tail, returned = f.fresh("tail"), f.fresh("returned")
    next_ = load_field(f, ctx, Context, "tail_code")
    is_tail = f.ins(f"icmp ne ptr {next_}, null")
    f.end(f"br i1 {is_tail}, label %{tail}, label %{returned}{module.weights(1, 2000)}")
    f.label(tail)
    middle, other = f.fresh("middle"), f.fresh("other")
    place = load_field(f, ctx, Context, "leave_ip")
    f.end(f"br i1 {f.ins(f'icmp ne ptr {place}, null')}, label %{middle}, label %{other}")
    f.label(middle)
    for name in ("tail_code", "leave_ip"):
        store_field(f, ctx, Context, name, "null")
    left = load_field(f, segment, NativeSegment, "left")
    store_field(f, ctx, Context, "frames_left", left)
    dispatch(f, r._replace(ip=place, fp=fp))
    f.label(other)
    _interpret_next(f, module, next_, r)
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
        ways[slot].append((load_vector(f, "%fp", slot), vectors))
    f.end(f"br label %{loaded}")
    f.label(scalars)
    for slot in range(PAIRS):
        half = f.ins(f"load double, ptr {offset_by(f, '%fp', str(8 * slot))}, align 8")
        pair = f.ins(f"insertelement <2 x double> poison, double {half}, i32 0")
        ways[slot].append((f.ins(f"bitcast <2 x double> {pair} to <4 x float>"), scalars))
    f.label(loaded)
    sources = [", ".join(f"[ {value}, %{block} ]" for value, block in way) for way in ways]
    return [f.ins(f"phi <4 x float> {source}") for source in sources]


def load_vector(f: FunctionText, frame: str, slot: int) -> str:
    """Two slots as a vector.

    In two loads: the processor makes a load wait that is wider than a store just before it.
    """
    vector = "<2 x i64> poison"
    for n in range(2):
        at = offset_by(f, frame, str(8 * (slot + n)))
        half = f.ins(f"load volatile i64, ptr {at}, align 8")
        vector = "<2 x i64> " + f.ins(f"insertelement {vector}, i64 {half}, i32 {n}")
    return f.ins(f"bitcast {vector} to <4 x float>")


def _interpret_next(f: FunctionText, module: ModuleText, code: str, r: Registers) -> None:
    """Compiled code has tail-called a function that is to be interpreted: here, not below it."""
    store_field(f, r.ctx, Context, "tail_code", "null")
    fp, rp = load_field(f, r.ctx, Context, "fp"), load_field(f, r.ctx, Context, "native_rp")
    write_link(f, module, code, fp, r.ip, r.fp)
    acc = f.ins(f"ptrtoint ptr {code} to i64")
    entry = load_field(f, code, FuncCode, "entry")
    dispatch(f, r._replace(ip=entry, fp=fp, rp=rp, acc=acc))


def write_link(
    f: FunctionText, module: ModuleText, code: str, fp: str, back_ip: str, back_fp: str
) -> None:
    """Write the link of a function whose arguments are in its frame."""
    count_call(f, module, code)
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


def stub_resume_native(f: FunctionText, module: ModuleText, arch: str) -> None:
    """Go on with a guest that is parked on its native stack.

    This takes the place of the handler that had entered the outermost compiled code: what was on
    the thread's stack is gone.
    """
    declare_native(module)
    outer = load_field(f, "%ctx", Context, "parked_outer")
    _note_stack(f, arch, outer)
    others = [f"{ty} poison" for ty in NATIVE_TYPES.split(", ")[1:]]
    both = f.ins(f"call {CC} {RESULT} @enter_parked(ptr %ctx, {', '.join(others)})")
    _leave(f, module, load_field(f, "%ctx", Context, "parked_outer"), both)


def enter_osr(module: ModuleText, arch: str) -> FunctionText:
    """Go on in compiled code, at ``ctx.land_entry``; ``acc`` is the function's ``FuncCode``."""
    f = handler("enter_osr", section="")
    _enter(f, module, arch, "call_osr")
    return f


def landed(f: FunctionText, module: ModuleText) -> None:
    """End the block if the handler of an exception is beyond compiled code; go on there."""
    declare_native(module)
    far, near = f.fresh("far"), f.fresh("near")
    sp = load_field(f, "%ctx", Context, "land_sp")
    f.end(f"br i1 {f.ins(f'icmp eq i64 {sp}, 0')}, label %{near}, label %{far}")
    f.label(far)
    f.do("call void @native_land(ptr %ctx)")
    f.end("unreachable")
    f.label(near)
