import gc
import weakref

import pytest

from runwell.base.errors import LinkError, Trap
from runwell.base.traps import TrapCode
from runwell.base.types import EXTERNREF, FUNCREF, I32, I64, FuncType
from runwell.kernel.types import ctype_of, sizeof, u64
from runwell.module.types import ExternKind, GlobalType, MemoryType, TableType
from runwell.runtime import layout
from runwell.runtime.context import current_context
from runwell.runtime.func import Func, func_at
from runwell.runtime.globals import new_global
from runwell.runtime.instance import Instance
from runwell.runtime.memory import Memory
from runwell.runtime.native import hooks, native
from runwell.runtime.store import Store
from runwell.runtime.table import Table


@pytest.fixture
def make(prepare):
    def make(text, *imports, **options):
        return Instance(prepare(text), imports, **options)

    return make


def exported(instance, name):
    for export in instance.code.module.exports:
        if export.name == name:
            return instance.extern(export.kind, export.item)
    raise LookupError(name)


def native_instance(instance):
    return ctype_of(layout.Instance).from_address(instance.address)


def pointer(base, index):
    return ctype_of(u64).from_address(base + 8 * index).value


def test_the_native_instance(make):
    f = make('(module (func (export "f") (param i32)))')
    import_ = exported(f, "f")
    memory = Memory(MemoryType(1))
    g = new_global(GlobalType(I32), 77)
    i = make(
        """(module (import "" "g" (global i32)) (import "" "m" (memory 1))
        (import "" "f" (func (param i32)))
        (memory 2) (table 5 funcref) (global i64 (i64.const -2))
        (func) (func) (elem declare func 2))""",
        g,
        memory,
        import_,
    )
    n = native_instance(i)
    assert n.memory_base == memory.base
    assert pointer(n.memories, 0) == memory.address
    assert pointer(n.memories, 1) == i.memories[1].address
    assert pointer(n.tables, 0) == i.tables[0].address
    assert pointer(n.funcs, 0) == import_.ref
    assert pointer(n.funcs, 1) == 0
    ref = ctype_of(layout.FuncRef).from_address(pointer(n.funcs, 2))
    assert ref.code == i.code.code_address(2)
    assert ref.instance == i.address
    assert ref.type == i.code.numbers[i.code.module.function_types[2]]
    cells = i.address + sizeof(layout.Instance)
    assert pointer(cells, 0) == g.address
    assert pointer(cells, 2) == (1 << 64) - 2
    assert n.module == i.code.address


def test_an_empty_module(make):
    i = make("(module)")
    assert native_instance(i).memory_base == 0


# Values of globals, tables and segments.


def test_globals(make):
    imported = new_global(GlobalType(I64), 1 << 40)
    i = make(
        """(module (import "" "g" (global i64))
        (global (export "a") i32 (i32.const -1)) (global (export "b") (mut f64) (f64.const 1))
        (global (export "c") i64 (global.get 0)) (global (export "d") funcref (ref.func $f))
        (global (export "e") externref (ref.null extern)) (global (export "f") funcref
        (global.get 4)) (export "g" (global 0)) (func $f))""",
        imported,
    )
    bits = [exported(i, name).bits for name in "abc"]
    assert bits == [0xFFFFFFFF, 0x3FF0000000000000, 1 << 40]
    assert exported(i, "e").reference is None
    assert exported(i, "d").reference == exported(i, "f").reference == i.func(0)
    assert exported(i, "g") is imported
    exported(i, "b").bits = 5
    assert exported(i, "b").bits == 5


def test_element_segments(make):
    offset = new_global(GlobalType(I32), 3)
    i = make(
        """(module (import "" "g" (global $g i32)) (table $t (export "t") 8 funcref)
        (table $u (export "u") 4 externref) (func $a) (func $b)
        (elem (i32.const 1) $a $b) (elem (global.get $g) funcref (ref.func $b) (ref.null func))
        (elem (table $u) (i32.const 0) externref (ref.null extern))
        (elem $p func $b $a) (elem declare func $a))""",
        offset,
    )
    a, b = i.func(0), i.func(1)
    t = exported(i, "t")
    assert [t.get(x) for x in range(8)] == [None, a, b, b, None, None, None, None]
    segments = native_instance(i).elements
    sizes = [pointer(segments, 2 * x + 1) for x in range(5)]
    assert sizes == [0, 0, 0, 2, 0]
    items = pointer(segments, 2 * 3)
    assert [pointer(items, 0), pointer(items, 1)] == [b.ref, a.ref]


