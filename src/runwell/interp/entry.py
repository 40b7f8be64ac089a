"""The interpreter's own handlers, which no row describes: entering, leaving, trapping, slow paths.

A *stub* is code of one instruction that is never translated.  A function's entry, or the return
address in a frame's link, may be a stub:

    stub_exit            return address of a frame entered from native code
    stub_translate       entry of a function that was not called before
    stub_call_host       entry of host functions
    stub_leave_instance  return address of a frame whose caller is of another instance

and those of ``interp.native``.

At the entry of a stub as of any function, ``acc`` is the address of its ``FuncCode``.

A call into another instance leaves a record between the caller's and the callee's frame, of the
fields in ``SwitchRecord``; the callee's saved frame pointer is the record's address.
"""

from runwell.base.traps import TrapCode
from runwell.codegen.object_machine import NO_OBJECT
from runwell.interp.host_call import call_host, prepare_host_call, wait_on_native_stack
from runwell.interp.native import (
    declare_native,
    landed,
    stub_leave_native,
    stub_native,
    stub_resume_native,
)
from runwell.interp.native_stubs import add_native
from runwell.interp.registers import (
    CC,
    Registers,
    add_to_field,
    count_call,
    declaration,
    dispatch,
    field,
    handler,
    load_field,
    offset_by,
    size_of,
    store_field,
    tail_call,
)
from runwell.isa.register import STUBS
from runwell.kernel.text import FunctionText, ModuleText
from runwell.runtime.heap_layout import HeapType
from runwell.runtime.layout import (
    Context,
    FuncCode,
    FuncRef,
    Instance,
    ModuleCode,
    SwitchRecord,
    TypeCode,
)


def trap_handler(code: TrapCode) -> str:
    """The symbol of the handler that stops with ``code``."""
    return f"trap_{code.name.lower()}"


def save_state(f: FunctionText, r: Registers) -> None:
    """Say in the context where execution is."""
    for name, value in (("ip", r.ip), ("fp", r.fp), ("rp", r.rp), ("instance", r.inst)):
        store_field(f, r.ctx, Context, name, value)


def trap_unless_zero(f: FunctionText, module: ModuleText, code: str, r: Registers) -> None:
    """Stop with the trap code ``code`` (``i32``) unless that is 0."""
    failed, ok = f.fresh("failed"), f.fresh("ok")
    zero = f.ins(f"icmp eq i32 {code}, 0")
    f.end(f"br i1 {zero}, label %{ok}, label %{failed}{module.weights(2000, 1)}")
    f.label(failed)
    module.declare("trap_in_acc", declaration("trap_in_acc"))
    wide = f.ins(f"zext i32 {code} to i64")
    tail_call(f, "@trap_in_acc", r._replace(acc=wide))
    f.label(ok)


R = Registers()


def _trap_in_acc() -> FunctionText:
    f = handler("trap_in_acc", section="")
    code = f.ins("trunc i64 %acc to i32")
    store_field(f, "%ctx", Context, "trap", code)
    save_state(f, R)
    f.end("ret void")
    return f


def _trap(code: TrapCode, name: str = "") -> FunctionText:
    f = handler(name or trap_handler(code), section="")
    tail_call(f, "@trap_in_acc", R._replace(acc=str(int(code))))
    return f


def _caught(module: ModuleText) -> FunctionText:
    """Go on where the context says, unless ``acc`` is a trap code."""
    f = handler("caught", section="")
    trap_unless_zero(f, module, f.ins("trunc i64 %acc to i32"), R)
    landed(f, module)
    ip, fp, rp, inst = (
        load_field(f, "%ctx", Context, name) for name in ("ip", "fp", "rp", "instance")
    )
    mem = load_field(f, inst, Instance, "memory_base")
    dispatch(f, R._replace(ip=ip, fp=fp, rp=rp, inst=inst, mem=mem))
    return f


def _fault_exit() -> FunctionText:
    """Where the signal handler sends a thread that faulted in a guarded memory."""
    f = _trap(TrapCode.OUT_OF_BOUNDS_MEMORY, "fault_exit")
    f.linkage = ""
    return f


