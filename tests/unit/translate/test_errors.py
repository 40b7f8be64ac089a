from runwell.translate.errors import _TEXTS, Error


def test_every_error_has_a_text():
    assert set(_TEXTS) == set(Error)


def test_texts_name_what_they_are_about():
    assert Error.UNKNOWN_LOCAL.text(7) == "unknown local 7"
    assert Error.ILLEGAL_OPCODE.text(0xFF) == "illegal opcode ff"


def test_malformed_or_invalid():
    assert Error.INTEGER_TOO_LARGE.is_malformed
    assert not Error.TYPE_MISMATCH.is_malformed