def test_tables_with_a_value(make):
    i = make(
        """(module (table (export "t") 3 9 funcref (ref.func $f)) (table (export "u") 2 externref)
        (func $f))"""
    )
    assert [exported(i, "t").get(x) for x in range(3)] == [i.func(0)] * 3
    assert exported(i, "u").get(1) is None


def test_data_segments(make):
    offset = new_global(GlobalType(I32), 10)
    i = make(
        """(module (import "" "g" (global $g i32)) (memory (export "m") 1) (memory $n i64 1)
        (data (i32.const 1) "one") (data (global.get $g) "ten") (data $p "passive")
        (data (memory $n) (i64.const 65533) "end"))""",
        offset,
    )
    assert i.memories[0].read(0, 14) == b"\0one\0\0\0\0\0\0ten\0"
    assert i.memories[1].read(65533, 3) == b"end"
    data = native_instance(i).data
    assert [pointer(data, 2 * x + 1) for x in range(4)] == [0, 0, 7, 0]
    assert native.address  # the kernels below are the guest's
    from ctypes import CFUNCTYPE, c_uint32, c_uint64

    init = CFUNCTYPE(c_uint64, *[c_uint64] * 5, c_uint32, c_uint32)(native.address("memory_init"))
    context = current_context().address
    assert init(context, i.address, 20, 1, 3, 2, 0) == 0
    assert i.memories[0].read(20, 4) == b"ass\0"
    assert init(context, i.address, 20, 5, 3, 2, 0) >> 32 == TrapCode.OUT_OF_BOUNDS_MEMORY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('(memory 1) (data (i32.const 65534) "abc")', "out of bounds memory access"),
        ('(memory 1) (data (i32.const -1) "a")', "out of bounds memory access"),
        ('(memory 1) (data (i32.const -1) "")', "out of bounds memory access"),
        ('(memory 0) (data (i32.const 1) "")', "out of bounds memory access"),
        ("(table 1 funcref) (func) (elem (i32.const 1) 0)", "out of bounds table access"),
        ("(table 1 funcref) (elem (i32.const -1))", "out of bounds table access"),
    ],
)
def test_segments_that_do_not_fit(make, text, message):
    with pytest.raises(Trap) as e:
        make(f"(module {text})")
    assert str(e.value) == message


def test_what_was_written_before_a_trap_stays_and_works(make):
    memory, table = Memory(MemoryType(1)), Table(TableType(FUNCREF, 2))
    with pytest.raises(Trap):
        make(
            """(module (import "" "m" (memory 1)) (import "" "t" (table 2 funcref)) (func $f)
            (elem (i32.const 0) $f) (data (i32.const 0) "yes") (data (i32.const 65536) "no"))""",
            memory,
            table,
        )
    gc.collect()
    assert memory.read(0, 3) == b"yes"
    f = table.get(0)
    assert f.type == FuncType((), ())
    assert ctype_of(layout.FuncRef).from_address(f.ref).instance
    assert f.owner.root is table.store.root


def test_segments_may_end_where_the_memory_ends(make):
    make('(module (memory 1) (data (i32.const 65533) "abc") (data (i32.const 65536) ""))')
    make("(module (table 1 funcref) (func) (elem (i32.const 0) 0) (elem (i32.const 1)))")


def test_the_start_function_is_called_as_the_host_calls(make):
    called = []
    hooks.call = lambda *arguments: called.append(arguments)
    i = make("(module (func) (func $s) (start $s))")
    assert called == [(i.func(1), i.body)]


# Imports.


def test_missing_imports(make):
    with pytest.raises(LinkError) as e:
        make('(module (import "env" "f" (func (param i32))))', None)
    assert str(e.value) == "unknown import 'env'.'f': func [i32] -> []"


