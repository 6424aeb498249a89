from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast.conformal import half_widths


def test_the_rank_counted_by_hand():
    errors = np.arange(1.0, 20.0)[:, None] * [1, -2]  # 19 rows
    assert half_widths(errors, 0.8).tolist() == [16, 32]  # ⌈20 · 0.8⌉ = 16th smallest
    assert half_widths(errors, 0.95).tolist() == [19, 38]


def test_coverage_is_exact_on_average_for_exchangeable_errors():
    """19 calibration errors and 1 new one, many times: 80 % within, by the theorem; 1.96 SE = 0.8 points."""
    rng = np.random.default_rng(1)
    draws = rng.standard_t(3, size=(20, 10_000))
    covered = np.abs(draws[19]) <= half_widths(draws[:19], 0.8)
    assert covered.mean() == pytest.approx(0.8, abs=0.01)


def test_overlapping_labels_need_the_count_of_independent_rows():
    """Sums over 12 candles, 25 independent ones in calibration: an honest count covers its promise."""
    rng = np.random.default_rng(2)
    steps = rng.normal(size=(330, 4_000))
    sums = np.diff(np.cumsum(steps, axis=0)[::1], axis=0)
    errors = np.stack([sums[i : i + 12].sum(axis=0) for i in range(300)])
    later = rng.normal(size=(12, 4_000)).sum(axis=0)
    naive, honest = half_widths(errors, 0.9), half_widths(errors, 0.9, 300 / 12)
    assert (np.abs(later) <= honest).mean() > (np.abs(later) <= naive).mean()
    assert (np.abs(later) <= honest).mean() >= 0.88


@given(st.lists(st.floats(-1e6, 1e6), min_size=20, max_size=60), st.floats(0.5, 0.9))
def test_wider_for_more_coverage_and_never_less_than_the_promised_part_of_its_own_rows(values, coverage):
    errors = np.array(values)[:, None]
    width = half_widths(errors, coverage)
    assert (np.abs(errors) <= width).mean() >= coverage
    assert half_widths(errors, min(coverage + 0.05, 0.95)) >= width


def test_too_few_rows_for_the_coverage_say_how_many_are_needed():
    with pytest.raises(
        ForecastError, match=r"interval_coverage: 0.95 .* by 18 .* at least 19 .* raise train"
    ):
        half_widths(np.ones((18, 1)), 0.95)
    with pytest.raises(ForecastError, match="by 2 independent"):
        half_widths(np.ones((30, 1)), 0.8, 2.5)
    with pytest.raises(ForecastError, match="interval_coverage: 1"):
        half_widths(np.ones((30, 1)), 1.0)
