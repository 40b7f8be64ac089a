import json
import subprocess
import sys

from runwell.jit.positions import Positions


def test_lines_are_words_of_register_code():
    positions = Positions()
    scope = positions.scope("f7")
    node, before = positions.node(scope, 40), positions.before(scope)
    text = positions.text()
    assert f"!{node} = !DILocation(line: 12, scope: {scope.node})" in text
    assert f"!{before} = !DILocation(line: 1, scope: {scope.node})" in text
    assert f'{scope.node} = distinct !DISubprogram(name: "f7", linkageName: "f7"' in text
    assert "LineTablesOnly" in text


def test_operands_in_memory_trap_where_they_are_loaded():
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.jit.loaded_operands"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    count, wrong = json.loads(done.stdout)
    assert count > 200
    assert wrong == []
