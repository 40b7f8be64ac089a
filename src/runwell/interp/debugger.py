"""The interface through which GDB and LLDB learn of code made at run time.

A debugger sets a breakpoint at ``__jit_debug_register_code`` and reads the descriptor when it is
hit; who adds code links an entry into the list and calls the function (``jit.debugger``).

Source: GDB manual, "JIT Compilation Interface".
"""

from runwell.kernel.text import ModuleText

DESCRIPTOR = "__jit_debug_descriptor"
REGISTER = "__jit_debug_register_code"
EXPORTS = [DESCRIPTOR, REGISTER]

# Version, action, the entry that is meant, the first one.
_DESCRIPTOR = "global { i32, i32, ptr, ptr } { i32 1, i32 0, ptr null, ptr null }"
# Were it empty, calls of it could be left out and other functions be put in its place.
_REGISTER = """define void @%s() noinline optnone {
  call void asm sideeffect "", ""()
  ret void
}"""


def add_debugger_interface(module: ModuleText) -> None:
    """Add the descriptor and the function to a module."""
    module.add_global(f"@{DESCRIPTOR} = {_DESCRIPTOR}")
    module.add_function(_REGISTER % REGISTER)
