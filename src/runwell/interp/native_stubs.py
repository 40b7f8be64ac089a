"""What compiled code calls: stubs in place of functions, and ways to stop, throw and ask.

What they are for: ``interp.native``.
"""

from runwell.base.traps import TrapCode
from runwell.interp.host_call import call_host, prepare_host_call, wait_on_native_stack
from runwell.interp.native import (
    declare_native,
    enter_osr,
    load_vector,
    write_link,
)
from runwell.interp.native_assembly import (
    ATTRIBUTES,
    PAIRS,
    PARAMS,
    RESULT,
    assembly,
)
from runwell.interp.registers import (
    CC,
    Registers,
    dispatch,
    handler,
    load_field,
    offset_by,
    store_field,
)
from runwell.kernel.declare import Kernel
from runwell.kernel.source import source_of
from runwell.kernel.text import FunctionText, ModuleText
from runwell.runtime import memory_kernels, table_kernels, wait_kernels
from runwell.runtime.layout import (
    Context,
    FuncCode,
    Instance,
    NativeSegment,
)

R = Registers()


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
    vector = load_vector(f, "%fp", 0)
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
    write_link(f, module, "%code", "%fp", "@stub_leave_native", frame)
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
    result = wait_on_native_stack(f, module, result, "i1 true")
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


def _native_fuel() -> FunctionText:
    """``native_fuel(ctx, inst, fp, left, top, ref_top)``: there is too little fuel.

    Returns when the guest goes on, which then looks again.  The others as for ``native_poll``.
    """
    f = FunctionText("native_fuel", _POLL_PARAMS, linkage="", attrs=f"noinline {ATTRIBUTES}")
    _note_ends(f)
    _stand_at(f, f.ins("call ptr @llvm.frameaddress.p0(i32 0)"))
    f.do(f"call i32 @native_park(ptr %ctx, i32 {int(TrapCode.OUT_OF_FUEL)})")
    f.end("ret void")
    return f


_POLL_PARAMS = [
    *(("ptr", name) for name in ("ctx", "inst", "fp")),
    ("i32", "left"),
    *(("ptr", name) for name in ("top", "ref_top")),
]


def _note_ends(f: FunctionText) -> None:
    """Say in the context where the frames of the function end that has called."""
    for name, value in (("frames_left", "%left"), ("top", "%top"), ("ref_top", "%ref_top")):
        store_field(f, "%ctx", Context, name, value)


def _native_poll() -> FunctionText:
    """``native_poll(ctx, inst, fp, left, top, ref_top)``: a trap code, or 0 to go on.

    What a compiled function calls when it, or a loop in it, finds ``fp`` beyond the limit of the
    stack.  ``top`` and ``ref_top`` are the ends of its frames, as far as they are in use.
    """
    attrs = f"noinline {ATTRIBUTES}"
    f = FunctionText("native_poll", _POLL_PARAMS, "i32", linkage="", attrs=attrs)
    rp = load_field(f, "%ctx", Context, "native_rp")
    _note_ends(f)
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
    "native_fuel",
    "native_poll",
    *(f"native_{_kernel(long).name}" for long in LONG),
)
EXPORTS = [*STUBS, "native_return"]


def add_native(module: ModuleText, arch: str) -> None:
    """Add everything here to a module, except the stubs' handlers, which are forms."""
    declare_native(module)
    for function in (
        enter_osr(module, arch),
        _native_interpret(module),
        _native_host(module),
        _native_trap(),
        _native_throw(),
        _native_throw_ref(),
        _native_fuel(),
        _native_poll(),
        *(_native_long(_kernel(long), module) for long in LONG),
        _resume(),
        *assembly(arch),
    ):
        module.add_function(function)
