"""LLVM's library without the Python around it: for processes that do nothing but compile.

To import ``llvmlite.binding``, even in part, takes longer than to load LLVM: it declares hundreds
of functions, of which compiling takes two dozen, and imports half of Python's library.  Here is
what compiling takes, under the names of ``llvmlite.binding``, in whose place this is put.  The
functions are not the same in every version of llvmlite; ``lean`` is for those not known here.
"""

import os
import sys

from runwell.base.light import Any, final
from runwell.base.light_ctypes import (
    CFUNCTYPE,
    addressof,
    c_bool,
    c_char_p,
    c_int,
    c_size_t,
    c_void_p,
    py_object,
    python_function,
    symbol,
)

# Major and minor number of the versions whose functions are as they are called here.
VERSIONS = ("0.46", "0.47", "0.48", "0.49", "0.50")
_NOW = 2  # a flag of the dynamic linker
_P, _S, _I = c_void_p, c_char_p, c_int
# Result and arguments.
_TYPES: dict[str, tuple[Any, ...]] = {
    "InitializeNativeTarget": (None,),
    "InitializeNativeAsmPrinter": (None,),
    "InitializeNativeAsmParser": (None,),
    "SetCommandLine": (None, _S, _S),
    "DisposeString": (None, _P),
    "GetDefaultTargetTriple": (None, _P),
    "GetHostCPUName": (None, _P),
    "GetHostCPUFeatures": (_I, _P),
    "GetTargetFromTriple": (_P, _S, _P),
    "CreateTargetMachine": (_P, _P, _S, _S, _S, _I, _S, _S, _I, _I, _S),
    "DisposeTargetMachine": (None, _P),
    "CreateTargetMachineData": (_P, _P),
    "CopyStringRepOfTargetData": (None, _P, _P),
    "DisposeTargetData": (None, _P),
    "TargetMachineEmitToMemory": (_P, _P, _P, _I, _P),
    "GetBufferStart": (_P, _P),
    "GetBufferSize": (c_size_t, _P),
    "DisposeMemoryBuffer": (None, _P),
    "GetGlobalContext": (_P,),
    "ParseAssembly": (_P, _P, _S, _P),
    "DisposeModule": (None, _P),
    "VerifyModule": (c_bool, _P, _P),
    "CreatePipelineTuningOptions": (_P,),
    "DisposePipelineTuningOptions": (None, _P),
    "PTOSetLoopVectorization": (None, _P, c_bool),
    "PTOSetSLPVectorization": (None, _P, c_bool),
    "CreatePassBuilder": (_P, _P, _P),
    "DisposePassBuilder": (None, _P),
    # The last, the level of optimisation for size, is only in old versions; others ignore it.
    "buildPerModuleDefaultPipeline": (_P, _P, _I, _I),
    "CreateNewModulePassManager": (_P,),
    "module_AddAlwaysInlinerPass": (None, _P),
    "module_AddGlobalDCEPass": (None, _P),
    "module_AddSROAPass": (None, _P),
    "RunNewModulePassManager": (None, _P, _P, _P),
    "DisposeNewModulePassManger": (None, _P),
}


def find_library() -> str:
    """Path of the library if its version is known here, else ""."""
    place = next((f"{p}/llvmlite" for p in sys.path if os.path.isdir(f"{p}/llvmlite/binding")), "")
    try:
        with open(f"{place}/_version.py", encoding="utf-8") as file:
            version = file.read().partition("version_version = '")[2].partition("'")[0]
    except OSError:
        return ""
    known = version.rpartition(".")[0] in VERSIONS
    return f"{place}/binding/libllvmlite.so" if known else ""


def import_direct() -> bool:
    """Put this in the place of ``llvmlite.binding``, unless that is imported already.

    Returns:
        Is it in its place?
    """
    path = find_library()
    if not path or any(name.partition(".")[0] == "llvmlite" for name in sys.modules):
        return False
    try:
        _library.load(path)
    except OSError:
        return False
    package: Any = type(sys)("llvmlite")
    package.__path__ = []
    package.binding = sys.modules[__name__]
    sys.modules["llvmlite"], sys.modules["llvmlite.binding"] = package, package.binding
    return True


