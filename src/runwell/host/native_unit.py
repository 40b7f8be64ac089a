"""The native entries of C functions, as LLVM text.  Only a build of the core imports this."""

from runwell.host.layout import NativeFunc
from runwell.host.native_kernels import FEW, FLOATS, INTEGERS, MANY, REGISTERS
from runwell.host.signature import common_signatures
from runwell.kernel.text import FunctionText, ModuleText
from runwell.kernel.types import offsetof

_IR = {"i": "i32", "l": "i64", "f": "float", "d": "double", "": "void"}


def native_exports() -> list[str]:
    """The symbols that Python looks up."""
    return [
        *(f"native_{key}" for key in common_signatures()),
        *(f"c_call_{n}_{result}" for n in (FEW, MANY) for result in "ld"),
    ]


def add_native_entries(module: ModuleText) -> None:
    """The entries of the common signatures, and the calls that the general ones make."""
    for key in common_signatures():
        module.add_function(_entry(key))
    for n in (FEW, MANY):
        for result in "ld":
            module.add_function(_call(n, result))


def _entry(key: str) -> FunctionText:
    """The entry of C functions whose parameters and result are known by their letters."""
    params, result = key.split("_")
    f = FunctionText(
        f"native_{key}",
        [("ptr", "ctx"), ("ptr", "host"), ("ptr", "frame"), ("ptr", "refs")],
        "i32",
        linkage="",
    )
    place = f.ins(f"getelementptr i8, ptr %host, i64 {offsetof(NativeFunc, 'target')}")
    target = f.ins(f"load ptr, ptr {place}")
    arguments = []
    for i, letter in enumerate(params):
        at = f.ins(f"getelementptr i64, ptr %frame, i64 {i}")
        arguments.append(f"{_IR[letter]} {f.ins(f'load {_IR[letter]}, ptr {at}')}")
    call = f"call {_IR[result]} {target}({', '.join(arguments)})"
    if not result:
        f.do(call)
    else:
        value = f.ins(call)
        if result == "f":
            value = f.ins(f"bitcast float {value} to i32")
        if result in "if":
            value = f.ins(f"zext i32 {value} to i64")
        # The slot is written whole, because it will be read whole.
        f.do(f"store {'double' if result == 'd' else 'i64'} {value}, ptr %frame")
    f.end("ret i32 0")
    return f


def _call(stack: int, result: str) -> FunctionText:
    """``(target, words)``: the call with all registers and ``stack`` words on the stack."""
    f = FunctionText(
        f"c_call_{stack}_{result}", [("ptr", "target"), ("ptr", "words")], "i64", linkage=""
    )
    arguments = []
    for i in range(REGISTERS + stack):
        type_ = "double" if INTEGERS <= i < INTEGERS + FLOATS else "i64"
        at = f.ins(f"getelementptr i64, ptr %words, i64 {i}")
        arguments.append(f"{type_} {f.ins(f'load {type_}, ptr {at}')}")
    value = f.ins(f"call {_IR[result]} %target({', '.join(arguments)})")
    if result == "d":
        value = f.ins(f"bitcast double {value} to i64")
    f.end(f"ret i64 {value}")
    return f
