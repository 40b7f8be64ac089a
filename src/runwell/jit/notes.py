"""What compiled code tells LLVM about memory, branches and calls: metadata and attributes.

Nodes have the same numbers in every module, so that text can be made once and used in many.  The
guest's memory, globals, frames and what the machine keeps for itself never overlap, and saying so
lets LLVM keep a table's address in a register while the guest stores.

An access that may fault shows the host what has been stored so far.  So it is said to overlap all
that can be *seen* then, and no such store is dropped because another one follows behind it.
"""

from runwell.kernel.text import ModuleText

_ROOT = '!{!"runwell"}'
# Frames hold arguments on their way; references lie on their own stack.
_REGIONS = ("seen", "guest", "global", "table", "fuel", "machine", "frame", "reference")
_SEEN = ("guest", "global", "table", "fuel")
# Numbers of nodes: the root, a type for each region, what an access of each is tagged with.
_TAGS = {name: 1 + len(_REGIONS) + i for i, name in enumerate(_REGIONS)}
_REST = 1 + 2 * len(_REGIONS)

SEEN = f", !tbaa !{_TAGS['seen']}"
GUEST = f", !tbaa !{_TAGS['guest']}"
MACHINE = f", !tbaa !{_TAGS['machine']}"
GLOBAL = f", !tbaa !{_TAGS['global']}"
TABLE = f", !tbaa !{_TAGS['table']}"
FRAME = f", !tbaa !{_TAGS['frame']}"
REFERENCE = f", !tbaa !{_TAGS['reference']}"
FUEL = f", !tbaa !{_TAGS['fuel']}"
# Memory that nobody writes to while the function's instance lives.
CONSTANT = f", !invariant.load !{_REST}"
UNLIKELY = f", !prof !{_REST + 1}"
USUALLY_TAKEN = f", !prof !{_REST + 2}"
USUALLY_PASSED = f", !prof !{_REST + 3}"

# Every caller keeps its frame, for backtraces; calls that replace it are marked as such.
_FRAMES = '"frame-pointer"="all" "disable-tail-calls"="true"'
# Frames larger than a page touch each, so that the guard of the stack is met.
_PROBES = '"probe-stack"="inline-asm"'
# Stores are not to become calls of the C library.
_PLAIN = '"no-builtins"'
# Attributes of functions, of calls that never return, of calls that hardly ever happen.
FUNCTION, STOP, RARELY = "#0", "#1", "#2"
_GROUPS = {
    FUNCTION: f"nounwind {_FRAMES} {_PROBES} {_PLAIN}",
    STOP: "nounwind noreturn cold nomerge",
    RARELY: "nounwind cold nomerge",
}


def prepare(module: ModuleText) -> None:
    """Give a new module the nodes and attributes."""
    root = module.metadata(_ROOT)
    regions: list[str] = []
    for name in _REGIONS:
        parent = regions[0] if name in _SEEN else root
        regions.append(module.metadata(f'!{{!"{name}", {parent}, i64 0}}'))
    for node in regions:
        module.metadata(f"!{{{node}, {node}, i64 0}}")
    module.metadata("!{}")
    module.weights(1, 2000)
    module.weights(9, 1)
    last = module.weights(1, 9)
    assert last == USUALLY_PASSED
    for name, attributes in _GROUPS.items():
        module.add_function(f"attributes {name} = {{ {attributes} }}")
