"""Statements against Python, and flow that is refused."""

import ctypes

import pytest

from runwell.codegen.testing import bind
from runwell.kernel import Failure, Ptr, addr, i8, i32, kernel, local_array, struct, u8, u32, u64


@kernel
def collatz(n: u64) -> u32:
    steps: u32 = 0
    while n != 1:
        if n % 2 == 0:
            n //= 2
        else:
            n = n * 3 + 1
        steps += 1
    return steps


@kernel
def primes(limit: u32) -> u32:
    count: u32 = 0
    for n in range(2, limit):
        d: u32 = 2
        while True:
            if d * d > n:
                count += 1
                break
            if n % d == 0:
                break
            d += 1
    return count


@kernel
def skipping(n: i32) -> i32:
    total: i32 = 0
    for i in range(n, -n, -3):
        if i % 2 != 0:
            continue
        total += i
        i = 1000  # noqa: PLW2901 (the range goes on all the same)
    return total


@kernel
def edges(step_over: u8) -> u32:
    count: u32 = 0
    for i in range(step_over, u8(255), 100):
        count += 1 + u32(i) * 1000
    for j in range(i8(127), -128, -100):
        count += 1 + u32(j < 0)
    return count


@kernel
def last(n: u32) -> u32:
    i: u32 = 99
    for i in range(n):  # noqa: B007
        pass
    return i


def skipping_(n):
    return sum(i for i in range(n, -n, -3) if i % 2 == 0)


@pytest.mark.parametrize("level", [0, 2])
def test_loops(level):
    lib = bind(collatz, primes, skipping, edges, last, level=level)
    assert lib.collatz(27) == 111
    assert lib.primes(100) == 25
    assert [lib.skipping(n) for n in range(20)] == [skipping_(n) for n in range(20)]
    assert lib.edges(50) == 3 + (50 + 150 + 250) * 1000 + 3 + 1
    assert lib.last(5) == 4
    assert lib.last(0) == 99


@kernel
def classify(x: u8) -> u32:
    match x:
        case 0:
            return 1
        case 1 | 2 | 0x80:
            y: u32 = 2
        case 255:
            y = 3
            if x > 1:
                y = 4
        case _:
            return 9
    return y * 10


@kernel
def partial(x: i32) -> i32:
    match x:
        case -1:
            x = 5
        case 1:
            return 6
    return x


@kernel
def total(x: u32) -> u32:
    match x:
        case 1:
            return 2
        case _:
            return 3


def test_match():
    lib = bind(classify, partial, total)
    assert [lib.classify(x) for x in (0, 1, 2, 128, 255, 77)] == [1, 20, 20, 20, 40, 9]
    assert [lib.partial(x) for x in (-1, 0, 1)] == [5, 0, 6]
    assert [lib.total(x) for x in (1, 2)] == [2, 3]


@struct
class Point:
    x: u32
    y: u64


@struct
class Line:
    a: Point
    b: Point


@kernel
def swap(line: Line) -> None:
    spare = local_array(Point, 1)
    spare[0] = line.a
    line.a = line.b
    line.b = spare[0]
    line.a.x += 1


@kernel
def rebind(line: Line) -> u64:
    p = line.a
    first = p.y
    p = line.b
    p.y *= 2
    q: Ptr[Point] = addr(line.a)
    q.y += first
    return p.y


def test_structs_are_copied_locals_rebound():
    lib = bind(swap, rebind)
    line = Line.ctype()
    line.a.x, line.a.y, line.b.x, line.b.y = 1, 2, 3, 4
    lib.swap(line)
    assert (line.a.x, line.a.y, line.b.x, line.b.y) == (4, 4, 1, 2)
    assert lib.rebind(line) == 4
    assert (line.a.y, line.b.y) == (8, 4)


@struct
class Output:
    at: Ptr[u32]


@kernel
def advance(out: Output) -> u32:
    out.at += 1
    return 7


@kernel
def order(out: Output) -> None:
    out.at[0] = advance(out)
    out.at[0] += advance(out)


def test_the_value_is_evaluated_before_the_place():
    cells = (ctypes.c_uint32 * 4)(1, 2, 3, 4)
    bind(order).order(Output.ctype(ctypes.addressof(cells)))
    assert list(cells) == [1, 14, 3, 4]


class Small(Failure):
    pass


class Big(Small):
    pass


@kernel
def check(x: u32) -> u32:
    if x < 3:
        raise Small(1)
    if x > 9:
        raise Big(i32(x))
    return x * 2


@kernel
def check_void(x: u32, out: Ptr[u32]) -> None:
    out[0] = check(x)


@kernel
def rescue(x: u32) -> i32:
    try:
        y = check(x) + check(x + 1)
    except Small as e:
        return -e.code
    return i32(y)


@kernel
def again(x: u32) -> u32:
    tries: u32 = 0
    while True:
        tries += 1
        try:
            if tries > 5:
                break
            check(x)
            return tries
        except Small as e:
            if e.code > 1:
                raise
            x += 1
    return 100


@kernel
def nested(x: u32) -> u32:
    result: u32 = 0
    try:
        try:
            result = check(x)
        except Small as inner:
            if inner.code == 1:
                raise Big(50)  # noqa: B904
            result = 7
    except Small as outer:
        result = u32(outer.code)
    return result


@kernel
def ignore(x: u32) -> u32:
    try:  # noqa: SIM105
        check(x)
    except Small:
        pass
    return x


