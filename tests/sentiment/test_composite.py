"""The composite is 0.4 / 0.3 / 0.3 over what is there, and neutral where nothing is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.sentiment.composite import composite, confidence_factor, index_mood
from adaptive_pkg.settings.sources import CompositeSettings

NAN = float("nan")
SHARES = CompositeSettings()


def test_all_three_by_their_weights():
    assert composite({"x": [1.0], "reddit": [-1.0], "fear_greed": [0.5]}, SHARES) == pytest.approx([0.25])


def test_what_is_missing_leaves_its_weight_to_the_others():
    moods = {"x": [NAN, NAN, NAN, 0.2], "reddit": [0.5, NAN, NAN, NAN], "fear_greed": [-0.1, 0.7, NAN, 0.9]}
    expected = [0.2, 0.7, NAN, (0.4 * 0.2 + 0.3 * 0.9) / 0.7]
    np.testing.assert_allclose(composite(moods, SHARES), expected)


def test_a_mood_without_weight_says_nothing_even_alone():
    only = CompositeSettings(x=1.0, reddit=0.0, fear_greed=0.0)
    assert np.isnan(composite({"reddit": [0.9]}, only)).all()


mood = st.one_of(st.just(NAN), st.floats(-1, 1))


@given(mood, mood, mood)
def test_it_lies_between_the_moods_it_is_made_of(x, reddit, index):
    (value,) = composite({"x": [x], "reddit": [reddit], "fear_greed": [index]}, SHARES)
    there = [mood for mood in (x, reddit, index) if not np.isnan(mood)]
    assert np.isnan(value) if not there else min(there) - 1e-12 <= value <= max(there) + 1e-12


def test_wrong_moods_and_weights_are_refused():
    with pytest.raises(DataError, match="'telegram' has no weight"):
        composite({"telegram": [1.0]}, SHARES)
    for moods in ({}, {"x": [1.0], "reddit": [1.0, 2.0]}):
        with pytest.raises(DataError, match="lengths"):
            composite(moods, SHARES)
    with pytest.raises(SettingsError, match="all three weights are 0"):
        CompositeSettings(x=0.0, reddit=0.0, fear_greed=0.0)


def test_the_index_and_the_confidences_factor_run_from_end_to_end():
    assert index_mood([0, 50, 100]).tolist() == [-1.0, 0.0, 1.0]
    assert confidence_factor([-1.0, 0.0, 1.0, NAN, 3.0]).tolist() == [0.0, 0.5, 1.0, 0.5, 1.0]
