"""Function types as the native entries read them, and which entry serves a type.

A compiled signature is two little-endian u16 counts, of parameters and of results, and then one
byte for each value type.  A reference has one of seven: those of ``funcref``, ``externref`` and
``exnref``; ``nullfuncref`` and ``nullexternref`` for narrower types of functions and of external
references, and ``anyref`` for all internal ones, which are checked in Python; and ``nullref`` if
Python has no such values but None.
"""

from runwell.base.light import final
from runwell.base.types import FuncType, ValType
from runwell.host.weak import WeakValues
from runwell.runtime.layout import ResultClass
from runwell.runtime.native import native
from runwell.runtime.types import TypeNumber, is_function_type

LETTERS = {ValType.I32: "i", ValType.I64: "l", ValType.F32: "f", ValType.F64: "d"}
_FUNCTIONS = (0x70, 0x73)  # heap types of functions
_EXTERNALS = (0x6F, 0x72)  # and of the host's objects
_BYTES_HEAD = bytes.__basicsize__ - 1  # where the bytes of a bytes object begin


def common_signatures() -> tuple[str, ...]:
    """The signatures with entries of their own, e.g. ``ii_i``: letters of params and results."""
    found = ["_", "_i", "_l", "_d"]
    for letter, most in ("i", 6), ("l", 4), ("f", 2), ("d", 4):
        for n in range(1, most + 1):
            found += [f"{letter * n}_", f"{letter * n}_{letter}"]
    found += ["l_i", "ll_i", "d_i", "i_d", "i_l", "il_", "il_i", "ili_i"]
    return tuple(found)


def pack(type_: FuncType) -> bytes:
    """The compiled signature of a function type."""
    counts = len(type_.params).to_bytes(2, "little") + len(type_.results).to_bytes(2, "little")
    return counts + bytes(map(kind_of, (*type_.params, *type_.results)))


def kind_of(type_: ValType) -> int:
    """The byte of a value type in compiled signatures."""
    if not type_.is_ref or type_ in (ValType.FUNCREF, ValType.EXTERNREF):
        return int(type_)
    if type_ & 0xFF in _EXTERNALS:
        return int(ValType.NULLEXTERNREF)
    if type_.is_exception:
        return int(ValType.EXNREF)
    heap = type_.heap_index
    is_function = type_ & 0xFF in _FUNCTIONS if heap is None else is_function_type(heap)
    if is_function:
        return int(ValType.NULLFUNCREF)
    return int(ValType.NULLREF if type_ & 0xFF == ValType.NULLREF else ValType.ANYREF)


@final
class Signature:
    """A function type, compiled; equal types share one as long as anybody uses it.

    Attributes:
        type: the function type.
        number: its canonical number.
        address: of the compiled signature.
        call_entry: address of the vectorcall of functions of this type.
        host_entry: address of the entry of host functions of this type.
        host_code: address of the code by which guests call host functions.
        native_code: the same for compiled code.
        native_shape: how compiled code passes parameters and results.
        discard: address of what is called when a guest caught what a host function raised.
        frame_bytes: room for arguments or results, and the link, on the value stack.
        ref_bytes: room for arguments or results on the reference stack.
        param_bytes: of the value parameters.
        ref_param_bytes: of the reference parameters.
        template: address and owner of what the natives of host functions are copied from; None
            until there is one.
    """

    __slots__ = (
        "__weakref__",
        "_packed",
        "address",
        "call_entry",
        "discard",
        "frame_bytes",
        "host_code",
        "host_entry",
        "native_code",
        "native_shape",
        "number",
        "param_bytes",
        "ref_bytes",
        "ref_param_bytes",
        "template",
        "type",
    )

    def __init__(self, type_: FuncType) -> None:
        self.type = type_
        self.template: tuple[int, object] | None = None
        self._packed = pack(type_)
        self.address = id(self._packed) + _BYTES_HEAD
        self.param_bytes, self.ref_param_bytes = _room(type_.params)
        result_bytes, ref_result_bytes = _room(type_.results)
        self.frame_bytes = max(self.param_bytes + 16, result_bytes)
        self.ref_bytes = max(self.ref_param_bytes, ref_result_bytes)
        params, results = (
            "".join(LETTERS.get(t, "?") for t in ts) for ts in (type_.params, type_.results)
        )
        key = f"{params}_{results}"
        common = key in COMMON
        self.call_entry = native.address(f"call_{key}" if common else "call_generic")
        self.host_entry = native.address(f"host_{key}" if common else "host_generic")
        self.host_code = native.address("stub_call_host")
        self.native_code = native.address("native_host")
        self.native_shape = _native_shape(type_)
        self.discard = native.address("host_discard")
        self.number = TypeNumber(type_)


def _native_shape(type_: FuncType) -> tuple[int, int, int]:
    """How compiled code passes parameters and results: the last three fields of ``FuncCode``."""
    floats = vectors = slot = 0
    for t in type_.params:
        if t.is_ref:
            continue
        if slot < 32 and t in _FLOATS:
            floats |= 1 << slot
            vectors |= (t == ValType.V128) << slot
        slot += 2 if t == ValType.V128 else 1
    results = type_.results
    if len(results) == 1 and results[0] in _FLOATS:
        return floats, vectors, ResultClass.FLOAT
    in_memory = len(results) > 1 or (results != () and results[0].is_ref)
    return floats, vectors, ResultClass(ResultClass.MEMORY * in_memory)


_FLOATS = (ValType.F32, ValType.F64, ValType.V128)


def _room(kinds: tuple[ValType, ...]) -> tuple[int, int]:
    """Bytes on the value stack and on the reference stack."""
    refs = sum(1 for t in kinds if t.is_ref)
    vectors = sum(1 for t in kinds if t == ValType.V128)
    return 8 * (len(kinds) - refs + vectors), 8 * refs


COMMON = frozenset(common_signatures())


_signatures: "WeakValues[FuncType, Signature]" = WeakValues()


def signature_of(type_: FuncType) -> Signature:
    """The compiled signature of a function type."""
    found = _signatures.get(type_)
    if found is None:
        found = _signatures.add(type_, Signature(type_))
    return found