@pytest.mark.parametrize(
    ("wanted", "found", "fits"),
    [
        ("(func (param i32))", "(func (param i32))", True),
        ("(func (param i32))", "(func (param i64))", False),
        ("(func (param i32))", "(func (result i32))", False),
        ("(func)", "(memory 1)", False),
        ("(func)", "(global i32 (i32.const 0))", False),
        ("(func)", "(table 1 funcref)", False),
        ("(memory 1)", "(memory 1)", True),
        ("(memory 1)", "(memory 2)", True),
        ("(memory 2)", "(memory 1)", False),
        ("(memory 1 2)", "(memory 1 2)", True),
        ("(memory 1 2)", "(memory 2 2)", True),
        ("(memory 0 2)", "(memory 1 3)", False),
        ("(memory 1 2)", "(memory 1)", False),
        ("(memory 1)", "(memory 1 1)", True),
        ("(memory i64 1)", "(memory 1)", False),
        ("(memory 1)", "(memory i64 1)", False),
        ("(memory 1 2 shared)", "(memory 1 2)", False),
        ("(memory 1 2)", "(memory 1 2 shared)", False),
        ("(memory 1)", "(func)", False),
        ("(table 1 funcref)", "(table 1 funcref)", True),
        ("(table 1 funcref)", "(table 1 externref)", False),
        ("(table 2 funcref)", "(table 1 funcref)", False),
        ("(table 1 5 funcref)", "(table 1 funcref)", False),
        ("(table 1 5 funcref)", "(table 1 5 funcref)", True),
        ("(table i64 1 funcref)", "(table 1 funcref)", False),
        ("(table 1 funcref)", "(global funcref (ref.null func))", False),
        ("(global i32)", "(global i32 (i32.const 0))", True),
        ("(global i32)", "(global i64 (i64.const 0))", False),
        ("(global (mut i32))", "(global i32 (i32.const 0))", False),
        ("(global i32)", "(global (mut i32) (i32.const 0))", False),
        ("(global i32)", "(memory 1)", False),
    ],
)
def test_matching(make, wanted, found, fits):
    kind, rest = found[1:].split(" ", 1) if " " in found else (found[1:-1], ")")
    extern = exported(make(f'(module ({kind} (export "x") {rest})'), "x")
    text = f'(module (import "env" "x" {wanted}))'
    if fits:
        make(text, extern)
        return
    with pytest.raises(LinkError, match=r"incompatible import type for 'env'\.'x': wanted "):
        make(text, extern)


def test_limits_are_matched_as_they_are_now(make):
    memory, table = Memory(MemoryType(1, 3)), Table(TableType(FUNCREF, 1, 3))
    text = '(module (import "" "m" (memory 2 3)) (import "" "t" (table 2 3 funcref)))'
    with pytest.raises(LinkError):
        make(text, memory, table)
    memory.grow(1)
    table.grow(1)
    make(text, memory, table)


def test_failing_to_link_changes_nothing(make):
    table = Table(TableType(FUNCREF, 1))
    with pytest.raises(LinkError):
        make(
            """(module (import "" "t" (table 1 funcref)) (import "" "x" (func)) (func $f)
            (elem (i32.const 0) $f))""",
            table,
            None,
        )
    assert table.get(0) is None


def test_a_memory_without_guard_pages_for_code_that_relies_on_them(make):
    memory = Memory(MemoryType(1), explicit=True)
    with pytest.raises(LinkError, match="made without guard pages"):
        make('(module (import "" "m" (memory 1)))', memory)


def test_explicit_modules_take_any_memory(prepare):
    code = prepare('(module (import "" "m" (memory 1)) (memory 1))', explicit=True)
    for explicit in (True, False):
        i = Instance(code, [Memory(MemoryType(1), explicit=explicit)])
        assert not i.memories[1].guarded


def test_limits_of_the_configuration(make):
    i = make("(module (memory 1 9) (table 1 9 funcref))", limit_bytes=131072, limit_elements=3)
    assert (i.memories[0].maximum, i.tables[0].maximum) == (2, 3)
    with pytest.raises(LinkError, match="exceeds the limit"):
        make("(module (memory 3))", limit_bytes=131072)


# What lives as long as what.


