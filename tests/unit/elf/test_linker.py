"""Shared objects made here are loaded by the system and called."""

import ctypes
import os
import platform
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from runwell.elf import format as elf
from runwell.elf.format import ElfError
from runwell.elf.linker import link

needs_x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="runs x86-64 code")


@pytest.fixture
def load(tmp_path):
    count = iter(range(1000))

    def load_(data: bytes) -> ctypes.CDLL:
        path = tmp_path / f"linked{next(count)}.so"
        path.write_bytes(data)
        return ctypes.CDLL(str(path))

    return load_


PROGRAM_A = r"""
#include <stdlib.h>
#include <string.h>
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int (*const comparers[])(const void *, const void *) = {compare, compare};
const char *const words[] = {"zero", "one", "two"};
int zeroed[1000];
int seven = 7;
int *pointer_to_seven = &seven;
static int constructed;
extern int other(int);
__attribute__((constructor)) static void construct(void) { constructed = 42; }
int get_constructed(void) { return constructed; }
void sort(int *p, int n) { qsort(p, n, sizeof(int), comparers[1]); }
void copy(char *a, const char *b, long n) { memmove(a, b, n); }
int call(int x) { return other(x) + *pointer_to_seven + zeroed[3]; }
const char *word(int i) { return words[i]; }
void *(*address_of_memmove(void))(void *, const void *, size_t) { return memmove; }
"""
PROGRAM_B = r"""
extern int seven, zeroed[];
int other(int x) { zeroed[3] = 1000; return x * seven; }
"""


def test_objects_of_gcc_run(compile_c, load, check_readelf):
    data = link([compile_c(PROGRAM_A), compile_c(PROGRAM_B)], soname="program.so")
    check_readelf(data)
    library = load(data)
    assert library.get_constructed() == 42
    assert library.call(3) == 3 * 7 + 7 + 1000
    numbers = (ctypes.c_int * 5)(5, 2, 9, 1, 3)
    library.sort(numbers, 5)
    assert list(numbers) == [1, 2, 3, 5, 9]
    buffer = ctypes.create_string_buffer(8)
    library.copy(buffer, b"hello", 5)
    assert buffer.value == b"hello"
    library.word.restype = ctypes.c_char_p
    assert [library.word(i) for i in range(3)] == [b"zero", b"one", b"two"]
    library.address_of_memmove.restype = ctypes.c_void_p
    assert (
        library.address_of_memmove()
        == ctypes.cast(ctypes.CDLL(None).memmove, ctypes.c_void_p).value
    )


def test_debug_information_survives(compile_c, check_readelf):
    data = link([compile_c(PROGRAM_A, "-g"), compile_c(PROGRAM_B, "-g")])
    text = check_readelf(data)
    assert not text or (".debug_info" in text and "memmove@plt" in text)


@pytest.mark.parametrize("options", [("-O0",), ("-ffunction-sections", "-fdata-sections")])
def test_other_ways_of_compiling(compile_c, load, options):
    library = load(link([compile_c(PROGRAM_A, *options), compile_c(PROGRAM_B, *options)]))
    assert library.call(5) == 35 + 7 + 1000


def test_constructors_run_by_priority(compile_c, load):
    first = r"""
    int order[4], count;
    __attribute__((constructor(300))) static void c(void) { order[count++] = 300; }
    __attribute__((constructor)) static void d(void) { order[count++] = 9999; }
    int get(int i) { return order[i]; }
    """
    second = r"""
    extern int order[], count;
    __attribute__((constructor(200))) static void b(void) { order[count++] = 200; }
    """
    library = load(link([compile_c(first), compile_c(second)]))
    assert [library.get(i) for i in range(4)] == [200, 300, 9999, 0]


