"""Walking the guest's frames: those of the interpreter by their links, native ones by their chain.

The link of a function that compiled code has called names the stub ``leave_native`` and a native
frame, which leads to that of the caller.  A function that the interpreter has entered returns to
``native_returned``, and its caller's frame has the ``NativeSegment`` that says where the
interpreter goes on.
"""

from runwell.kernel import Ptr, extern_data, kernel, local_array, null, struct, u8, u64
from runwell.runtime.code_kernels import find_code
from runwell.runtime.layout import (
    Context,
    FrameRecord,
    FuncCode,
    Instance,
    ModuleCode,
    NativeFrame,
    NativeSegment,
    SwitchRecord,
)

stub_leave_instance = extern_data("stub_leave_instance", u64)
stub_leave_native = extern_data("stub_leave_native", u64)
native_returned = extern_data("native_returned", u64)

# Where the segment is in the frame of ``call_native``, in units of 8 bytes.
SEGMENT_AT = 2
# Beside the number of frames: there are native ones.
HAS_NATIVE = 1 << 63


@struct
class Walk:
    """A place on the way from the innermost frame to the outermost."""

    ip: Ptr[u8]  # null behind the last frame
    fp: Ptr[u8]
    instance: Ptr[Instance]
    code: Ptr[FuncCode]  # null of a native frame


@kernel
def settle(walk: Ptr[Walk]) -> None:
    """Find the frame that a return address belongs to, which may be a stub's."""
    walk.code = null
    while walk.ip != null:
        # What could not begin is reported just before the address to which it would have returned.
        stub = u64(walk.ip)
        if stub == u64(stub_leave_instance) or stub + 1 == u64(stub_leave_instance):
            switch = Ptr[SwitchRecord](walk.fp)
            walk.ip = switch.ip - (u64(stub_leave_instance) - stub)
            walk.fp = switch.fp
            walk.instance = switch.instance
        elif stub == u64(stub_leave_native) or stub + 1 == u64(stub_leave_native):
            frame = Ptr[NativeFrame](walk.fp)
            if frame.pc != u64(native_returned):
                walk.ip = Ptr[u8](stub_leave_native)
                return
            segment = Ptr[NativeSegment](Ptr[u64](frame.caller)[SEGMENT_AT])
            walk.ip = segment.ip - 1
            walk.fp = segment.fp
            walk.instance = segment.instance
        else:
            if walk.instance != null:
                walk.code = find_code(Ptr[ModuleCode](walk.instance.module), walk.ip)
            if walk.code == null:
                walk.ip = null
            return


@kernel(export=True)
def walk_frames(context: Ptr[Context], records: Ptr[FrameRecord], first: u64, last: u64) -> u64:
    """Record the frames that the context was left with, innermost first.

    The first ``first`` are in order, behind them the others in a ring of ``last``.  The result is
    how many there are, and ``HAS_NATIVE`` if there are native ones among them.
    """
    walk = local_array(Walk, 1)
    walk.ip = context.ip
    walk.fp = context.fp
    walk.instance = context.instance
    total = u64(0)
    flags = u64(0)
    settle(walk)
    while walk.ip != null:
        at = total
        if total >= first:
            at = first + (total - first) % last
        total = total + 1
        record = records + at
        code = walk.code
        if code == null:
            frame = Ptr[NativeFrame](walk.fp)
            record.ip = frame.pc - 1
            record.function = 0
            record.module = 0
            walk.fp = frame.caller
            flags = u64(HAS_NATIVE)
        else:
            record.ip = u64(walk.ip)
            record.function = u64(code.index)
            record.module = Ptr[ModuleCode](walk.instance.module).object
            link = Ptr[u64](walk.fp + code.param_bytes)
            walk.ip = Ptr[u8](link[0])
            walk.fp = Ptr[u8](link[1])
        settle(walk)
    return total | flags