@pytest.mark.parametrize("level", [0, 2])
def test_failures(level):
    lib = bind(check, check_void, rescue, again, nested, ignore, level=level)
    assert lib.check(4) == 8
    with pytest.raises(Failure) as e:  # one of two classes: their common base
        lib.check(12)
    assert e.value.code == 12
    out = ctypes.c_uint32()
    assert lib.check_void(5, out) is None
    assert out.value == 10
    with pytest.raises(Failure):
        lib.check_void(1, out)
    assert [lib.rescue(x) for x in (1, 4, 9, 20)] == [-1, 18, -10, -20]
    assert [lib.again(x) for x in (0, 3)] == [4, 1]
    with pytest.raises(Small) as small:
        lib.again(10)
    assert small.value.code == 10
    assert [lib.nested(x) for x in (1, 4, 12)] == [50, 8, 7]
    assert lib.ignore(0) == 0


@kernel
def assigned_on_all_paths(x: u32) -> u32:
    y: u32
    if x > 3:
        y = 1
    elif x > 2:
        return 5
    else:
        y = 2
    while True:
        z = y + x
        if z > 10:
            break
        x += 1
    return z


def test_assignment_by_flow():
    lib = bind(assigned_on_all_paths)
    assert [lib.assigned_on_all_paths(x) for x in (3, 4, 50)] == [5, 11, 51]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return x\n    x = 1", "unreachable statement"),
        ("while True:\n        pass\n    return x", "unreachable statement"),
        ("x = 1", "control may reach the end without returning u32"),
        ("match x:\n        case 1:\n            return x", "control may reach the end"),
        ("return", "the result is u32"),
        ("x: u64 = 1\n    return 1", "x is u32 already, not u64"),
        ("x.y: u64 = 1", "only a local can have a type"),
        ("y: None\n    return x", "a local cannot be None"),
        ("y: Array[u8, 2]\n    return x", "a local cannot be Array[u8, 2]"),
        ("y = void()\n    return x", "a local cannot be None"),
        ("a = b = x\n    return x", "one target at a time"),
        ("a, b = x\n    return x", "one target at a time"),
        ("x\n    return x", "an expression statement must be a call"),
        ("del x", "Delete is not in the kernel language"),
        ("with x:\n        pass", "With is not in the kernel language"),
        ("s.items = s.items\n    return x", "an array cannot be assigned to"),
        ("s.point += 1\n    return x", "no arithmetic on Point"),
        ("s.point = x\n    return x", "this is u32, but Point is needed"),
        ("y += 1\n    return x", "y has no value yet"),
        ("for i in 3:\n        pass\n    return x", "write `for name in range(...)`"),
        ("for s.x in range(3):\n        pass\n    return x", "write `for name in range(...)`"),
        ("for i in range(3):\n        pass\n    return x", "the constant 3 needs a type here"),
        ("for i in range(x, 9, x):\n        pass\n    return x", "the step must be a constant"),
        ("for i in range(x, 9, 0):\n        pass\n    return x", "the step must be a constant"),
        ("for i in range(z):\n        pass\n    return x", "a range of f64"),
        ("for i in range(x):\n        pass\n    return i", "i may have no value here"),
        (
            "for i in range(x):\n        pass\n    else:\n        pass",
            "write `for name in range(...)` without else",
        ),
        ("while x > 1:\n        pass\n    else:\n        pass", "a loop has no else"),
        ("while x > 1:\n        y = x\n    return y", "y may have no value here"),
        ("match z:\n        case 1:\n            pass", "match needs an integer, not f64"),
        ("match x:\n        case 1 if x > 1:\n            pass", "a case has no guard"),
        ("match x:\n        case y:\n            pass", "a pattern must be an integer constant"),
        ("match x:\n        case 'a':\n            pass", "a pattern must be an integer"),
        ("match x:\n        case 1 | _:\n            pass", "a pattern must be an integer"),
        ("match x:\n        case 1 | 1:\n            pass", "1 is matched above already"),
        ("match x:\n        case -1:\n            pass", "-1 does not fit u32"),
        ("raise ValueError(1)", "ValueError is not a Failure"),
        ("raise Failure(0)", "code 0 means success"),
        ("raise Failure(x)", "this is u32, but i32 is needed"),
        ("raise Failure", "write `raise SomeFailure(code)`"),
        ("raise Failure(1) from Failure", "write `raise SomeFailure(code)`"),
        ("raise", "write `raise SomeFailure(code)`"),
        ("try:\n        pass\n    finally:\n        pass", "a try has exactly one except"),
        ("try:\n        pass\n    except:\n        pass", "write `except SomeFailure`"),
        ("try:\n        pass\n    except KernelError:\n        pass", "write `except SomeFailure`"),
        ("try:\n        pass\n    except Failure as x:\n        pass", "x is in use"),
        ("try:\n        pass\n    except Failure as e:\n        e = x", "e is a caught failure"),
        (
            "try:\n        pass\n    except Failure as e:\n        return e",
            "only e.code can be used",
        ),
        (
            "try:\n        pass\n    except Failure as e:\n        return e.x",
            "a caught failure has only a .code",
        ),
        (
            "try:\n        y = x\n    except Failure:\n        pass\n    return y",
            "y may have no value",
        ),
    ],
)
def test_refused(refusal, body, message):
    text = f"""
@struct
class Point:
    x: u32
@struct
class S:
    point: Point
    items: Array[u8, 3]
    x: u32
@kernel
def void() -> None:
    pass
@kernel
def f(x: u32, z: f64, s: S) -> u32:
    {body}
"""
    assert f"in f: {message}" in refusal(text)
