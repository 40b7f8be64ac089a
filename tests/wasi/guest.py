"""A hostile guest: a module that does nothing but hand each raw WASI call on to whoever drives it.

So an attack is written in Python, and still every call comes out of WebAssembly, with the guest's
own memory.
"""

import re
import struct
from functools import cache
from pathlib import Path

import runwell

HEADER = Path(__file__).parent / "conformance" / "wasi.h"
NAMES = re.findall(r"X\((\w+)\)", HEADER.read_text().partition("#define ERRNOS(X)")[2])
SUCCESS = "SUCCESS"

RIGHTS = re.search(r"FD_DATASYNC,.*?SOCK_ACCEPT", HEADER.read_text(), re.DOTALL)[0]
RIGHT = {name: 1 << i for i, name in enumerate(re.findall(r"\w+", RIGHTS))}
ALL = (1 << 30) - 1
READ, WRITE = RIGHT["FD_READ"], RIGHT["FD_WRITE"]
CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8
FOLLOW = 1
ROOT = 3  # the preopened directory

# Where things are in the guest's memory.
RESULT, VECTORS, PATH, PATH2, DATA = 0, 64, 1024, 16384, 65536


@cache
def module(pages):
    """The guest, of some pages of memory."""
    functions = re.findall(r"^F\((\w+), (.*)\)$", HEADER.read_text(), re.MULTILINE)
    imports, exports = [], []
    for name, params in functions:
        types = " ".join("i64" if "64" in p else "i32" for p in params.split(", ") if p != "void")
        given = " ".join(f"(local.get {i})" for i in range(len(types.split())))
        signature = f"(param {types}) (result i32)"
        imports.append(f'(import "wasi_snapshot_preview1" "{name}" (func ${name} {signature}))')
        exports.append(f'(func (export "{name}") {signature} (call ${name} {given}))')
    memory = f'(memory (export "memory") {pages})'
    return runwell.Module("\n".join(["(module", *imports, memory, *exports, ")"]))


class Guest:
    """The guest and its memory.

    Each WASI function is a method that gives the name of its error.  Bytes that are arguments
    stand for an address and a length: they are put into memory first.
    """

    def __init__(self, pages=4, **options):
        self.instance = runwell.Instance(module(pages), wasi=runwell.WasiConfig(**options))
        self.memory = memoryview(self.instance.exports.memory).cast("B")

    def __getattr__(self, name):
        function = self.instance.exports[name]

        def call(*args):
            flat, room = [], [PATH, PATH2]
            for arg in args:
                if isinstance(arg, str | bytes):
                    data = arg.encode() if isinstance(arg, str) else arg
                    at = room.pop(0)
                    self.memory[at : at + len(data)] = data
                    flat += [at, len(data)]
                else:
                    flat.append(arg)
            return NAMES[function(*flat)]

        return call

    def u32(self, at=RESULT):
        return struct.unpack_from("<I", self.memory, at)[0]

    def vectors(self, *pairs):
        """Describe pieces of memory; where that is written."""
        for i, (at, size) in enumerate(pairs):
            struct.pack_into("<II", self.memory, VECTORS + 8 * i, at, size)
        return VECTORS

    def open(self, path, oflags=0, rights=READ, *, follow=FOLLOW, fd=ROOT, fdflags=0, below=ALL):
        """The error, and the descriptor."""
        error = self.path_open(fd, follow, path, oflags, rights, below, fdflags, RESULT)
        return error, self.u32() if error == SUCCESS else None

    def read(self, fd, size=4096):
        error = self.fd_read(fd, self.vectors((DATA, size)), 1, RESULT)
        return bytes(self.memory[DATA : DATA + self.u32()]) if error == SUCCESS else error

    def write(self, fd, data):
        self.memory[DATA : DATA + len(data)] = data
        return self.fd_write(fd, self.vectors((DATA, len(data))), 1, RESULT)

    def make(self, path, data=b""):
        """Make a file."""
        self.make_in(ROOT, path, data)

    def make_in(self, folder, path, data=b""):
        """Make a file below a directory that is open."""
        error, fd = self.open(path, CREATE | TRUNCATE, ALL, fd=folder)
        assert error == SUCCESS
        self.write(fd, data)
        self.fd_close(fd)

    def stat(self, path, follow=0, fd=ROOT):
        """The error, or inode and size."""
        error = self.path_filestat_get(fd, follow, path, DATA)
        if error != SUCCESS:
            return error
        return struct.unpack_from("<8xQ16xQ", self.memory, DATA)

    def names(self, fd):
        """The entries of a directory."""
        found, cookie = [], 0
        while True:
            assert self.fd_readdir(fd, DATA, 65536, cookie, RESULT) == SUCCESS
            used, at = self.u32(), DATA
            while at + 24 <= DATA + used:
                cookie, _, length, _ = struct.unpack_from("<QQIB", self.memory, at)
                found.append(bytes(self.memory[at + 24 : at + 24 + length]))
                at += 24 + length
            if used < 65536:
                return found
