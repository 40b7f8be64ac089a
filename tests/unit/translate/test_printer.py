from translate_harness import every_form

from runwell.translate.parser import parse_code
from runwell.translate.printer import print_code


def test_every_form_prints_and_parses():
    instructions = every_form()
    assert parse_code(print_code(instructions)) == instructions


def test_a_label_behind_the_end():
    text = "L0:\n  br -> jump L1\n  br -> loop L0\nL1:\n"
    assert print_code(parse_code(text)) == text
