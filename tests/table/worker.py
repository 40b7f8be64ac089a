"""Runs compiled bodies in a process of its own: ``worker.py LIBRARY``.

Reads pickled requests ``(symbol, cases, memory)`` and answers each with a list of outcomes; a
symbol is ``i32 f(ptr inputs, ptr result, ptr memory, i64 size)`` over cells of 16 bytes.
Whoever watches learns from our end that a body crashed.
"""

import ctypes
import pickle
import sys

CELL = 16


def run(function, cases, memory):
    function.restype = ctypes.c_uint32
    function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_uint64]
    inputs = (ctypes.c_uint8 * (CELL * 8))()
    result = (ctypes.c_uint8 * CELL)()
    room = (ctypes.c_uint8 * len(memory)).from_buffer_copy(memory)
    outcomes = []
    for case in cases:
        packed = b"".join(value.to_bytes(CELL, "little") for value in case)
        ctypes.memmove(inputs, packed, len(packed))
        ctypes.memset(result, 0, CELL)
        ctypes.memmove(room, memory, len(memory))
        trap = function(inputs, result, room, len(memory))
        outcomes.append((trap, int.from_bytes(bytes(result), "little"), bytes(room)))
    return outcomes


def main(library):
    functions = ctypes.CDLL(library)
    while True:
        try:
            symbol, cases, memory = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(run(functions[symbol], cases, memory), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
