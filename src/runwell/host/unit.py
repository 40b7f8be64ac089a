"""The Python unit: what is compiled into it.  Only a build of the core imports this."""

from collections.abc import Iterable
from typing import Any

from runwell.base.types import ValType
from runwell.codegen.unit import Unit
from runwell.host import (
    callback_kernels,
    convert_kernels,
    held_kernels,
    lease_kernels,
    native_kernels,
    object_kernels,
    python_kernels,
    suspend_kernels,
)
from runwell.host.convert_kernels import VECTOR_FLAG
from runwell.host.layout import PythonFunc
from runwell.host.native_unit import add_native_entries, native_exports
from runwell.host.signature import LETTERS, common_signatures
from runwell.kernel.text import FunctionText, ModuleText
from runwell.kernel.types import offsetof
from runwell.runtime.layout import Context

TYPES = {letter: ValType(type_).text for type_, letter in LETTERS.items()}

# What Python looks up, and then what the entries of common signatures are made of.
VISIBLE: list[Any] = [
    python_kernels.call_generic,
    callback_kernels.host_generic,
    callback_kernels.host_with_caller,
    callback_kernels.host_discard,
    callback_kernels.handle_signals,
    python_kernels.run_unlocked,
    python_kernels.call_in,
    suspend_kernels.host_async,
    suspend_kernels.host_async_with_caller,
    suspend_kernels.hold_instance,
    suspend_kernels.release_instance,
    suspend_kernels.resume_call,
    suspend_kernels.answer_call,
    python_kernels.python_threads,
    native_kernels.native_few,
    native_kernels.native_many,
    convert_kernels.python_hooks,
    convert_kernels.give_values,
    convert_kernels.hold_object,
    python_kernels.exception_of_values,
    held_kernels.let_go_of_externs,
    held_kernels.new_externs,
    held_kernels.externs_traverse,
    held_kernels.externs_clear,
    held_kernels.externs_dealloc,
    object_kernels.call_builtin,
    object_kernels.new_func,
    object_kernels.func_traverse,
    object_kernels.func_clear,
    object_kernels.func_dealloc,
    object_kernels.new_host_function,
    lease_kernels.lease_memory,
    lease_kernels.lease_instance,
    lease_kernels.lease_dealloc,
    object_kernels.close_func,
    object_kernels.new_memory,
    object_kernels.close_memory,
    object_kernels.memory_buffer,
    object_kernels.memory_release,
    object_kernels.memory_dealloc,
]
PARTS: list[Any] = [
    python_kernels.prepare,
    python_kernels.run,
    python_kernels.call_slowly,
    python_kernels.call_trapped,
    callback_kernels.results_slowly,
    callback_kernels.into_python,
    callback_kernels.out_of_python,
    callback_kernels.in_host_function,
    *(getattr(convert_kernels, f"take_{text}") for text in TYPES.values()),
    *(getattr(convert_kernels, f"give_{text}") for text in TYPES.values()),
]


def python_unit(elsewhere: Iterable[object] = ()) -> Unit:
    """The unit.

    Args:
        elsewhere: kernels and tables that the units it is linked with define.
    """
    return Unit("Python entries", [*VISIBLE, *PARTS], add_common_entries, elsewhere=elsewhere)


def exports() -> list[str]:
    """The symbols that Python looks up."""
    return [
        *(visible.name for visible in VISIBLE),
        *(f"{way}_{key}" for key in common_signatures() for way in ("call", "host")),
        *native_exports(),
    ]


def add_common_entries(module: ModuleText) -> None:
    """The entries of the common signatures, in both directions."""
    add_native_entries(module)
    module.declare("llvm.expect.i1", "declare i1 @llvm.expect.i1(i1, i1)")
    for key in common_signatures():
        params, results = key.split("_")
        module.add_function(_call_entry(f"call_{key}", params, results))
        module.add_function(_host_entry(f"host_{key}", params, results))


def _field(f: FunctionText, base: str, struct: object, name: str) -> str:
    """Load a pointer from a struct."""
    place = f.ins(f"getelementptr i8, ptr {base}, i64 {offsetof(struct, name)}")
    return f.ins(f"load ptr, ptr {place}")


def _item(f: FunctionText, array: str, index: int) -> str:
    """The address of an eight-byte item."""
    return f.ins(f"getelementptr i64, ptr {array}, i64 {index}")