def test_exceptions_unwind_through_linked_code(compile_c, load):
    source = r"""
    extern "C" int thrower(int x) { if (x > 3) throw x; return x; }
    extern "C" int catcher(int x) { try { return thrower(x); } catch (int y) { return -y; } }
    """
    library_name = "libstdc++.so.6"
    try:
        ctypes.CDLL(library_name, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        pytest.skip("libstdc++ is not installed: its exceptions are not tried")
    library = load(link([compile_c(source, language="cc")], needed=[library_name]))
    assert library.catcher(2) == 2
    assert library.catcher(8) == -8


IR_A = """
@table = constant [3 x ptr] [ptr @first, ptr @second, ptr @imported]
@counter = internal global i64 5
@zero = internal global [4096 x i8] zeroinitializer
declare i64 @imported(i64)
declare ptr @memset(ptr, i32, i64)
define i64 @first(i64 %x) {
  %y = add i64 %x, 1
  ret i64 %y
}
define internal i64 @second(i64 %x) {
  %c = load i64, ptr @counter
  %y = add i64 %x, %c
  store i64 %y, ptr @counter
  ret i64 %y
}
define i64 @dispatch(i64 %i, i64 %x) {
  %p = getelementptr ptr, ptr @table, i64 %i
  %f = load ptr, ptr %p
  %r = musttail call i64 %f(i64 %i, i64 %x)
  ret i64 %r
}
define i64 @tail(i64 %x) {
  %r = musttail call i64 @imported(i64 %x)
  ret i64 %r
}
define i8 @fill(i32 %v) {
  %p = call ptr @memset(ptr @zero, i32 %v, i64 4096)
  %q = getelementptr i8, ptr @zero, i64 4095
  %r = load i8, ptr %q
  ret i8 %r
}
""".replace("i64 %f(i64 %i, i64 %x)", "i64 %f(i64 %x, i64 %x)")
IR_B = """
@table = external constant [3 x ptr]
define i64 @imported(i64 %x) {
  %p = load ptr, ptr @table
  %y = call i64 %p(i64 %x)
  %z = mul i64 %y, 10
  ret i64 %z
}
"""


def test_objects_of_llvm_run(compile_ir, load, check_readelf):
    data = link([compile_ir(IR_A), compile_ir(IR_B)])
    check_readelf(data)
    library = load(data)
    library.dispatch.argtypes = (ctypes.c_int64, ctypes.c_int64)
    library.dispatch.restype = ctypes.c_int64
    assert [library.dispatch(i, 100) for i in range(3)] == [101, 105, 1010]
    assert library.tail(4) == 50
    assert library.fill(77) == 77


@needs_x86_64
def test_large_code_model(compile_ir, load):
    library = load(link([compile_ir(t, model="large") for t in (IR_A, IR_B)]))
    assert library.tail(4) == 50
    assert library.fill(77) == 77


def test_only_exports_are_visible(compile_ir, load, check_readelf):
    data = link([compile_ir(IR_A), compile_ir(IR_B)], exports=["tail"])
    text = check_readelf(data)
    assert not text or " dispatch" in text
    library = load(data)
    assert library.tail(4) == 50
    assert not hasattr(library, "dispatch")


def test_no_exports_at_all(compile_ir, load, check_readelf):
    data = link([compile_ir(IR_A), compile_ir(IR_B)], exports=[])
    check_readelf(data)
    assert not hasattr(load(data), "tail")


@pytest.mark.parametrize("count", [1, 2, 3, 17, 500])
def test_every_export_is_found_by_its_hash(compile_ir, load, count):
    names = [f"f{i * 7919}_{'x' * (i % 5)}" for i in range(count)]
    text = "\n".join(f"define i32 @{n}() {{ ret i32 {i} }}" for i, n in enumerate(names))
    library = load(link([compile_ir(text)]))
    assert [getattr(library, n)() for n in names] == list(range(count))
    assert not hasattr(library, "absent")


def test_missing_import_is_told_by_the_dynamic_linker(compile_ir, load):
    data = link([compile_ir(IR_A)])
    with pytest.raises(OSError, match="imported"):
        load(data)


def test_missing_weak_import_is_null(compile_ir, load):
    text = """
    declare extern_weak i32 @nowhere()
    @cell = global ptr @nowhere
    define i32 @absent() {
      %p = load ptr, ptr @cell
      %a = icmp eq ptr %p, null
      %b = icmp eq ptr @nowhere, null
      %c = and i1 %a, %b
      %r = zext i1 %c to i32
      ret i32 %r
    }
    """
    assert load(link([compile_ir(text)])).absent() == 1


def test_strong_beats_weak_and_first_weak_wins(compile_ir, load):
    weak = "define weak i32 @f() {{ ret i32 {} }}"
    user = "declare i32 @f()\ndefine i32 @use() { %r = call i32 @f()\n ret i32 %r }"
    strong = "define i32 @f() { ret i32 3 }"
    objects = [compile_ir(weak.format(1)), compile_ir(weak.format(2)), compile_ir(user)]
    assert load(link(objects)).use() == 1
    assert load(link([*objects, compile_ir(strong)])).use() == 3


def test_definitions_inside_are_not_preempted(compile_ir, load):
    text = (
        "define i32 @getpid() { ret i32 -5 }\n"
        "define i32 @use() { %r = call i32 @getpid()\nret i32 %r }"
    )
    assert load(link([compile_ir(text)])).use() == -5


def test_duplicates_are_refused(compile_ir):
    item = compile_ir("define i32 @twice() { ret i32 3 }")
    with pytest.raises(ElfError, match="symbol twice is defined in object 0 and in object 1"):
        link([item, item])


def test_comdat_groups_are_kept_once(compile_ir, load):
    text = """
    $shared = comdat any
    @state = linkonce_odr global i32 0, comdat($shared)
    define linkonce_odr i32 @shared() comdat {
      %a = load i32, ptr @state
      %b = add i32 %a, 1
      store i32 %b, ptr @state
      ret i32 %b
    }
    define i32 @use_NAME() {
      %r = call i32 @shared()
      ret i32 %r
    }
    """
    objects = [compile_ir(text.replace("NAME", name)) for name in "abc"]
    assert len(link(objects)) < len(link(objects[:1])) + 2000
    library = load(link(objects))
    assert [library.use_a(), library.use_b(), library.use_c()] == [1, 2, 3]


def test_discarded_comdat_code_leaves_the_unwind_index(compile_c, load, check_readelf):
    source = r"""
    struct S { static int f(int x) { if (x > 100) throw x; return x + 1; } };
    inline int g(int x) { return S::f(x) * 2; }
    extern "C" int use_NAME(int x) { try { return g(x); } catch (int) { return -1; } }
    """
    objects = [compile_c(source.replace("NAME", n), "-O0", "-g", language="cc") for n in ("a", "b")]
    data = link(objects, needed=["libstdc++.so.6"])
    check_readelf(data)
    library = load(data)
    assert [library.use_a(1), library.use_b(1), library.use_a(200), library.use_b(200)] == [
        4,
        4,
        -1,
        -1,
    ]


def test_common_symbols_share_the_largest_place(compile_c, load):
    first = "char shared[4]; char *a(void) { return shared; }"
    second = (
        "char shared[4000] __attribute__((aligned(64)));"
        "char *b(void) { shared[3999] = 1; return shared; }"
    )
    library = load(link([compile_c(first, "-fcommon"), compile_c(second, "-fcommon")]))
    library.a.restype = library.b.restype = ctypes.c_void_p
    assert library.a() == library.b()
    assert library.a() % 64 == 0


def test_hidden_symbols_bind_inside_and_stay_there(compile_ir, load):
    definition = "define hidden i32 @inside() { ret i32 9 }"
    use = "declare hidden i32 @inside()\ndefine i32 @use() { %r = call i32 @inside()\nret i32 %r }"
    library = load(link([compile_ir(definition), compile_ir(use)]))
    assert library.use() == 9
    assert not hasattr(library, "inside")
    with pytest.raises(ElfError, match="inside is hidden and defined nowhere"):
        link([compile_ir(use)])
    with pytest.raises(ElfError, match="symbol inside is to be exported but hidden"):
        link([compile_ir(definition)], exports=["inside"])


def test_export_must_exist(compile_ir):
    with pytest.raises(ElfError, match="symbol g is to be exported but not defined"):
        link([compile_ir("define void @f() { ret void }")], exports=["g"])


def test_soname_and_needed_make_one_object_find_another(compile_ir, tmp_path):
    """A loaded object is found by its soname, wherever its file is."""
    base, user = tmp_path / "some-file", tmp_path / "user"
    definition = compile_ir("define i32 @nine() { ret i32 9 }")
    base.write_bytes(link([definition], soname="runwell-test-base.so"))
    use = compile_ir("declare i32 @nine()\ndefine i32 @use() { %r = call i32 @nine()\nret i32 %r }")
    user.write_bytes(link([use], needed=["runwell-test-base.so"]))
    with pytest.raises(OSError, match="runwell-test-base"):
        ctypes.CDLL(str(user))
    ctypes.CDLL(str(base))
    assert ctypes.CDLL(str(user)).use() == 9


def protection(address: int) -> str:
    for line in Path("/proc/self/maps").read_text().splitlines():
        extent, flags = line.split()[:2]
        start, end = (int(part, 16) for part in extent.split("-"))
        if start <= address < end:
            return flags[:3]
    raise AssertionError(hex(address))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")
def test_protections(compile_ir, load):
    library = load(link([compile_ir(IR_A), compile_ir(IR_B)]))

    def address(name: str) -> int:
        return ctypes.addressof(ctypes.c_char.in_dll(library, name))

    assert protection(address("table")) == "r--"
    assert protection(address("first")) == "r-x"
    library = load(link([compile_ir("@a = global i32 5\n@b = global [9999 x i8] zeroinitializer")]))
    assert protection(address("a")) == "rw-"
    assert protection(address("b")) == "rw-"


def test_the_last_page_of_constants_is_protected(compile_ir, load):
    text = "@table = constant [1 x ptr] [ptr @f]\ndefine void @f() { ret void }"
    library = load(link([compile_ir(text)]))
    assert protection(ctypes.addressof(ctypes.c_char.in_dll(library, "table"))) == "r--"


def test_same_input_same_bytes(compile_ir):
    objects = [compile_ir(IR_A), compile_ir(IR_B)]
    first = link(objects, soname="a.so")
    assert first == link([bytes(o) for o in objects], soname="a.so")
    assert first != link(objects, soname="b.so")


def test_hash_seed_does_not_matter(compile_ir, tmp_path):
    paths = []
    for i, text in enumerate((IR_A, IR_B)):
        paths.append(str(tmp_path / f"{i}.o"))
        Path(paths[-1]).write_bytes(compile_ir(text))
    script = (
        "import sys; from runwell.elf.linker import link; "
        "sys.stdout.buffer.write(link([open(p, 'rb').read() for p in sys.argv[1:]]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script, *paths], check=True, capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(outputs) == 1


def build_id(data: bytes) -> bytes:
    at = data.index(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0")
    return data[at + 16 : at + 36]


def test_build_id_depends_on_the_contents(compile_ir):
    a, b = (compile_ir(f"define i32 @f() {{ ret i32 {i} }}") for i in (1, 2))
    assert build_id(link([a])) == build_id(link([a])) != build_id(link([b]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reloc": "static"}, "needs a fixed address"),
        ({"reloc": "static", "model": "large"}, "read-only section"),
    ],
)
@needs_x86_64
def test_code_that_is_not_position_independent(compile_ir, options, message):
    text = "@x = external dso_local global i32\ndefine ptr @f() { ret ptr @x }"
    with pytest.raises(ElfError, match=message) as caught:
        link([compile_ir(text, **options)])
    assert " of x " in str(caught.value)
    assert "text" in caught.value.where


def test_a_near_reference_to_an_import(compile_ir):
    text = "@x = external dso_local global i32\ndefine ptr @f() { ret ptr @x }"
    with pytest.raises(ElfError, match="R_PC32 of x is defined elsewhere and may be far"):
        link([compile_ir(text)])


def test_thread_local_storage_is_refused(compile_ir):
    with pytest.raises(ElfError, match="thread-local"):
        link([compile_ir("@x = thread_local global i32 5")])
    with pytest.raises(ElfError, match=r"unsupported relocation|thread-local"):
        link([compile_ir("@x = external thread_local global i32\n"
                         "define ptr @f() { ret ptr @x }")])  # fmt: skip


def test_old_constructors_are_refused(compile_ir):
    text = """
    @llvm.global_ctors = appending global [1 x { i32, ptr, ptr }]
        [{ i32, ptr, ptr } { i32 65535, ptr @f, ptr null }]
    define internal void @f() { ret void }
    """
    with pytest.raises(ElfError, match=r"section .ctors: constructors must be in .init_array"):
        link([compile_ir(text)])


def test_nothing_to_link():
    with pytest.raises(ElfError, match="nothing to link"):
        link([])


def test_machines_are_not_mixed(compile_ir):
    text = "define i32 @NAME() { ret i32 1 }"
    objects = [
        compile_ir(text.replace("NAME", name), f"{machine}-unknown-linux-gnu")
        for name, machine in (("f", "x86_64"), ("g", "aarch64"))
    ]
    with pytest.raises(ElfError, match="object 1: is for another machine"):
        link(objects)


def test_an_oversized_image_is_refused(compile_ir):
    text = "@a = global [2000000000 x i8] zeroinitializer"
    with pytest.raises(ElfError, match="bytes"):
        link([compile_ir(text), compile_ir(text.replace("@a", "@b"))])


@pytest.fixture(scope="module")
def large_object(compile_ir) -> bytes:
    """About 1 MB of code with more than 5000 relocations."""
    parts = ["@data = external global i64", "declare void @outside(i64)"]
    for i in range(1200):
        body = "\n".join(
            f"  %a{j} = load volatile i64, ptr @data\n  call void @outside(i64 %a{j})\n"
            f"  call void @g(i64 {i * 1000 + j})"
            for j in range(20)
        )
        parts.append(f"define void @f{i}() {{\n{body}\n  ret void\n}}")
    parts.append("declare void @g(i64)")
    return compile_ir("\n".join(parts))


def test_a_large_object(large_object, compile_ir, tmp_path):
    helper = compile_ir(
        "@data = global i64 3\n@sum = global i64 0\n"
        "define void @add(i64 %x) {\n  %a = load i64, ptr @sum\n  %b = add i64 %a, %x\n"
        "  store i64 %b, ptr @sum\n  ret void\n}\n"
        "define void @outside(i64 %x) {\n  call void @add(i64 %x)\n  ret void\n}\n"
        "define void @g(i64 %x) {\n  call void @add(i64 %x)\n  ret void\n}"
    )
    relocations = sum(
        struct.unpack_from("<Q", header, 32)[0] // 24
        for header in section_headers(large_object)
        if struct.unpack_from("<I", header, 4)[0] == elf.SHT_RELA
    )
    assert relocations > 5000
    library = tmp_path / "large.so"
    library.write_bytes(link([large_object, helper]))
    loaded = ctypes.CDLL(str(library))
    for i in range(1200):
        loaded[f"f{i}"]()
    numbers = sum(i * 1000 + j for i in range(1200) for j in range(20))
    assert ctypes.c_int64.in_dll(loaded, "sum").value == 1200 * 20 * 3 + numbers


def section_headers(data: bytes) -> list[bytes]:
    (table,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    return [data[table + i * 64 : table + i * 64 + 64] for i in range(count)]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Damage an object where it hurts: its header, section headers, symbols and relocations."""
    mutated = bytearray(data)
    choice = rng.random()
    if choice < 0.1:
        return bytes(mutated[: rng.randrange(len(mutated))])
    headers = section_headers(data)
    (table,) = struct.unpack_from("<Q", data, 40)
    for _ in range(rng.randint(1, 4)):
        if choice < 0.2:
            at = rng.randrange(64)
        elif choice < 0.5:
            at = table + rng.randrange(len(headers) * 64)
        else:
            start, size = struct.unpack_from("<QQ", rng.choice(headers), 24)
            at = start + rng.randrange(size) if 0 < size <= len(data) - start else 0
        value = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        width = rng.choice((1, 1, 1, 4, 8))
        mutated[at : at + width] = bytes([value]) * width
    return bytes(mutated[: len(data)])


def is_refused(objects: list[bytes]) -> bool:
    """Whether linking fails, with the one error that it may fail with."""
    try:
        link(objects)
    except ElfError:
        return True
    return False


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_damaged_objects_give_elf_errors_only(compile_ir, machine):
    triple = f"{machine}-unknown-linux-gnu"
    good = [compile_ir(text, triple) for text in (IR_A, IR_B)]
    rng = random.Random(20)
    refused = 0
    for _ in range(3000):
        objects = list(good)
        which = rng.randrange(2)
        objects[which] = mutate(objects[which], rng)
        refused += is_refused(objects)
    assert refused > 500


def test_damaged_objects_of_gcc_give_elf_errors_only(compile_c):
    """They have groups, constructors, unwind tables and debug information."""
    good = compile_c(
        "struct S { static int f(int x) { if (x > 9) throw x; return x; } };"
        "inline int g(int x) { return S::f(x); } int h(int x) { return g(x); }"
        "struct T { T(); int i; } t; T::T() { i = h(3); }",
        "-O0", "-g", language="cc",
    )  # fmt: skip
    rng = random.Random(21)
    assert sum(is_refused([mutate(good, rng)]) for _ in range(1500)) > 250


def test_garbage_is_refused():
    rng = random.Random(22)
    for size in (0, 1, 4, 63, 64, 65, 4096):
        with pytest.raises(ElfError):
            link([rng.randbytes(size)])
        with pytest.raises(ElfError):
            link([elf.MAGIC + rng.randbytes(size)])


def test_a_shared_object_is_not_an_input(compile_ir):
    with pytest.raises(ElfError, match="not a relocatable object"):
        link([link([compile_ir("define void @f() { ret void }")])])
