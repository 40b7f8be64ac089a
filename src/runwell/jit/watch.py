"""Waiting for what is hot: one thread of the process, which does nothing until a guest runs long.

Only then is the rest of this package imported.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread
from _weakref import ref

from runwell.base.light import final
from runwell.base.log import flush
from runwell.runtime.heat import HotQueue
from runwell.runtime.native import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.jit.tier import Manager
    from runwell.runtime.code import ModuleCode
    from runwell.runtime.heat import Hot


@final
class Watch:
    """The thread, and the modules that it looks after.

    Attributes:
        is_busy: held by the thread while it does anything.  A fork waits for it: what is being
            imported just then could never be imported in the child.
    """

    __slots__ = ("_lock", "_manager", "_modules", "_queue", "is_busy")

    def __init__(self) -> None:
        self._lock, self.is_busy = allocate_lock(), allocate_lock()
        self._modules: dict[int, ref[ModuleCode]] = {}
        self._queue: HotQueue | None = None
        self._manager: Manager | None = None

    def add(self, module: ModuleCode) -> None:
        """Look after a module from now on.

        Raises:
            OSError: the process has no file descriptors left.
            RuntimeError: it has no threads left.
        """
        # Found now: it may be called when it is too late for that.
        address, forget_hot = module.address, native.forget_hot

        def forget(gone: ref[ModuleCode]) -> None:
            # Before the native struct is freed, so that nothing of it is looked at any more.
            forget_hot(address)
            if self._modules.get(address) is gone:
                del self._modules[address]

        self._modules[address] = ref(module, forget)
        if self._queue is None:
            self._begin()

    def _begin(self) -> None:
        """Start the thread, if nobody else does."""
        with self._lock:
            if self._queue is None:
                self._queue = HotQueue()
                start_new_thread(self._run, (self._queue,))

    def module_at(self, address: int) -> ModuleCode | None:
        """The module whose native struct is at an address, if it lives."""
        found = self._modules.get(address)
        return None if found is None else found()

    def wake(self) -> None:
        """Have the thread look what there is to do."""
        if self._queue is not None:
            self._queue.wake()

    def _run(self, queue: HotQueue) -> None:
        while True:
            hots = queue.wait(None if self._manager is None else self._manager.due_s)
            if self._queue is not queue:
                queue.close()
                return
            with self.is_busy:
                if self._manager is None:
                    self._warm(hots)
                    from runwell.jit.tier import Manager

                    self._manager = Manager(self)
                self._manager.work(hots)
            flush()  # outside: who forks holds the locks of ``logging`` and waits for this one

    def _warm(self, hots: list[Hot]) -> None:
        """Have a compiler started for what is hot, which takes longer than the rest."""
        from runwell.jit.compiler import shared_compiler

        for hot in hots:
            module = self.module_at(hot.module)
            if module is not None:
                shared_compiler(*module.compiler).warm()
                return

    def close(self) -> None:
        """End the compilers, and look after nothing until a module is added."""
        queue, self._queue = self._queue, None
        self._manager = None
        if queue is not None:
            queue.stop()
            queue.wake()
            from runwell.jit.compiler import close_shared

            close_shared()

    def in_child(self) -> None:
        """Start anew after a fork."""
        self.is_busy.release()
        self._lock = allocate_lock()
        queue, self._queue, self._manager = self._queue, None, None
        if queue is None:
            return
        # Its files are the parent's as well.
        queue.stop()
        queue.close()
        modules = [module for known in self._modules.values() if (module := known()) is not None]
        for module in modules:
            if module.tier is not None:
                module.tier.abandon()
        if modules:
            self._begin()


watch = Watch()
os.register_at_fork(
    before=watch.is_busy.acquire,
    after_in_parent=watch.is_busy.release,
    after_in_child=watch.in_child,
)
