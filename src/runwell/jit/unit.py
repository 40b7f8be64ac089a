"""Functions that are compiled together: one module of LLVM."""

from runwell.codegen.machine import Value
from runwell.jit import notes
from runwell.jit.convention import CC, PARAMS, RESULT, Signature
from runwell.jit.frame import FrameMachine
from runwell.jit.fuel import SLICE
from runwell.jit.handlers import clauses
from runwell.jit.job import Job, JobFunction, decode_header
from runwell.jit.level import Level
from runwell.jit.lower import Lowering, name_of
from runwell.jit.machine import Fragment
from runwell.jit.recursion import lower
from runwell.jit.surroundings import Surroundings
from runwell.jit.variables import Variables
from runwell.kernel.text import symbol
from runwell.kernel.types import as_struct
from runwell.runtime.layout import Context, Instance


def job_text(job: Job, arch: str) -> str:
    """The functions of a job as LLVM text, without data layout and triple.

    Raises:
        InternalError: register code is not what a translator makes.
    """
    here = {
        f.function: name_of(f.function, copy=0 if f.is_copy else None)
        for f in job.functions
        if f.is_whole
    }
    may_leave = job.level < Level.BEST
    around = Surroundings(decode_header(job.header), here, arch, may_leave=may_leave)
    bodies = []
    for function in job.functions:
        if function.is_whole:
            bodies += lower(around, function, copied=job.level > Level.FAST)
        bodies += [Lowering(around, function, at).run() for at in entries_of(function)]
    bodies += [_any_of_type(around, number, name) for number, name in around.others.items()]
    scopes = [around.positions.scope(name) for name in ("check_limit", "check_fuel")]
    helpers = _HELPERS.format(
        function=notes.FUNCTION,
        stop=notes.STOP,
        scopes=[scope.node for scope in scopes],
        before=[f"!dbg !{around.positions.before(scope)}" for scope in scopes],
        native_rp=as_struct(Context).offset("native_rp"),
        fuel=as_struct(Instance).offset("fuel"),
        floor=as_struct(Instance).offset("fuel_floor"),
        slice=SLICE,
    )
    around.module.declare("native_trap", "declare void @native_trap(ptr, ptr, ptr, i32)")
    around.module.declare("llvm.smax.i64", "declare i64 @llvm.smax.i64(i64, i64)")
    around.module.declare("native_fuel", "declare void @native_fuel(ptr, ptr, ptr, i32, ptr, ptr)")
    around.module.declare("native_poll", "declare i32 @native_poll(ptr, ptr, ptr, i32, ptr, ptr)")
    return "\n".join([around.module.text(), *bodies, helpers, around.positions.text(), ""])


def _any_of_type(around: Surroundings, number: int, name: str) -> str:
    """What calls functions of a type that are not likely to be called."""
    scope = around.positions.scope(name)
    f = Fragment("o")
    position = f", !dbg !{around.positions.before(scope)}"
    nothing = Signature((), 0, (), 0)
    m = FrameMachine(
        f, around.module, Variables(nothing, ()), nothing, arch=around.arch, position=position
    )
    m.any_of_type(Value(around.type_number(number), "i32"))
    params = ", ".join([f"{ty} %{param}" for ty, param in PARAMS])
    head = f"define internal {CC} {RESULT} {symbol(name)}({params}) noinline cold {notes.FUNCTION}"
    return "\n".join([f"{head} !dbg {scope.node} {{", "entry:", *f.lines, "}"])


def entries_of(function: JobFunction) -> list[int]:
    """Where else than at its beginning a function is entered: where it is told to, at handlers."""
    landings = [clause.target for clause in clauses(function.handlers)]
    return sorted({*function.entries, *landings})


# ``check_limit``: a frame is beyond the limit of the stack, or somebody wants the guest to stop.
# ``check_fuel``: there is little fuel left; is somebody asking to stop?  The guest stops until it
# has enough, and then pays.
# ``is_among``: is a type none of those in a list that ends with 0?
_HELPERS = """
define internal preserve_allcc void @check_limit(ptr %ctx, ptr %inst, ptr %fp, i32 %left, \
i64 %size, i64 %ref.size) noinline cold {function} !dbg {scopes[0]} {{
  %top = getelementptr i8, ptr %fp, i64 %size
  %rp.at = getelementptr i8, ptr %ctx, i64 {native_rp}
  %rp = load ptr, ptr %rp.at, align 8
  %ref.top = getelementptr i8, ptr %rp, i64 %ref.size
  %code = call i32 @native_poll(ptr %ctx, ptr %inst, ptr %fp, i32 %left, ptr %top, ptr %ref.top), \
{before[0]}
  %fine = icmp eq i32 %code, 0
  br i1 %fine, label %on, label %stop
stop:
  call void @native_trap(ptr %ctx, ptr %inst, ptr %fp, i32 %code) {stop}, {before[0]}
  unreachable
on:
  ret void
}}
define internal preserve_allcc void @check_fuel(ptr %ctx, ptr %inst, ptr %fp, i32 %left, \
i64 %size, i64 %ref.size, i64 %amount) noinline cold {function} !dbg {scopes[1]} {{
entry:
  %top = getelementptr i8, ptr %fp, i64 %size
  %rp.at = getelementptr i8, ptr %ctx, i64 {native_rp}
  %rp = load ptr, ptr %rp.at, align 8
  %ref.top = getelementptr i8, ptr %rp, i64 %ref.size
  %fuel.at = getelementptr i8, ptr %inst, i64 {fuel}
  br label %look
look:
  %limit = load volatile ptr, ptr %ctx, align 8
  %beyond = icmp ugt ptr %fp, %limit
  br i1 %beyond, label %poll, label %count
poll:
  %code = call i32 @native_poll(ptr %ctx, ptr %inst, ptr %fp, i32 %left, ptr %top, ptr %ref.top), \
{before[1]}
  %fine = icmp eq i32 %code, 0
  br i1 %fine, label %count, label %stop
stop:
  call void @native_trap(ptr %ctx, ptr %inst, ptr %fp, i32 %code) {stop}, {before[1]}
  unreachable
count:
  %have = load volatile i64, ptr %fuel.at, align 8
  %enough = icmp sge i64 %have, %amount
  br i1 %enough, label %on, label %wait
wait:
  call void @native_fuel(ptr %ctx, ptr %inst, ptr %fp, i32 %left, ptr %top, ptr %ref.top), \
{before[1]}
  br label %look
on:
  %left.now = sub i64 %have, %amount
  store i64 %left.now, ptr %fuel.at, align 8
  %low = sub i64 %left.now, {slice}
  %floor = call i64 @llvm.smax.i64(i64 %low, i64 0)
  %floor.at = getelementptr i8, ptr %inst, i64 {floor}
  store i64 %floor, ptr %floor.at, align 8
  ret void
}}
define internal i1 @is_among(i32 %type, ptr %supers) noinline cold {function} {{
entry:
  br label %next
next:
  %place = phi ptr [ %supers, %entry ], [ %following, %more ]
  %number = load i32, ptr %place, align 4
  %found = icmp eq i32 %number, %type
  br i1 %found, label %out, label %more
more:
  %following = getelementptr i8, ptr %place, i64 4
  %ends = icmp eq i32 %number, 0
  br i1 %ends, label %out, label %next
out:
  ret i1 %found
}}
"""
