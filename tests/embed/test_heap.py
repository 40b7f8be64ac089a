"""Objects of the garbage-collected heap, as users of the package see them."""

import gc
import threading
import weakref

import pytest

import runwell

MODULE = """(module
  (type $point (struct (field $x (mut i32)) (field $y i64)))
  (type $bytes (array (mut i8)))
  (global $kept (export "kept") (mut anyref) (ref.null any))
  (global (export "start") (ref $point) (struct.new $point (i32.const 3) (i64.const 4)))
  (table (export "table") 4 anyref)
  (table (export "externs") 4 externref)
  (func (export "point") (param i32) (result (ref $point))
    (struct.new $point (local.get 0) (i64.const 7)))
  (func (export "x") (param (ref $point)) (result i32) (struct.get $point $x (local.get 0)))
  (func (export "set_x") (param (ref null $point) i32)
    (struct.set $point $x (local.get 0) (local.get 1)))
  (func (export "bytes") (param i32) (result (ref array))
    (array.new $bytes (i32.const 65) (local.get 0)))
  (func (export "at") (param (ref $bytes) i32) (result i32)
    (array.get_u $bytes (local.get 0) (local.get 1)))
  (func (export "same") (param eqref eqref) (result i32) (ref.eq (local.get 0) (local.get 1)))
  (func (export "any") (param anyref) (result anyref) (local.get 0))
  (func (export "i31") (param i31ref) (result i31ref) (local.get 0))
  (func (export "out") (param anyref) (result externref) (extern.convert_any (local.get 0)))
  (func (export "in") (param externref) (result anyref) (any.convert_extern (local.get 0)))
  (func (export "is_number") (param anyref) (result i32) (ref.test (ref i31) (local.get 0)))
  (func (export "as_point") (param anyref) (result i32)
    (struct.get $point $x (ref.cast (ref $point) (local.get 0))))
  (func (export "get") (result anyref) (global.get $kept)))
"""


@pytest.fixture
def guest():
    return runwell.Instance(runwell.Module(MODULE)).exports


def test_objects_are_opaque(guest):
    point = guest.point(5)
    assert isinstance(point, runwell.Ref)
    assert repr(point) == "<runwell.Ref: struct (field (mut i32)) (field i64)>"
    assert [f.type for f in point.type.fields] == [runwell.ValType.I32, runwell.ValType.I64]
    assert repr(guest.bytes(3)) == "<runwell.Ref: array (mut i8)>"
    with pytest.raises(TypeError):
        runwell.Ref()
    with pytest.raises(TypeError, match="pickled"):
        point.__reduce__()
    with pytest.raises(TypeError, match="no number"):
        int(point)


def test_guests_get_their_objects_back(guest):
    point = guest.point(5)
    assert guest.x(point) == 5
    guest.set_x(point, 9)
    assert guest.x(point) == 9
    assert guest.at(guest.bytes(3), 2) == 65
    assert guest.any(point) == point
    assert guest.same(point, point) == 1
    assert guest.same(point, guest.point(5)) == 0


def test_identity(guest):
    a, b = guest.point(1), guest.point(1)
    assert a == guest.any(a)
    assert a != b
    assert len({a, b, guest.any(b)}) == 2
    assert a != 1


def test_numbers_are_ints(guest):
    for n in 0, 1, -1, (1 << 30) - 1, -(1 << 30):
        assert guest.i31(n) == guest.any(n) == n
    assert guest.i31((1 << 31) - 1) == -1
    assert guest.is_number(7) == 1
    assert guest.same(7, 7) == 1
    for wrong in 1 << 31, -(1 << 30) - 1:
        with pytest.raises(OverflowError, match="does not fit i31"):
            guest.any(wrong)


def test_objects_of_the_host(guest):
    value = ["x"]
    assert guest.any(value) is value
    assert guest["in"](value) is value
    assert guest.out(value) is value
    assert guest.is_number("7") == 0


def test_external_references_are_the_same_ones(guest):
    point = guest.point(4)
    external = guest.out(point)
    assert external == point
    assert guest["in"](external) == point
    assert guest.as_point(guest["in"](external)) == 4
    number = guest.out(-5)
    assert repr(number) == "<runwell.Ref: i31 -5>"
    assert int(number) == -5
    assert guest["in"](number) == -5
    assert guest.is_number(guest["in"](number)) == 1
    # An int is an object of the host where an external reference is wanted.
    assert guest.out(5) != 5
    assert guest["in"](1 << 40) == 1 << 40


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("x", (5,), r"argument 1 must be a runwell\.Ref for \(ref type-"),
        ("x", (None,), "argument 1 must be"),
        ("x", ("p",), r"must be a runwell\.Ref"),
        ("same", ("p", 1), r"must be an int or a runwell\.Ref or None for eqref, not str"),
        ("i31", (1.5,), "must be an int"),
    ],
)
def test_what_does_not_fit(guest, name, args, message):
    with pytest.raises(TypeError, match=message):
        guest[name](*args)


def test_types_are_checked(guest):
    array = guest.bytes(1)
    with pytest.raises(TypeError, match=r"must be of type \(ref type-\d+\), not <runwell.Ref: arr"):
        guest.x(array)
    with pytest.raises(TypeError, match="must be of type i31ref"):
        guest.i31(array)
    with pytest.raises(runwell.Trap, match="cast failure"):
        guest.as_point(array)
    with pytest.raises(runwell.Trap, match="null structure reference"):
        guest.set_x(None, 1)


def test_globals(guest):
    assert guest.start.value == guest.start.value
    assert guest.x(guest.start.value) == 3
    point = guest.point(8)
    guest.kept.value = point
    assert guest.kept.value == point == guest.get()
    guest.kept.value = 12
    assert guest.get() == 12
    guest.kept.value = None
    assert guest.get() is None


