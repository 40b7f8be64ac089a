"""C functions as functions of the guest, which calls them with no Python in between."""

from __future__ import annotations

from array import array

from runwell.base.errors import LinkError
from runwell.base.light import final
from runwell.base.light_ctypes import addressof
from runwell.host.foreign import Foreign
from runwell.host.function import BLOCK, REF, new_host_function, template
from runwell.host.layout import NativeFunc
from runwell.host.signature import COMMON, LETTERS, Signature
from runwell.kernel.types import ctype_of
from runwell.runtime.code import address_of
from runwell.runtime.func import Func
from runwell.runtime.native import native
from runwell.runtime.store import Store
from runwell.runtime.types import TypeNumber

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Numbers of ``native_kernels``, which a test compares: importing kernels would load their compiler.
FLOAT_REGISTERS, FEW, MANY = 8, 8, 1000
# How a value of C becomes one of the guest, and the other way round: as it is, the low 32 bits, or
# a narrower integer.
CONVERSIONS = {"l": 0, "d": 0, "": 0, "i": 1, "f": 1, "b": 2, "B": 3, "h": 4, "H": 5, "?": 6}
_GUEST = {letter: letter for letter in "ilfd"} | dict.fromkeys("bBhH?", "i")


def integer_registers() -> int:
    """Registers in which this machine's C convention passes integers."""
    from os import uname

    return 8 if uname().machine in ("aarch64", "arm64") else 6


@final
class NativeFunction:
    """A C function with the native structs by which a guest calls it.

    Attributes:
        callable: the object that the function is to Python, which keeps it.
        name: how errors call it, e.g. ``env.log``.
        signature: its compiled type.
        ref: address of its ``FuncRef``.
        store: an empty one.
    """

    __slots__ = (
        "_block",
        "_conversions",
        "_number",
        "_places",
        "callable",
        "name",
        "ref",
        "signature",
        "store",
    )

    def __init__(
        self,
        function: object,
        foreign: Foreign,
        signature: Signature,
        name: str,
        number: TypeNumber | None = None,
    ) -> None:
        """Let guests call a C function.

        Args:
            function: the object that it is to Python.
            foreign: what is known of it.
            signature: the type by which guests call it.
            name: how errors call it.
            number: that of the declared type, if it is not just the signature's.

        Raises:
            LinkError: the function is not of the type.
            MemoryError: there is no room.
        """
        type_ = signature.type
        wanted = [LETTERS.get(t, "?") for t in type_.params]
        results = "".join([LETTERS.get(t, "?") for t in type_.results])
        mine = [_GUEST[letter] for letter in foreign.params]
        if mine != wanted or (_GUEST[foreign.result] if foreign.result else "") != results:
            raise LinkError(f"incompatible import type for {name}: wanted {type_}, found {foreign}")
        self.callable, self.name, self.signature = function, name, signature
        self.store = Store()
        places, stack = _places(foreign.params)
        self._places = array("H", places)
        self._conversions = bytes(CONVERSIONS[c] for c in (foreign.result, *foreign.params))
        key = f"{foreign.params}_{foreign.result}"
        if key in COMMON:
            entry = native.address(f"native_{key}")
        else:
            entry = native.address("native_few" if stack <= FEW else "native_many")
        made = template(signature, entry)
        made.python.host.discard = 0
        # The function is no Python callable: nobody will call it as one.
        self._block = new_host_function(addressof(made), function, self)
        address: int = self._block.address
        host: Any = ctype_of(NativeFunc).from_address(address)
        host.target = foreign.address
        room = FEW if stack <= FEW else MANY
        host.call = native.address(f"c_call_{room}_{'d' if foreign.result in ('f', 'd') else 'l'}")
        host.places = self._places.buffer_info()[0]
        host.conversions = address_of(self._conversions)
        host.n_params = len(places)
        self.ref: int = address + REF
        self._number = signature.number if number is None else number
        ref = BLOCK.ctype.from_address(address).ref
        ref.type, ref.supers = self._number, self._number.supers

    @property
    def func(self) -> Func:
        """The function, as runtimes import it."""
        return Func(self.ref, self.signature.type, self, self._number)


def _places(params: str) -> tuple[list[int], int]:
    """The word that each parameter goes to, and how many are on the stack."""
    integers, floats, stack = 0, 0, 0
    most = integer_registers()
    places = []
    for letter in params:
        if letter in "fd" and floats < FLOAT_REGISTERS:
            places.append(most + floats)
            floats += 1
        elif letter not in "fd" and integers < most:
            places.append(integers)
            integers += 1
        else:
            places.append(most + FLOAT_REGISTERS + stack)
            stack += 1
    return places, stack