@final
class _Library:
    """The functions, by their names without ``LLVMPY_``, each made when it is called first."""

    def load(self, path: str) -> None:
        """Load it; meanwhile other threads run.

        Args:
            path: of the file.

        Raises:
            OSError: it cannot be loaded, or is something else.
        """
        # ``_ctypes`` has its own, but holds the interpreter lock.
        handle = CFUNCTYPE(_P, _S, _I)(symbol("dlopen"))(os.fsencode(path), _NOW)
        if not handle:
            raise OSError(f"{path} cannot be loaded")
        self._handle: int = handle
        for name in _TYPES:
            self._address(name)

    def _address(self, name: str) -> int:
        from _ctypes import dlsym

        return int(dlsym(self._handle, f"LLVMPY_{name}"))

    def __getattr__(self, name: str) -> Any:
        if name not in _TYPES:
            raise AttributeError(name)
        result, *arguments = _TYPES[name]
        function = CFUNCTYPE(result, *arguments)(self._address(name))
        setattr(self, name, function)
        return function


_library = _Library()


def _told(function: Any, *arguments: Any) -> tuple[Any, str]:
    """The result of a function that makes a string for its last argument, and the string."""
    place = c_void_p()
    result = function(*arguments, addressof(place))
    if not place.value:
        return result, ""
    text = c_char_p(place.value).value or b""
    _library.DisposeString(place)
    return result, text.decode()


class _Object:
    """Something of LLVM's that ends with this."""

    def __init__(self, pointer: int, dispose: str, *others: object) -> None:
        self._as_parameter_ = pointer
        self._dispose = getattr(_library, dispose)
        self._others = others  # it refers to them

    def __del__(self) -> None:
        self._dispose(self._as_parameter_)


def initialize_native_target() -> None:
    """Have LLVM know this machine."""
    _library.InitializeNativeTarget()


def initialize_native_asmprinter() -> None:
    """Have LLVM write code for this machine."""
    _library.InitializeNativeAsmPrinter()


def initialize_native_asmparser() -> None:
    """Have LLVM read assembly text of this machine."""
    _library.InitializeNativeAsmParser()


def set_option(name: str, option: str) -> None:
    """Set an option, as on the command line of a program of that name."""
    _library.SetCommandLine(name.encode(), option.encode())


def get_host_cpu_name() -> str:
    """The processor's model."""
    return _told(_library.GetHostCPUName)[1]


@final
class _Features:
    def flatten(self) -> str:
        """The features in the order of their names, each behind ``+`` or ``-``."""
        found = _told(_library.GetHostCPUFeatures)[1]
        return ",".join(sorted([x for x in found.split(",") if x], key=lambda feature: feature[1:]))


def get_host_cpu_features() -> _Features:
    """What the processor can do."""
    return _Features()


@final
class Target:
    """A kind of machine."""

    def __init__(self, pointer: int, triple: str) -> None:
        self._as_parameter_, self._triple = pointer, triple

    @classmethod
    def from_default_triple(cls) -> "Target":
        """This machine's.

        Raises:
            RuntimeError: LLVM does not know it.
        """
        triple = _told(_library.GetDefaultTargetTriple)[1]
        target, problem = _told(_library.GetTargetFromTriple, triple.encode())
        if not target:
            raise RuntimeError(problem)
        return cls(target, triple)

    def create_target_machine(
        self, cpu: str, features: str, opt: int, reloc: str, codemodel: str
    ) -> "_Machine":
        """What writes code.

        Raises:
            RuntimeError: it cannot be made.
        """
        what = [text.encode() for text in (self._triple, cpu, features, reloc, codemodel)]
        machine = _library.CreateTargetMachine(self, *what[:3], opt, *what[3:], 0, 0, b"")
        if not machine:
            raise RuntimeError("Cannot create target machine")
        return _Machine(machine, self._triple)