def _slow_budget(module: ModuleText) -> FunctionText:
    """The budget of backward branches is spent; ``ip`` is the branch's target."""
    f = handler("slow_budget", section="")
    save_state(f, R)
    module.declare("on_budget", "declare i32 @on_budget(ptr, ptr)")
    trap_unless_zero(f, module, f.ins("call i32 @on_budget(ptr %ctx, ptr %ip)"), R)
    _go_on(f, module)
    dispatch(f, R)
    return f


def _go_on(f: FunctionText, module: ModuleText) -> None:
    """Begin to go on in compiled code at ``ctx.land_entry``; what follows is if there is none."""
    compiled, still = f.fresh("compiled"), f.fresh("still")
    entry = load_field(f, "%ctx", Context, "land_entry")
    f.end(f"br i1 {f.ins(f'icmp eq ptr {entry}, null')}, label %{still}, label %{compiled}")
    f.label(compiled)
    module.declare("enter_osr", declaration("enter_osr"))
    code = load_field(f, "%ctx", Context, "land_code")
    tail_call(f, "@enter_osr", R._replace(acc=f.ins(f"ptrtoint ptr {code} to i64")))
    f.label(still)


def stub_enter_place(f: FunctionText, module: ModuleText, arch: str) -> None:
    """Go on in compiled code that can be entered at ``ip``; or only count that somebody came."""
    save_state(f, R)
    module.declare("on_place", "declare i64 @on_place(ptr, ptr)")
    handler = f.ins("call i64 @on_place(ptr %ctx, ptr %ip)")
    _go_on(f, module)
    gone, there = f.fresh("gone"), f.fresh("there")
    f.end(f"br i1 {f.ins(f'icmp eq i64 {handler}, 0')}, label %{gone}, label %{there}")
    f.label(there)
    tail_call(f, f.ins(f"inttoptr i64 {handler} to ptr"), R)
    f.label(gone)
    dispatch(f, R)


def _slow_heat(module: ModuleText) -> FunctionText:
    """Enter a function, ``acc``, whose heat is spent and whose frame is ready."""
    f = handler("slow_heat", section="")
    code = f.ins("inttoptr i64 %acc to ptr")
    module.declare("on_hot", "declare void @on_hot(ptr, ptr)")
    f.do(f"call void @on_hot(ptr {code}, ptr null)")
    dispatch(f, R._replace(ip=load_field(f, code, FuncCode, "entry")))
    return f


def _slow_fuel(module: ModuleText) -> FunctionText:
    """The fuel is spent; the instruction at ``ip`` has done nothing yet and can be repeated."""
    f = handler("slow_fuel", section="")
    here, away = f.fresh("here"), f.fresh("away")
    f.end(f"br i1 {_is_on_native_stack(f)}, label %{away}, label %{here}")
    f.label(away)
    save_state(f, R)
    declare_native(module)
    code = f.ins(f"call i32 @native_park(ptr %ctx, i32 {int(TrapCode.OUT_OF_FUEL)})")
    trap_unless_zero(f, module, code, R)
    dispatch(f, R)
    f.label(here)
    store_field(f, "%ctx", Context, "acc", "%acc")
    facc = f.ins("bitcast <4 x float> %facc to i128")
    f.do(f"store i128 {facc}, ptr {field(f, '%ctx', Context, 'facc')}, align 8")
    store_field(f, "%ctx", Context, "parked_sp", "0")
    for name, value in (("ip", R.ip), ("fp", R.fp), ("rp", R.rp), ("instance", R.inst)):
        store_field(f, "%ctx", Context, f"parked_{name}", value)
    left = load_field(f, "%ctx", Context, "frames_left")
    store_field(f, "%ctx", Context, "parked_left", left)
    tail_call(f, f"@{trap_handler(TrapCode.OUT_OF_FUEL)}", R)
    return f


def _is_on_native_stack(f: FunctionText) -> str:
    """Does the interpreter run above compiled code?"""
    return f.ins(f"icmp ne i64 {load_field(f, '%ctx', Context, 'host_sp')}, 0")


