"""Calling host functions, from the interpreter and from compiled code."""

from runwell.base.traps import TrapCode
from runwell.interp.registers import field, load_field, offset_by, store_field
from runwell.kernel.text import FunctionText, ModuleText
from runwell.runtime.layout import Context, HostFunc


def call_host(f: FunctionText, module: ModuleText, host: str, fp: str, rp: str) -> str:
    """Call a host function on the thread's own stack; what it returned."""
    module.declare("call_host", "declare i32 @call_host(ptr, ptr, ptr, ptr, ptr) nounwind")
    module.declare("heap_enter", "declare void @heap_enter(ptr, i64)")
    # The guest's heap may be collected meanwhile.
    heap = load_field(f, "%ctx", Context, "heap")
    uses_none = f.ins(f"icmp eq i64 {heap}, 0")
    release = f"store atomic i64 0, ptr {field(f, '%ctx', Context, 'heap')} release, align 8"
    _unless(f, module, uses_none, release)
    entry = load_field(f, host, HostFunc, "entry")
    result = f.ins(f"call i32 @call_host(ptr %ctx, ptr {host}, ptr {fp}, ptr {rp}, ptr {entry})")
    _unless(f, module, uses_none, f"call void @heap_enter(ptr %ctx, i64 {heap})")
    return result


def wait_on_native_stack(f: FunctionText, module: ModuleText, result: str, is_there: str) -> str:
    """If a host function has suspended the guest, and its frames are there, stop until it goes on.

    Args:
        f: what calls the host function.
        module: its module.
        result: what that has returned.
        is_there: are there frames on the native stack?  Else the interpreter leaves its own ways.

    Returns:
        What the host function returns in the end.
    """
    module.declare("native_park", "declare hidden i32 @native_park(ptr, i32)")
    wait, done, before = f.fresh("wait"), f.fresh("waited"), f.block
    code = int(TrapCode.SUSPENDED)
    stops = f.ins(f"icmp eq i32 {result}, {code}")
    both = f.ins(f"and i1 {stops}, {is_there.removeprefix('i1 ')}")
    f.end(f"br i1 {both}, label %{wait}, label %{done}{module.weights(1, 2000)}")
    f.label(wait)
    later = f.ins(f"call i32 @native_park(ptr %ctx, i32 {code})")
    f.label(done)
    return f.ins(f"phi i32 [ {result}, %{before} ], [ {later}, %{wait} ]")


def _unless(f: FunctionText, module: ModuleText, usual: str, rare: str) -> None:
    """Write an instruction for the unlikely case that a condition does not hold."""
    do, done = f.fresh("do"), f.fresh("done")
    f.end(f"br i1 {usual}, label %{done}, label %{do}{module.weights(2000, 1)}")
    f.label(do)
    f.do(rare)
    f.label(done)


def prepare_host_call(f: FunctionText, host: str, fp: str, rp: str) -> None:
    """Say in the context where the stacks are free for entries from the host function."""
    values = f.ins(f"zext i32 {load_field(f, host, HostFunc, 'frame_bytes')} to i64")
    refs = f.ins(f"zext i32 {load_field(f, host, HostFunc, 'ref_bytes')} to i64")
    store_field(f, "%ctx", Context, "top", offset_by(f, fp, values))
    ref_top = offset_by(f, rp, refs)
    store_field(f, "%ctx", Context, "ref_top", ref_top)
    store_field(f, "%ctx", Context, "ref_end", ref_top)