@final
class _Machine(_Object):
    def __init__(self, pointer: int, triple: str) -> None:
        super().__init__(pointer, "DisposeTargetMachine")
        self.triple = triple

    @property
    def target_data(self) -> str:
        """Its data layout."""
        made = _library.CreateTargetMachineData(self)
        data = _Object(made, "DisposeTargetData")
        return _told(_library.CopyStringRepOfTargetData, data)[1]

    def emit_object(self, module: "_Module") -> bytes:
        """The module's code.

        Raises:
            RuntimeError: LLVM says why not.
        """
        made, problem = _told(_library.TargetMachineEmitToMemory, self, module, 1)
        if not made:
            raise RuntimeError(problem)
        memory = _Object(made, "DisposeMemoryBuffer")
        copy = python_function("PyBytes_FromStringAndSize", py_object, c_void_p, c_size_t)
        return bytes(copy(_library.GetBufferStart(memory), _library.GetBufferSize(memory)))


@final
class _Module(_Object):
    def verify(self) -> None:
        """Check it.

        Raises:
            RuntimeError: what is wrong.
        """
        is_bad, problem = _told(_library.VerifyModule, self)
        if is_bad:
            raise RuntimeError(problem)


def parse_assembly(text: str) -> _Module:
    """Read a module.

    Raises:
        RuntimeError: what is wrong with the text.
    """
    context = _library.GetGlobalContext()
    module, problem = _told(_library.ParseAssembly, context, text.encode())
    if problem or not module:
        raise RuntimeError(f"LLVM IR parsing error\n{problem}")
    return _Module(module, "DisposeModule")


@final
class _Options(_Object):
    def __init__(self, speed_level: int) -> None:
        super().__init__(_library.CreatePipelineTuningOptions(), "DisposePipelineTuningOptions")
        self.speed_level = speed_level

    def _set_loops(self, value: bool) -> None:
        _library.PTOSetLoopVectorization(self, value)

    def _set_superwords(self, value: bool) -> None:
        _library.PTOSetSLPVectorization(self, value)

    loop_vectorization = property(None, _set_loops, doc="Are loops vectorised?")
    slp_vectorization = property(None, _set_superwords, doc="Is straight code vectorised?")


def create_pipeline_tuning_options(speed_level: int) -> _Options:
    """How a module is optimised."""
    return _Options(speed_level)


@final
class _Builder(_Object):
    def __init__(self, machine: _Machine, options: _Options) -> None:
        pointer = _library.CreatePassBuilder(machine, options)
        super().__init__(pointer, "DisposePassBuilder", machine, options)
        self._level = options.speed_level

    def getModulePassManager(self) -> "_Passes":  # noqa: N802
        """The usual passes."""
        made = _library.buildPerModuleDefaultPipeline(self, self._level, 0)
        return _Passes(made, "DisposeNewModulePassManger", self)


@final
class _Passes(_Object):
    def add_always_inliner_pass(self) -> None:
        """Inline what is to be inlined always."""
        _library.module_AddAlwaysInlinerPass(self)

    def add_global_dead_code_eliminate_pass(self) -> None:
        """Remove what nobody uses."""
        _library.module_AddGlobalDCEPass(self)

    def add_sroa_pass(self) -> None:
        """Put variables into registers."""
        _library.module_AddSROAPass(self)

    def run(self, module: _Module, builder: _Builder) -> None:
        """Optimise a module."""
        _library.RunNewModulePassManager(self, module, builder)


def create_new_module_pass_manager() -> _Passes:
    """No passes yet."""
    return _Passes(_library.CreateNewModulePassManager(), "DisposeNewModulePassManger")


def create_pass_builder(machine: _Machine, options: _Options) -> _Builder:
    """What makes passes."""
    return _Builder(machine, options)