def _check_room(f: FunctionText, module: ModuleText, frame: str) -> None:
    """Check the limits of the call stack for a callee's frame; ``ip`` is the return address."""
    # A trap is at the call.
    call = R._replace(ip=offset_by(f, "%ip", "-1"))
    save_state(f, call)
    beyond, checked = f.fresh("beyond"), f.fresh("checked")
    limit = load_field(f, "%ctx", Context, "stack_limit")
    f.end(f"br i1 {f.ins(f'icmp ugt ptr {frame}, {limit}')}, label %{beyond}, label %{checked}")
    f.label(beyond)
    module.declare("on_stack_limit", "declare i32 @on_stack_limit(ptr, ptr)")
    code = f.ins(f"call i32 @on_stack_limit(ptr %ctx, ptr {frame})")
    trap_unless_zero(f, module, code, call)
    f.label(checked)
    left = add_to_field(f, "%ctx", Context, "frames_left", -1)
    none = f.ins(f"icmp slt i32 {left}, 0")
    exhausted = f.ins(f"select i1 {none}, i32 {int(TrapCode.STACK_EXHAUSTED)}, i32 0")
    trap_unless_zero(f, module, exhausted, call)


def _link_and_enter(
    f: FunctionText,
    module: ModuleText,
    code: str,
    callee: Registers,
    params: str,
    back: tuple[str, str],
) -> None:
    """Enter a function whose arguments are in place; ``back`` is the link."""
    count_call(f, module, code)
    link = offset_by(f, callee.fp, params)
    f.do(f"store ptr {back[0]}, ptr {link}, align 8")
    f.do(f"store ptr {back[1]}, ptr {offset_by(f, link, '8')}, align 8")
    func = f.ins(f"ptrtoint ptr {code} to i64")
    dispatch(f, callee._replace(ip=load_field(f, code, FuncCode, "entry"), acc=func))


def _slow_call(module: ModuleText) -> FunctionText:
    """Enter a function whose frame is beyond the limit, if that was only meant to bring us here.

    ``acc`` is its ``FuncCode``, ``ctx.top`` its frame, ``rp`` its reference frame, ``ip`` the
    return address, ``fp`` the caller's frame.
    """
    f = handler("slow_call", section="")
    frame = load_field(f, "%ctx", Context, "top")
    _check_room(f, module, frame)
    code = f.ins("inttoptr i64 %acc to ptr")
    params = f.ins(f"zext i32 {load_field(f, code, FuncCode, 'param_bytes')} to i64")
    _link_and_enter(f, module, code, R._replace(fp=frame), params, ("%ip", "%fp"))
    return f


def _attach_heap(f: FunctionText, module: ModuleText, inst: str) -> None:
    """Use the heap of an instance whose function is called."""
    other, attached = f.fresh("other"), f.fresh("attached")
    heap = f.ins(f"ptrtoint ptr {load_field(f, inst, Instance, 'heap')} to i64")
    used = load_field(f, "%ctx", Context, "heap")
    same = f.ins(f"icmp eq i64 {heap}, {used}")
    f.end(f"br i1 {same}, label %{attached}, label %{other}{module.weights(2000, 1)}")
    f.label(other)
    module.declare("heap_attach", "declare void @heap_attach(ptr, ptr)")
    f.do(f"call void @heap_attach(ptr %ctx, ptr {inst})")
    f.label(attached)