def alive(instance):
    """Tells whether the native part of an instance lives."""
    return weakref.ref(instance.body)


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_an_instance_goes_at_once(make, no_collector):
    i = make(
        """(module (memory 1) (table 2 funcref) (table 1 9 externref) (func $f)
        (global (mut funcref) (ref.func $f)) (elem (i32.const 0) $f) (data (i32.const 0) "x")
        (elem $p func $f))"""
    )
    body, memory, code = alive(i), weakref.ref(i.memories[0]), weakref.ref(i.code)
    del i
    assert (body(), memory(), code()) == (None, None, None)


@pytest.mark.parametrize("name", ["f", "t", "g", "r"])
def test_exports_keep_their_instance(make, no_collector, name):
    i = make(
        """(module (func $f (export "f")) (table (export "t") 1 funcref) (memory (export "m") 1)
        (global (export "g") i32 (i32.const 9)) (global (export "r") funcref (ref.func $f)))"""
    )
    body = alive(i)
    thing = exported(i, name)
    del i
    assert body() is not None
    del thing
    assert body() is None


def test_a_memory_does_not_keep_its_instance(make, no_collector):
    i = make('(module (memory (export "m") 1))')
    body, memory = alive(i), exported(i, "m")
    del i
    assert body() is None
    assert memory.read(0, 1) == b"\0"


def test_a_function_in_a_foreign_table_keeps_its_instance(make, no_collector):
    owner = make('(module (table (export "t") 2 funcref))')
    t = exported(owner, "t")
    user = make(
        '(module (import "" "t" (table 2 funcref)) (func $f (result i32) i32.const 3) '
        "(elem (i32.const 1) $f))",
        t,
    )
    bodies = alive(owner), alive(user)
    del user, owner
    assert all(b() is not None for b in bodies)
    f = t.get(1)
    assert f.type == FuncType((), (I32,))
    del t
    assert all(b() is not None for b in bodies)
    assert func_at(f.ref) == f
    del f
    assert [b() for b in bodies] == [None, None]


def test_an_importer_keeps_the_exporter_of_plain_functions_but_not_back(make, no_collector):
    exporter = make('(module (func (export "f")))')
    importer = make(
        '(module (import "" "f" (func)) (export "f" (func 0)))', exported(exporter, "f")
    )
    bodies = alive(exporter), alive(importer)
    del exporter
    assert bodies[0]() is not None
    again = exported(importer, "f")
    assert again.owner.root is not importer.store.root
    del importer
    assert bodies[1]() is None
    assert bodies[0]() is not None
    del again
    assert bodies[0]() is None


@pytest.mark.parametrize("type_", ["(param funcref)", "(result externref)"])
def test_functions_that_carry_references_bind_both_ways(make, no_collector, type_):
    exporter = make(f'(module (func (export "f") {type_} unreachable))')
    importer = make(f'(module (import "" "f" (func {type_})))', exported(exporter, "f"))
    bodies = alive(exporter), alive(importer)
    del importer
    assert bodies[1]() is not None
    del exporter
    assert [b() for b in bodies] == [None, None]


def test_globals_of_numbers_bind_one_way_and_of_references_both(make, no_collector):
    exporter = make(
        """(module (global (export "n") (mut i32) (i32.const 1))
        (global (export "r") (mut funcref) (ref.null func)))"""
    )
    body = alive(exporter)
    user = make('(module (import "" "n" (global (mut i32))))', exported(exporter, "n"))
    assert user.store.root is not exporter.store.root
    other = make('(module (import "" "r" (global (mut funcref))))', exported(exporter, "r"))
    assert other.store.root is exporter.store.root
    del exporter, other
    assert body() is not None
    del user
    assert body() is None


def test_a_function_stored_by_the_host_is_kept(make, no_collector):
    owner, other = make('(module (func $f (export "f")))'), Table(TableType(FUNCREF, 1))
    body = alive(owner)
    other.set(0, exported(owner, "f"))
    del owner
    f = other.get(0)
    assert f.type == FuncType((), ())
    g = new_global(GlobalType(FUNCREF, True))
    g.reference = f
    del other, f
    assert body() is not None
    assert g.reference.type == FuncType((), ())
    del g
    assert body() is None


