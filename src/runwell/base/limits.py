"""Implementation limits, those which the JavaScript embedding publishes.

Source: WebAssembly JavaScript Interface, "Limits".
"""

MODULE_BYTES = 1 << 30
TYPES = 1_000_000
FUNCTIONS = 1_000_000
IMPORTS = 1_000_000
EXPORTS = 1_000_000
GLOBALS = 1_000_000
DATA_SEGMENTS = 100_000
ELEMENT_SEGMENTS = 10_000_000
TABLES = 100_000
TABLE_ELEMENTS = 10_000_000
MEMORIES = 100
MEMORY_PAGES = 65_536
MEMORY64_PAGES = 262_144
TAGS = 1_000_000
FUNCTION_BYTES = 7_654_321
LOCALS = 50_000
PARAMS = 1_000
RESULTS = 1_000
BR_TABLE_TARGETS = 65_520
SUBTYPE_DEPTH = 63
# Not published, but every engine has them: nesting of blocks and height of the operand stack.
CONTROL_DEPTH = 50_000
OPERAND_HEIGHT = 100_000
# Handlers of a function, and clauses of those.
HANDLERS = 50_000
# Functions that may wait for somebody to look whether to compile them, and heat that never gets
# them there.
HOT_FUNCTIONS = 256
COLD = 0x7FFF_FFFF
# Heat of a function that waits: if what it is given then is lost, because the guest counts at the
# same time, it waits again before long.
RESTING = 1 << 17
# Frames of a call stack, unless the configuration says otherwise.
FRAMES = 100_000

# Bytes of a garbage-collected heap, unless the configuration says less.
HEAP_BYTES = 1 << 32

PAGE_BYTES = 65_536

# Fuel: instructions that move bytes or elements cost one more for each so many of them.
FUEL_BYTES_SHIFT = 6  # 64 bytes
FUEL_ELEMENTS_SHIFT = 3  # 8 elements of a table or array