def _switch_instance(module: ModuleText) -> FunctionText:
    """Enter a function of another instance; as ``slow_call``, but ``acc`` is its ``FuncRef``."""
    f = handler("switch_instance", section="")
    frame = load_field(f, "%ctx", Context, "top")
    _check_room(f, module, frame)
    ref = f.ins("inttoptr i64 %acc to ptr")
    code, inst = load_field(f, ref, FuncRef, "code"), load_field(f, ref, FuncRef, "instance")
    _attach_heap(f, module, inst)
    code_module = load_field(f, code, FuncCode, "module")
    index = f.ins(f"zext i32 {load_field(f, code, FuncCode, 'index')} to i64")
    types = load_field(f, code_module, ModuleCode, "function_types")
    type_at = f.ins(f"getelementptr i32, ptr {types}, i64 {index}")
    type_index = f.ins(f"load i32, ptr {type_at}, align 4")
    type_offset = f.ins(f"mul i64 {f.ins(f'zext i32 {type_index} to i64')}, {size_of(TypeCode)}")
    func_type = offset_by(f, load_field(f, code_module, ModuleCode, "types"), type_offset)
    results = f.ins(f"zext i32 {load_field(f, func_type, TypeCode, 'result_bytes')} to i64")
    params = f.ins(f"zext i32 {load_field(f, code, FuncCode, 'param_bytes')} to i64")
    room = f.ins(f"call i64 @llvm.umax.i64(i64 {params}, i64 {results})")
    record = offset_by(f, frame, room)
    callee = offset_by(f, record, str(size_of(SwitchRecord)))
    f.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {callee}, ptr {frame}, i64 {params}, i1 false)")
    fields = (("ip", "%ip"), ("fp", "%fp"), ("instance", "%inst"))
    for name, value in (*fields, ("results", frame), ("result_bytes", results)):
        store_field(f, record, SwitchRecord, name, value)
    mem = load_field(f, inst, Instance, "memory_base")
    registers = R._replace(fp=callee, inst=inst, mem=mem)
    _link_and_enter(f, module, code, registers, params, ("@stub_leave_instance", record))
    return f


def stub_exit(f: FunctionText, module: ModuleText, arch: str) -> None:
    """Return to the native caller."""
    f.end("ret void")


def stub_leave_instance(f: FunctionText, module: ModuleText, arch: str) -> None:
    """Return to a caller of another instance; ``fp`` is the ``SwitchRecord``."""
    target = load_field(f, "%fp", SwitchRecord, "results")
    bytes_ = load_field(f, "%fp", SwitchRecord, "result_bytes")
    ip, fp = load_field(f, "%fp", SwitchRecord, "ip"), load_field(f, "%fp", SwitchRecord, "fp")
    inst = load_field(f, "%fp", SwitchRecord, "instance")
    mem = load_field(f, inst, Instance, "memory_base")
    results = offset_by(f, "%fp", str(size_of(SwitchRecord)))
    # The results may be longer than the distance that they move.
    f.do(f"call void @llvm.memmove.p0.p0.i64(ptr {target}, ptr {results}, i64 {bytes_}, i1 false)")
    dispatch(f, R._replace(ip=ip, fp=fp, inst=inst, mem=mem))


def _caller(f: FunctionText, code: str) -> tuple[str, str]:
    """Return address and frame of the caller of the function being entered."""
    params = f.ins(f"zext i32 {load_field(f, code, FuncCode, 'param_bytes')} to i64")
    link = offset_by(f, "%fp", params)
    ip = f.ins(f"load ptr, ptr {link}, align 8")
    return ip, f.ins(f"load ptr, ptr {offset_by(f, link, '8')}, align 8")


def stub_translate(f: FunctionText, module: ModuleText, arch: str) -> None:
    """Translate the function, then enter it."""
    code = f.ins("inttoptr i64 %acc to ptr")
    ip, fp = _caller(f, code)
    # A failure is reported at the call.
    call = R._replace(ip=offset_by(f, ip, "-1"), fp=fp)
    save_state(f, call)
    module.declare("translate_on_demand", "declare i32 @translate_on_demand(ptr, ptr)")
    result = f.ins(f"call i32 @translate_on_demand(ptr %ctx, ptr {code})")
    trap_unless_zero(f, module, result, call)
    dispatch(f, R._replace(ip=load_field(f, code, FuncCode, "entry")))


def stub_call_host(f: FunctionText, module: ModuleText, arch: str) -> None:
    """Call the host function, then return to the caller."""
    code = f.ins("inttoptr i64 %acc to ptr")
    host = load_field(f, code, FuncCode, "host")
    ip, fp = _caller(f, code)
    save_state(f, R._replace(ip=ip, fp=fp))
    prepare_host_call(f, host, "%fp", "%rp")
    result = call_host(f, module, host, "%fp", "%rp")
    result = wait_on_native_stack(f, module, result, f"i1 {_is_on_native_stack(f)}")
    failed, ok = f.fresh("failed"), f.fresh("ok")
    fine = f.ins(f"icmp eq i32 {result}, 0")
    f.end(f"br i1 {fine}, label %{ok}, label %{failed}{module.weights(2000, 1)}")
    f.label(failed)
    failing = R._replace(ip=ip, fp=fp, acc="poison", facc="poison")
    _throw_from_host(f, module, host, result, failing)
    f.label(ok)
    add_to_field(f, "%ctx", Context, "frames_left", 1)
    dispatch(f, R._replace(ip=ip, fp=fp, acc="poison", facc="poison"))


