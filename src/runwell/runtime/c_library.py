"""What kernels call of the C library."""

# mypy: disable-error-code="empty-body"
# ruff: noqa: D103 - the names and meanings are POSIX's

from typing import Literal

from runwell.kernel import Array, Fn, Ptr, extern, i32, i64, struct, u8, u32, u64

PROT_NONE, PROT_RW = 0, 3
# Private, anonymous, not counted against swap space; Linux.
MAP_RESERVE = 0x4022


@struct
class SignalStack:
    """stack_t."""

    at: Ptr[u8]
    flags: i32
    size: u64


@extern
def mmap(at: Ptr[u8], size: u64, rights: i32, flags: i32, file: i32, offset: i64) -> Ptr[u8]: ...


@extern
def munmap(at: Ptr[u8], size: u64) -> i32: ...


@extern
def mprotect(at: Ptr[u8], size: u64, rights: i32) -> i32: ...


@extern
def sigaltstack(new: Ptr[SignalStack], old: Ptr[SignalStack]) -> i32: ...


@extern
def madvise(at: Ptr[u8], size: u64, advice: i32) -> i32: ...


@extern
def memmove(to: Ptr[u8], source: Ptr[u8], size: u64) -> Ptr[u8]: ...


@extern
def memset(to: Ptr[u8], byte: i32, size: u64) -> Ptr[u8]: ...


@extern
def malloc(size: u64) -> Ptr[u8]: ...


@extern
def calloc(count: u64, size: u64) -> Ptr[u8]: ...


@extern
def free(at: Ptr[u8]) -> None: ...


@extern
def clock_gettime(clock: i32, time: Ptr[i64]) -> i32: ...


@extern
def nanosleep(time: Ptr[i64], left: Ptr[i64]) -> i32: ...


# Of variadic functions the parameters that are used, which come in the same registers.
@extern
def syscall(number: i64, a: Ptr[u32], b: i64, c: u64, d: Ptr[i64], e: Ptr[u8], f: i64) -> i64: ...


@extern
def sched_yield() -> i32: ...


@extern
def getpid() -> i64: ...


@extern
def pthread_self() -> u64: ...


@extern
def pthread_kill(thread: u64, signal: i32) -> i32: ...


@extern
def pthread_key_create(key: Ptr[u32], drop: Fn[[Ptr[u8]], None]) -> i32: ...


@extern
def pthread_getspecific(key: u32) -> Ptr[u8]: ...


@extern
def pthread_setspecific(key: u32, value: Ptr[u8]) -> i32: ...


@struct
class Action:
    """struct sigaction."""

    handler: u64
    mask: Array[u64, Literal[16]]
    flags: u32
    restorer: u64


@struct
class PlainHandler:
    """An action read as a handler of one argument."""

    call: Fn[[i32], None]


@extern
def sigaction(signal: i32, new: Ptr[Action], old: Ptr[Action]) -> i32: ...
