"""Functions that have been running for a while are reported; in a process of its own."""

import subprocess
import sys
import textwrap
from pathlib import Path

import runwell

SOURCES = Path(runwell.__file__).parents[1]


def test_what_is_reported():
    code = """
    from runwell.binary.decoder import decode
    from runwell.embed.core import load
    from runwell.embed.exports import LazyExports
    from runwell.runtime.code import ModuleCode
    from runwell.runtime.heat import HotQueue
    from runwell.runtime.instance import Instance
    from runwell.runtime.native import native
    from runwell.text.parser import parse
    load()
    queue = HotQueue()
    data = parse('''(module
      (func $f (export "f") (param i32) (result i32) (local.get 0))
      (func (export "calls") (loop (drop (call $f (i32.const 1)))
        (br_if 0 (i32.lt_u (global.get 0) (i32.const 200)))))
      (global (mut i32) (i32.const 0))
      (func (export "loop") (param $n i32)
        (loop (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
      (func (export "ten") (drop (call $f (i32.const 1))) (drop (call $f (i32.const 1)))
        (drop (call $f (i32.const 1))) (drop (call $f (i32.const 1)))))''')
    code = ModuleCode(decode(data), heat=3)
    instance = Instance(code)
    import runwell.translate.translator as translator
    translator.validate(code)
    exports = LazyExports(
        instance, {e.name: e for e in code.module.exports}, {})
    exports.ten()
    queue.wake()
    hot, = queue.wait()
    assert (hot.code, hot.module, hot.loop) == (code.code_address(0), code.address, None)
    exports.ten()  # reported once only
    exports.loop(10_000)
    queue.wake()
    hot, = queue.wait()
    assert hot.code == code.code_address(2)
    assert hot.loop is not None
    exports.ten(); exports.ten(); exports.ten()
    native.forget_hot(code.address)
    queue.wake()
    assert queue.wait() == []
    queue.stop()
    queue.close()
    print("done")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SOURCES), "HOME": str(Path.home())},
        check=False,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")
