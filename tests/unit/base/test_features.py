import pytest

from runwell.base.features import BIT, DEFAULT, FEATURES, feature_set


def test_every_feature_has_a_bit_of_its_own():
    assert len(set(BIT.values())) == len(FEATURES)


def test_set_from_names():
    assert feature_set("") == DEFAULT
    assert feature_set("-simd, wide-arithmetic") == DEFAULT & ~BIT["simd"] | BIT["wide-arithmetic"]


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"unknown feature 'sime'; features are .*simd"):
        feature_set("-sime")