def test_tables(guest):
    point = guest.point(8)
    guest.table[0] = point
    guest.table[1] = 3
    guest.table[2] = "x"
    assert list(guest.table) == [point, 3, "x", None]
    guest.externs[0] = point
    guest.externs[1] = 3
    assert list(guest.externs) == [point, 3, None, None]
    assert guest.table.grow(1, point) == 4
    assert guest.table[4] == point


def test_imports_and_callbacks():
    seen = []
    module = runwell.Module("""(module
      (type $p (struct (field i32)))
      (import "m" "f" (func $f (param anyref) (result anyref)))
      (import "m" "g" (global $g (mut anyref)))
      (import "m" "t" (table $t 2 anyref))
      (func (export "run") (result i32)
        (global.set $g (struct.new $p (i32.const 1)))
        (table.set $t (i32.const 1) (struct.new $p (i32.const 2)))
        (struct.get $p 0 (ref.cast (ref $p) (call $f (struct.new $p (i32.const 3))))))
      (func (export "x") (param anyref) (result i32)
        (struct.get $p 0 (ref.cast (ref $p) (local.get 0)))))""")
    cell, table = runwell.Global("anyref", mutable=True), runwell.Table("anyref", 2)

    def f(value):
        seen.append(value)
        return value

    guest = runwell.Instance(module, {"m": {"f": f, "g": cell, "t": table}}).exports
    assert guest.run() == 3
    assert guest.x(seen[0]) == 3
    assert guest.x(cell.value) == 1
    assert guest.x(table[1]) == 2


CHURN = """(module
  (type $node (struct (field i32) (field (ref null $node))))
  (type $bytes (array (mut i64)))
  (type $refs (array (mut anyref)))
  (func (export "node") (param i32 (ref null $node)) (result (ref $node))
    (struct.new $node (local.get 0) (local.get 1)))
  (func (export "value") (param (ref $node)) (result i32) (struct.get $node 0 (local.get 0)))
  (func (export "churn") (param $n i32) (param $length i32)
    (loop $more
      (drop (array.new_default $bytes (local.get $length)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $more (local.get $n))))
  (func (export "list") (param $n i32) (result (ref null $node))
    (local $list (ref null $node))
    (loop $more
      (local.set $list (struct.new $node (local.get $n) (local.get $list)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $more (local.get $n)))
    (local.get $list))
  (func (export "sum") (param $list (ref null $node)) (result i64)
    (local $sum i64)
    (block $done (loop $more
      (br_if $done (ref.is_null (local.get $list)))
      (local.set $sum (i64.add (local.get $sum)
        (i64.extend_i32_u (struct.get $node 0 (local.get $list)))))
      (local.set $list (struct.get $node 1 (local.get $list)))
      (br $more)))
    (local.get $sum))
  (func (export "array") (param i32) (result anyref)
    (array.new $refs (ref.i31 (i32.const 1)) (local.get 0))))"""


def churner(megabytes):
    engine = runwell.Engine(runwell.Config(max_heap_bytes=megabytes << 20))
    return runwell.Instance(runwell.Module(CHURN, engine=engine)).exports


def test_garbage_is_reclaimed():
    guest = churner(16)
    # Ten gigabytes in all.
    guest.churn(1_000_000, 1250)
    guest.churn(50, 1_250_000)


def test_what_python_holds_stays():
    guest = churner(32)
    nodes = [guest.node(n, None) for n in range(1000)]
    kept = guest.node(5, guest.node(6, None))
    guest.churn(100_000, 1000)
    assert [guest.value(node) for node in nodes] == list(range(1000))
    assert guest.sum(kept) == 11
    del nodes
    guest.churn(100_000, 1000)
    assert guest.sum(kept) == 11


def test_deep_structures():
    guest = churner(256)
    head = guest.list(2_000_000)
    guest.churn(10_000, 1_000)
    assert guest.sum(head) == 2_000_000 * 2_000_001 // 2


def test_the_limit_is_a_trap():
    guest = churner(16)
    for call in (guest.list, 5_000_000), (guest.array, 1 << 30), (guest.array, (1 << 32) - 1):
        with pytest.raises(runwell.ExhaustionError, match="limit of the garbage-collected heap"):
            call[0](call[1])
    # The guest can go on.
    assert guest.sum(guest.list(1000)) == 500_500


def test_a_heap_is_freed_with_its_instance():
    guest = churner(64)
    node = guest.node(1, None)
    gone = weakref.ref(guest)
    del guest
    gc.collect()
    assert gone() is None
    assert "i32" in repr(node)


def test_heaps_of_guests_that_meet_become_one():
    one, two = churner(32), churner(32)
    mine, theirs = one.list(100), two.list(1000)
    assert one.sum(theirs) == two.sum(theirs) == 500_500
    both = one.node(7, theirs)
    one.churn(100_000, 1000)
    two.churn(100_000, 1000)
    assert two.sum(both) == 500_507
    assert two.sum(mine) == 5050


def test_threads_collect_their_heaps():
    errors = []

    def work():
        guest = churner(16)
        try:
            for i in range(20):
                head = guest.list(2000)
                guest.churn(2000, 1000 + i)
                assert guest.sum(head) == 2000 * 2001 // 2
        except (runwell.RunwellError, AssertionError) as e:
            errors.append(e)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_an_interrupt_stops_a_guest_that_allocates():
    from runwell.base.traps import TrapCode
    from runwell.runtime.context import current_context

    guest = churner(16)
    context = current_context()
    timer = threading.Timer(0.1, context.interrupt, (TrapCode.INTERRUPTED,))
    timer.start()
    with pytest.raises(runwell.Trap, match="interrupted"):
        guest.churn(1_000_000_000, 100)
    timer.join()