def _call_entry(name: str, params: str, results: str) -> FunctionText:
    """``call_generic`` for parameters and results known by their letters."""
    f = FunctionText(
        name,
        [("ptr", "func"), ("ptr", "args"), ("i64", "count"), ("ptr", "keywords")],
        "ptr",
        linkage="",
    )
    n = len(params)
    ctx = f.ins(f"call ptr @prepare(ptr %func, i64 %count, ptr %keywords, i64 {n})")
    _continue_if(f, f.ins(f"icmp ne ptr {ctx}, null"), "slow")
    frame = _field(f, ctx, Context, "top")
    for i, letter in enumerate(params):
        value = f.ins(f"load ptr, ptr {_item(f, '%args', i)}")
        at = _item(f, frame, i)
        _continue_if(f, f.ins(f"call i1 @take_{TYPES[letter]}(ptr {value}, ptr {at})"), "slow")
    trap = f.ins(f"call i32 @run(ptr %func, ptr {ctx})")
    _continue_if(f, f.ins(f"icmp eq i32 {trap}, 0"), "trapped")
    if results:
        result = f.ins(f"call ptr @give_{TYPES[results]}(ptr {frame})")
    else:
        result = "@_Py_NoneStruct"
        f.do(f"call void @Py_IncRef(ptr {result})")
    f.end(f"ret ptr {result}")
    f.label("trapped")
    f.end(f"ret ptr {f.ins(f'call ptr @call_trapped(ptr %func, ptr {ctx}, i32 {trap})')}")
    f.label("slow")
    arguments = "ptr %func, ptr %args, i64 %count, ptr %keywords"
    f.end(f"ret ptr {f.ins(f'call ptr @call_slowly({arguments})')}")
    return f


def _host_entry(name: str, params: str, results: str) -> FunctionText:
    """``host_generic`` for parameters and results known by their letters."""
    f = FunctionText(
        name,
        [("ptr", "ctx"), ("ptr", "host"), ("ptr", "frame"), ("ptr", "refs")],
        "i32",
        linkage="",
    )
    n = len(params)
    values, done = f.alloca(f"[{n + 1} x ptr]"), f.alloca("i1")
    f.do(f"store i1 false, ptr {done}")
    state = f.ins("call i64 @into_python(ptr %ctx)")
    refused = f.ins("call i32 @Py_EnterRecursiveCall(ptr @in_host_function)")
    _continue_if(f, f.ins(f"icmp eq i32 {refused}, 0"), "leave")
    made = []
    for i, letter in enumerate(params):
        value = f.ins(f"call ptr @give_{TYPES[letter]}(ptr {_item(f, '%frame', i)})")
        f.do(f"store ptr {value}, ptr {_item(f, values, i + 1)}")
        made.append(value)
    for value in made:
        _continue_if(f, f.ins(f"icmp ne ptr {value}, null"), "release")
    function = _field(f, "%host", PythonFunc, "callable")
    arguments = f"ptr {function}, ptr {_item(f, values, 1)}, i64 {VECTOR_FLAG | n}, ptr null"
    result = f.ins(f"call ptr @PyObject_Vectorcall({arguments})")
    _continue_if(f, f.ins(f"icmp ne ptr {result}, null"), "release")
    if results:
        taken = f.ins(f"call i1 @take_{TYPES[results]}(ptr {result}, ptr %frame)")
        _continue_if(f, taken, "convert")
    f.do(f"store i1 true, ptr {done}")
    f.end("br label %drop")
    if results:
        f.label("convert")
        arguments = f"ptr %ctx, ptr %host, ptr {result}, ptr %frame, ptr %refs"
        converted = f.ins(f"call i1 @results_slowly({arguments})")
        f.do(f"store i1 {converted}, ptr {done}")
        f.end("br label %drop")
    f.label("drop")
    f.do(f"call void @Py_DecRef(ptr {result})")
    f.label("release")
    for value in made:
        f.do(f"call void @Py_DecRef(ptr {value})")  # which does not mind null
    f.do("call void @Py_LeaveRecursiveCall()")
    f.label("leave")
    is_done = f.ins(f"load i1, ptr {done}")
    code = f.ins(f"call i32 @out_of_python(ptr %ctx, i64 {state}, i1 {is_done})")
    f.end(f"ret i32 {code}")
    return f


def _continue_if(f: FunctionText, condition: str, otherwise: str) -> None:
    """Go on in a new block if the condition holds, as it nearly always does."""
    next_ = f.fresh("next")
    likely = f.ins(f"call i1 @llvm.expect.i1(i1 {condition}, i1 true)")
    f.end(f"br i1 {likely}, label %{next_}, label %{otherwise}")
    f.label(next_)
