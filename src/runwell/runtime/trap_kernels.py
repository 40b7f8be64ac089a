"""Walking the guest's frames."""

from runwell.kernel import Ptr, extern_data, kernel, null, u8, u64
from runwell.runtime.code_kernels import find_code
from runwell.runtime.layout import Context, FrameRecord, ModuleCode, SwitchRecord

stub_exit = extern_data("stub_exit", u64)
stub_leave_instance = extern_data("stub_leave_instance", u64)


@kernel(export=True)
def walk_frames(context: Ptr[Context], records: Ptr[FrameRecord], first: u64, last: u64) -> u64:
    """Record the frames that the context was left with, innermost first.

    The first ``first`` are in order, behind them the others in a ring of ``last``.  The result is
    how many there are.
    """
    ip = context.ip
    fp = context.fp
    instance = context.instance
    total = u64(0)
    while instance != null and ip != null:
        module = Ptr[ModuleCode](instance.module)
        code = find_code(module, ip)
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