def _throw_from_host(
    f: FunctionText, module: ModuleText, host: str, trap: str, r: Registers
) -> None:
    """A host function that would have returned to ``r`` failed: it may have thrown."""
    save_state(f, r)
    module.declare("throw_from_host", "declare i32 @throw_from_host(ptr, ptr, i32)")
    trap = f.ins(f"call i32 @throw_from_host(ptr %ctx, ptr {host}, i32 {trap})")
    module.declare("caught", declaration("caught"))
    acc = f.ins(f"zext i32 {trap} to i64")
    # A trap is reported at the call.
    tail_call(f, "@caught", r._replace(ip=offset_by(f, r.ip, "-1"), acc=acc))


STUB_BODIES = {
    "exit": stub_exit,
    "translate": stub_translate,
    "call_host": stub_call_host,
    "leave_instance": stub_leave_instance,
    "native": stub_native,
    "leave_native": stub_leave_native,
    "resume_native": stub_resume_native,
    "enter_place": stub_enter_place,
}
assert set(STUB_BODIES) == set(STUBS)


def _run_code() -> FunctionText:
    """From the C convention to that of the handlers; the extern of ``entry_kernels``."""
    params = [(ty, name) for ty, name in (("ptr", n) for n in ("ctx", "ip", "fp", "inst", "mem"))]
    f = FunctionText("run_code", [*params, ("ptr", "func")], linkage="hidden")
    rp = load_field(f, "%ctx", Context, "ref_top")
    acc = f.ins("ptrtoint ptr %func to i64")
    registers = R._replace(rp=rp, acc=acc, facc="zeroinitializer")
    f.do(f"call {CC} void @call_entry({registers.arguments()})")
    f.end("ret void")
    return f


def _resume_code() -> FunctionText:
    """As ``run_code``, to where a guest is parked."""
    f = FunctionText("resume_code", [("ptr", "ctx")], linkage="hidden")
    names = ("ip", "parked_fp", "parked_rp", "parked_instance", "acc")
    ip, fp, rp, inst, acc = (load_field(f, "%ctx", Context, name) for name in names)
    mem = load_field(f, inst, Instance, "memory_base")
    bits = f.ins(f"load i128, ptr {field(f, '%ctx', Context, 'facc')}, align 8")
    facc = f.ins(f"bitcast i128 {bits} to <4 x float>")
    registers = Registers(ip, fp, mem, inst, "%ctx", rp, acc, facc)
    f.do(f"call {CC} void @call_entry({registers.arguments()})")
    f.end("ret void")
    return f


EXPORTS = [
    "fault_exit",
    NO_OBJECT,
    "handler_table",
    "handlers_high",
    "handlers_low",
    *(f"stub_{name}" for name in STUBS),
]


def add_entry(module: ModuleText, arch: str) -> None:
    """Add everything here to a module, except the stubs' handlers, which are forms."""
    for function in (
        _trap_in_acc(),
        *(_trap(code) for code in TrapCode),
        _fault_exit(),
        _caught(module),
        _slow_budget(module),
        _slow_heat(module),
        _slow_fuel(module),
        _slow_call(module),
        _switch_instance(module),
        _run_code(),
        _resume_code(),
    ):
        module.add_function(function)
    add_native(module, arch)
    # What tests look at in place of an object, where there is none.
    zeros = f"constant [{size_of(HeapType) + 8} x i8] zeroinitializer, align 8"
    module.add_global(f"@{NO_OBJECT} = {zeros}")
    for name, text in _INTRINSICS.items():
        module.declare(name, text)


_INTRINSICS = {
    "llvm.umax.i64": "declare i64 @llvm.umax.i64(i64, i64)",
    "llvm.memcpy.p0.p0.i64": "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
    "llvm.memmove.p0.p0.i64": "declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)",
}
