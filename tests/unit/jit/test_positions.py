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
