"""What freqtrade's charts are given: regimes as bands of colour."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
from freqtrade.ft_types.plot_annotation_type import AnnotationTypeTA
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.enums import Regime
from adaptive_pkg.reports.chart import PLOT_CONFIG, REGIME_COLORS, regime_bands


def frame_of(codes, index=None):
    dates = pd.date_range("2023-01-01", periods=len(codes), freq="1h", tz="UTC")
    return pd.DataFrame({"date": dates, "regime": pd.array(codes, dtype="int8")}, index=index)


def test_one_band_per_stretch_with_its_regimes_name_and_colour():
    bands = regime_bands(frame_of([0, 0, 3, 3, 3, 0]))
    assert [band["label"] for band in bands] == ["strong_trend", "choppy", "strong_trend"]
    assert [band["color"] for band in bands] == [
        REGIME_COLORS[regime] for regime in (Regime.STRONG_TREND, Regime.CHOPPY, Regime.STRONG_TREND)
    ]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_bands_cover_the_candles_without_gap_or_overlap_and_freqtrade_accepts_them(codes):
    frame = frame_of(codes)
    bands = regime_bands(frame)
    assert bands[0]["start"] == frame["date"].iloc[0]
    assert bands[-1]["end"] == frame["date"].iloc[-1]
    assert all(left["end"] == right["start"] for left, right in pairwise(bands))
    for band in bands:
        AnnotationTypeTA.validate_python(band, extra="forbid")


def test_a_frame_cut_out_of_a_longer_one_is_banded_by_its_rows():
    bands = regime_bands(frame_of([1, 1, 2], index=[500, 501, 502]))
    assert [band["label"] for band in bands] == ["volatile_trend", "tight_range"]


def test_a_single_candle_is_a_band():
    (band,) = regime_bands(frame_of([4]))
    assert band["start"] == band["end"]


def test_no_candles_no_bands():
    assert regime_bands(frame_of([])) == []


def test_every_regime_has_a_colour_of_its_own():
    assert set(REGIME_COLORS) == set(Regime)
    assert len(set(REGIME_COLORS.values())) == len(Regime)


def test_the_plot_config_has_freqtrades_shape():
    assert set(PLOT_CONFIG) == {"main_plot", "subplots"}
    for group in (PLOT_CONFIG["main_plot"], *PLOT_CONFIG["subplots"].values()):
        for column, style in group.items():
            assert isinstance(column, str)
            assert set(style) <= {"color", "type", "plotly", "fill_to"}


def test_the_frame_it_is_given_is_left_alone():
    frame = frame_of([0, 1])
    before = frame.copy()
    regime_bands(frame)
    pd.testing.assert_frame_equal(frame, before)
