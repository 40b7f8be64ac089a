"""The collector: what it frees, what it keeps, and threads that share a heap.

Python lets one thread at a time into instances that are connected; here threads enter the guest as
they like, as engines of other hosts might.
"""

import threading

import pytest

import runwell
from runwell.cli.script_values import call_bits
from runwell.runtime.heap_layout import size_classes
from runwell.text.wast import Number

TEXT = """(module
  (type $node (struct (field i32) (field (ref null $node))))
  (type $leaf (array (mut i8)))
  (type $tree (array (mut anyref)))
  (type $error (struct (field (mut exnref)) (field (mut anyref))))
  (tag $tag (param anyref))
  (table $t (export "table") 8 anyref)
  (elem $passive anyref (item (array.new_default $leaf (i32.const 100))))
  (global $kept (mut anyref) (ref.null any))
  (func $list (export "list") (param $n i32) (result i32)
    (local $list (ref null $node)) (local $i i32)
    (local.set $i (local.get $n))
    (loop $more
      (local.set $list (struct.new $node (local.get $i) (local.get $list)))
      (drop (array.new_default $leaf (i32.rem_u (local.get $i) (i32.const 300))))
      (local.set $i (i32.sub (local.get $i) (i32.const 1)))
      (br_if $more (local.get $i)))
    (loop $more
      (local.set $i (i32.add (local.get $i) (struct.get $node 0 (local.get $list))))
      (local.set $list (struct.get $node 1 (local.get $list)))
      (br_if $more (i32.eqz (ref.is_null (local.get $list)))))
    (local.get $i))
  (func (export "array") (param $n i32) (param $length i32)
    (loop $more
      (drop (array.new_default $leaf (local.get $length)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $more (local.get $n))))
  (func (export "keep") (param i32)
    (global.set $kept (array.new_default $leaf (local.get 0))))
  (func (export "tree") (param $n i32)
    (local $tree (ref null $tree))
    (global.set $kept (array.new $tree (ref.null any) (local.get $n)))
    (loop $more
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (array.set $tree (ref.cast (ref $tree) (global.get $kept)) (local.get $n)
        (array.new $tree (array.new_default $tree (i32.const 1)) (i32.const 2000)))
      (br_if $more (local.get $n))))
  (func (export "throw_around") (param $n i32)
    (local $e (ref null $error))
    (loop $more
      (local.set $e (struct.new_default $error))
      ;; The exception refers to the object, and the object to the exception.
      (struct.set $error 0 (local.get $e)
        (block $caught (result exnref)
          (try_table (catch_all_ref $caught) (throw $tag (local.get $e)))
          unreachable))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $more (local.get $n))))
  (func (export "rethrown") (result i32)
    (local $e (ref null $error))
    (local.set $e (struct.new $error (ref.null exn) (ref.i31 (i32.const 7))))
    (struct.set $error 0 (local.get $e)
      (block $caught (result exnref)
        (try_table (catch_all_ref $caught)
          (throw $tag (array.new_default $leaf (i32.const 77))))
        unreachable))
    (drop (call $list (i32.const 100000)))
    (array.len (ref.cast (ref $leaf) (block $value (result anyref)
      (try_table (catch $tag $value) (throw_ref (struct.get $error 0 (local.get $e))))
      unreachable))))
  (func (export "passive") (result i32)
    (table.init $t $passive (i32.const 0) (i32.const 0) (i32.const 1))
    (array.len (ref.cast (ref array) (table.get $t (i32.const 0))))))"""


def instance(megabytes=64):
    engine = runwell.Engine(runwell.Config(max_heap_bytes=megabytes << 20))
    return runwell.Instance(runwell.Module(TEXT, engine=engine))


def heap_of(found):
    return found._native.store.heap


@pytest.fixture
def guest():
    return instance()


def test_garbage_of_every_size_is_found(guest):
    heap = heap_of(guest)
    for size in (*size_classes(), 10_000, 20_000, 100_000, 900_000, 1_100_000, 5_000_000):
        guest.exports.array(200_000_000 // (size + 10_000), max(size - 16, 0))
    heap.collect()
    assert heap.native.n_collections > 10
    assert heap.used_bytes <= 8 << 14


def test_an_object_of_any_size_stays(guest):
    for size in 0, 1, 100, 10_000, 100_000, 5_000_000:
        guest.exports.keep(size)
        heap_of(guest).collect()
        heap_of(guest).collect()
        assert heap_of(guest).used_bytes >= size
    guest.exports.keep(0)
    heap_of(guest).collect()
    assert heap_of(guest).used_bytes < 1 << 20


@pytest.mark.parametrize("entries", [1 << 40, 4096, 0])
def test_the_stack_for_marking_may_be_short(guest, entries):
    heap = heap_of(guest)
    heap.native.stack_most = entries
    guest.exports.tree(300)
    used = heap.used_bytes
    heap.collect()
    assert heap.used_bytes > used // 2
    heap.collect()
    # Another look at all finds the same.
    again = heap.native.live
    heap.native.stack_most = 1 << 40
    heap.collect()
    assert heap.native.live == again


def test_cycles_of_objects_and_exceptions_are_found():
    guest = instance(16)
    guest.exports.throw_around(300_000)
    heap_of(guest).collect()
    heap_of(guest).collect()
    assert heap_of(guest).used_bytes <= 4 << 14


def test_what_an_exception_in_an_object_carries_stays(guest):
    assert guest.exports.rethrown() == 77


def test_what_a_segment_has_stays(guest):
    guest.exports.list(100_000)
    heap_of(guest).collect()
    assert guest.exports.passive() == 100


def test_what_a_table_has_stays(guest):
    guest.exports.keep(1000)
    guest.exports.passive()
    guest.exports.list(1000)
    heap_of(guest).collect()
    assert "array" in repr(guest.exports.table[0])


def test_threads_share_a_heap(guest):
    func = guest.exports["list"].native
    wrong = []

    def work(n):
        for i in range(12):
            length = 20_000 + n + i
            ((_, found),) = call_bits(func, [Number(runwell.ValType.I32, length)], lambda *_: 0)
            if found != length * (length + 1) // 2 % (1 << 32):
                wrong.append((n, i, found))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert heap_of(guest).native.n_collections > 0


def test_the_limit_counts_what_is_used():
    guest = instance(8)
    with pytest.raises(runwell.ExhaustionError):
        guest.exports.keep(9 << 20)
    guest.exports.keep(6 << 20)
    with pytest.raises(runwell.ExhaustionError):
        guest.exports.array(1, 3 << 20)
    guest.exports.keep(0)
    guest.exports.array(1, 7 << 20)
