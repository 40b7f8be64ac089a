"""Walking the guest's frames."""

from runwell.kernel import (
    Ptr,
    extern_data,
    kernel,
    local_array,
    null,
    sizeof,
    struct,
    u8,
    u64,
)
from runwell.runtime.c_library import memset
from runwell.runtime.code_kernels import find_code
from runwell.runtime.layout import Context, FrameRecord, FuncCode, ModuleCode, SwitchRecord

# Functions looked at in all, which bounds the time: finding the function of an address is linear.
EFFORT = 1 << 24
KNOWN = 1024  # a power of two
# Set in the result if the effort did not suffice for all frames.
UNFINISHED = 1 << 63

stub_exit = extern_data("stub_exit", u64)
stub_leave_instance = extern_data("stub_leave_instance", u64)


@struct
class KnownCode:
    """Which function an address is in; recursions return to few addresses."""

    ip: Ptr[u8]
    code: Ptr[FuncCode]


@kernel(export=True)
def walk_frames(context: Ptr[Context], records: Ptr[FrameRecord], first: u64, last: u64) -> u64:
    """Record the frames that the context was left with, innermost first.

    The first ``first`` are in order, behind them the others in a ring of ``last``.  The result is
    how many there are.
    """
    known = local_array(KnownCode, KNOWN)
    memset(Ptr[u8](known), 0, u64(KNOWN * sizeof(KnownCode)))
    effort = u64(0)
    ip = context.ip
    fp = context.fp
    instance = context.instance
    total = u64(0)
    while instance != null and ip != null:
        module = Ptr[ModuleCode](instance.module)
        entry = known + ((u64(ip) >> 2) % KNOWN)
        if entry.ip != ip:
            if effort > EFFORT:
                return total | u64(UNFINISHED)
            effort = effort + u64(module.n_functions)
            entry.ip = ip
            entry.code = find_code(module, ip)
        code = entry.code
        if code == null:
            break
        at = total
        if total >= first:
            at = first + (total - first) % last
        record = records + at
        record.ip = u64(ip)
        record.function = u64(code.index)
        record.module = module.object
        total = total + 1
        link = Ptr[u64](fp + code.param_bytes)
        ip = Ptr[u8](link[0])
        fp = Ptr[u8](link[1])
        if ip == Ptr[u8](stub_leave_instance):
            switch = Ptr[SwitchRecord](fp)
            ip = switch.ip
            fp = switch.fp
            instance = switch.instance
        if ip == Ptr[u8](stub_exit):
            break
    return total