def test_host_functions_are_kept_by_what_refers_to_them(make, no_collector):
    from ctypes import addressof

    class Owner:
        pass

    owner = Owner()
    type_ = FuncType((), ())
    ref = ctype_of(layout.FuncRef)(object=id(owner))
    owner.ref = ref
    kept = weakref.ref(owner)
    from runwell.runtime.types import TypeNumber

    owner.number = TypeNumber(type_)
    ref.type = owner.number
    i = make(
        '(module (import "" "f" (func)) (export "f" (func 0)))',
        Func(addressof(ref), type_, owner, ref.type),
    )
    del owner, ref
    f = exported(i, "f")
    assert f.owner is kept()
    del i, f
    assert kept() is None


def test_references_resolve_while_their_store_lives(make):
    i = make('(module (func $f (export "f") (param i64)) (table (export "t") 1 externref))')
    f = func_at(exported(i, "f").ref)
    assert f == exported(i, "f")
    assert f.type == FuncType((I64,), ())
    assert f.owner is i.store
    assert isinstance(f.owner, Store)


def test_extern_kinds(make):
    i = make(
        """(module (func) (export "" (func 0)) (memory 1) (table 1 funcref)
        (global i32 (i32.const 5)))"""
    )
    assert isinstance(i.extern(ExternKind.FUNC, 0), Func)
    assert i.extern(ExternKind.MEMORY, 0) is i.memories[0]
    assert i.extern(ExternKind.TABLE, 0) is i.tables[0]
    assert i.extern(ExternKind.GLOBAL, 0).bits == 5


def test_ten_thousand_instances_stay_flat(prepare, no_collector):
    code = prepare(
        """(module (memory 1) (table 2 9 funcref) (func $f) (elem (i32.const 0) $f)
        (data (i32.const 5) "x"))"""
    )

    def resident():
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1])

    for _ in range(500):
        Instance(code)
    before = resident()
    for _ in range(10_000):
        Instance(code)
    assert resident() - before < 200


def test_nested_table_of_host_objects_dies_with_the_instance(make, no_collector):
    class Thing:
        pass

    i = make('(module (table (export "t") 1 externref))')
    thing = Thing()
    kept = weakref.ref(thing)
    exported(i, "t").set(0, thing)
    del thing
    assert kept() is exported(i, "t").get(0)
    assert exported(i, "t").type.element == EXTERNREF
    del i
    assert kept() is None


# With a translator.


@pytest.fixture
def translator(core):
    from runwell.translate import translator

    translator.install()


def test_extended_constants(translator, make):
    ten = new_global(GlobalType(I32), 10)
    far = new_global(GlobalType(I64), 1 << 33)
    i = make(
        """(module (import "" "g" (global $g i32)) (import "" "h" (global $h i64))
        (global (export "a") i32 (i32.add (global.get $g) (i32.const -11)))
        (global (export "b") i64 (i64.mul (global.get $h) (i64.const 5)))
        (global (export "c") i32 (i32.sub (global.get 2) (i32.const 1)))
        (memory 1) (data (i32.add (global.get $g) (i32.const 2)) "x")
        (table 20 funcref) (func $f) (elem (i32.mul (global.get $g) (i32.const 1)) $f))""",
        ten,
        far,
    )
    assert [exported(i, name).bits for name in "abc"] == [0xFFFFFFFF, 5 << 33, 0xFFFFFFFE]
    assert i.memories[0].read(12, 1) == b"x"
    assert i.tables[0].get(10) == i.func(0)


def test_extended_constants_in_each_of_many_instances(translator, prepare):
    code = prepare(
        """(module (import "" "g" (global i32))
        (global (export "a") i32 (i32.add (global.get 0) (i32.const 1))))"""
    )
    for n in range(50):
        i = Instance(code, [new_global(GlobalType(I32), n)])
        assert exported(i, "a").bits == n + 1


def test_a_start_function_runs(translator, make):
    i = make(
        """(module (global $g (mut i32) (i32.const 1)) (memory 1) (data (i32.const 5) "A")
        (func $s (global.set $g (i32.load8_u (i32.const 5)))) (start $s))"""
    )
    assert i.global_(0).bits & 0xFFFFFFFF == 65


def test_a_start_function_that_traps(translator, make):
    with pytest.raises(Trap) as e:
        make("(module $m (func $inner unreachable) (func $s call $inner) (start $s))")
    assert e.value.code == TrapCode.UNREACHABLE
    assert [f.name for f in e.value.backtrace] == ["inner", "s"]
    assert all(f.offset for f in e.value.backtrace)
