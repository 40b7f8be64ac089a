"""Register code to data and back, for every form."""

from translate_harness import FORM_AT, HANDLERS, every_form

from runwell.translate.code import decode_code, encode_code


def test_every_form():
    instructions = every_form()
    words = encode_code(instructions, HANDLERS)
    assert decode_code(words, FORM_AT) == instructions


def test_garbage_is_refused():
    for words in ([1, 2], [1], [0, 0, 0]):
        try:
            decode_code(words, FORM_AT)
        except ValueError as error:
            assert "no instruction at byte 0" in str(error)  # noqa: PT017
        else:
            raise AssertionError(words)
