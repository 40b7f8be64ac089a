"""A small guest made by hand: functions in register code, one memory, tables, globals.

It stands in for the runtime and the translator, which are above what is tested here.
"""

import ctypes
import weakref

from runwell.kernel.types import as_struct, ctype_of
from runwell.runtime import layout
from runwell.runtime.native import native

STACK_BYTES, SLACK = 1 << 20, 1 << 16
MASK = (1 << 64) - 1


class Guest:
    """One instance and the context to run it in."""

    def __init__(self, *, n_globals=8, max_frames=1000):
        self.keep = []
        self.functions = []
        self.table_of_handlers = (ctypes.c_uint64 * 100_000).from_address(
            self.address("handler_table")
        )
        self.context = self.hold(ctype_of(layout.Context)())
        self.stack = self.hold(ctypes.create_string_buffer(STACK_BYTES))
        self.refs = self.hold(ctypes.create_string_buffer(STACK_BYTES))
        c = self.context
        c.stack = c.top = ctypes.addressof(self.stack)
        c.stack_end = c.stack_limit = c.stack + STACK_BYTES - SLACK
        c.refs = c.ref_top = ctypes.addressof(self.refs)
        c.refs_end = c.refs + STACK_BYTES
        c.frames_left = c.max_frames = max_frames
        c.budget = 4096
        self.codes = self.hold((ctype_of(layout.FuncCode) * 64)())
        self.func_refs = self.hold((ctype_of(layout.FuncRef) * 64)())
        self.funcs = self.hold((ctypes.c_uint64 * 64)())
        self.cells_at = as_struct(layout.Instance).size
        self.block = self.hold(ctypes.create_string_buffer(self.cells_at + 16 * n_globals))
        self.instance = ctype_of(layout.Instance).from_buffer(self.block)
        self.module = self.hold(ctype_of(layout.ModuleCode)())
        self.instance.module = ctypes.addressof(self.module)
        self.instance.codes = ctypes.addressof(self.codes)
        self.instance.funcs = ctypes.addressof(self.funcs)
        assert native.add_context(ctypes.addressof(c))
        # Others look at known contexts.
        weakref.finalize(self, native.remove_context, ctypes.addressof(c))

    def hold(self, thing):
        self.keep.append(thing)
        return thing

    def address(self, symbol):
        return native.address(symbol)

    @property
    def at(self):
        return ctypes.addressof(self.instance)

    def function(self, code, params=0, ref_params=0, kind=0, supers=(0,)):
        """Add a function; its index."""
        index = len(self.functions)
        buffer = self.hold(code.place(self.table_of_handlers)) if code else None
        self.functions.append(buffer)
        f = self.codes[index]
        f.entry = ctypes.addressof(buffer) if code else self.address("stub_translate")
        f.start = ctypes.addressof(buffer) if code else 0
        f.index, f.param_bytes, f.ref_param_bytes = index, 8 * params, 8 * ref_params
        self._refer(index, ctypes.addressof(f), self.at, kind, supers)
        return index

    def _refer(self, index, code, instance, kind, supers=(0,)):
        ref = self.func_refs[index]
        ref.code, ref.instance, ref.type = code, instance, kind
        ref.supers = ctypes.addressof(self.hold((ctypes.c_uint32 * len(supers))(*supers)))
        self.funcs[index] = ctypes.addressof(ref)

    def host(self, function, params=0, results=0, kind=0):
        """Add a host function ``f(ctx, host, frame, refs) -> trap code``; its index."""
        entry = self.hold(ctypes.CFUNCTYPE(ctypes.c_uint32, *[ctypes.c_uint64] * 4)(function))
        host = self.hold(ctype_of(layout.HostFunc)())
        host.entry = ctypes.cast(entry, ctypes.c_void_p).value
        host.frame_bytes = 8 * max(params, results) + 16
        code = self.hold(ctype_of(layout.FuncCode)())
        code.entry, code.host = self.address("stub_call_host"), ctypes.addressof(host)
        code.param_bytes = 8 * params
        index = len(self.functions)
        self.functions.append(None)
        self._refer(index, ctypes.addressof(code), 0, kind)
        return index

    def memory(self, size=65536):
        """Give the instance a guarded memory; its address."""
        template = ctype_of(layout.Memory)()
        template.bytes, template.reserved, template.capacity = size, (8 << 30) + 65536, 4 << 30
        template.pages, template.max_pages, template.page_shift = size >> 16, 65536, 16
        template.guarded = 1
        at = native.memory_new(ctypes.addressof(template))
        memories = self.hold((ctypes.c_uint64 * 1)(at))
        self.instance.memories = ctypes.addressof(memories)
        self.instance.memory_base = ctype_of(layout.Memory).from_address(at).base
        return self.instance.memory_base

    def table(self, elements):
        """Give the instance a table of these references."""
        array = self.hold((ctypes.c_uint64 * len(elements))(*elements))
        t = self.hold(ctype_of(layout.Table)())
        t.elements, t.size = ctypes.addressof(array), len(elements)
        tables = self.hold((ctypes.c_uint64 * 1)(ctypes.addressof(t)))
        self.instance.tables = ctypes.addressof(tables)

    def run(self, index, *args, results=1):
        """Trap code and results."""
        c = self.context
        frame = (ctypes.c_uint64 * max(len(args), results, 1)).from_address(c.top)
        for i, a in enumerate(args):
            frame[i] = a & MASK
        trap = native.enter_guest(ctypes.addressof(c), self.funcs[index], c.top)
        return trap, list(frame)[:results]
