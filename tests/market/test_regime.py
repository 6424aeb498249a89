"""The regime detector: right labels, steady labels, no look ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.market.regime import METRIC_COLUMNS, MarketRegimeDetector, Run, runs
from adaptive_pkg.settings.market import IndicatorSettings, RegimeSettings

PAIRS = ("BTC/USDT", "ETH/USDT", "LTC/USDT", "ADA/USDT", "XRP/USDT", "LINK/USDT", "SOL/USDT", "BNB/USDT")


def metrics(n: int = 40, **columns: float | np.ndarray) -> pd.DataFrame:
    """A quiet market between trend and range, with the given columns laid over it."""
    frame = {
        "adx": 22.5,
        "atr_pct": 1.0,
        "atr_ratio": 1.0,
        "bb_width": 0.03,
        "width_ratio": 1.0,
        "volume_ratio": 1.0,
        "momentum_pct": 0.5,
    } | columns
    return pd.DataFrame({name: np.broadcast_to(value, n).astype(float) for name, value in frame.items()})


def random_metrics(seed: int, n: int = 300, nan_share: float = 0.0) -> pd.DataFrame:
    """Metrics that wander across every threshold."""
    rng = np.random.default_rng(seed)

    def wander(low: float, high: float) -> np.ndarray:
        phase = np.cumsum(rng.normal(0, rng.uniform(0.05, 0.6), n))
        return low + (high - low) * (0.5 + 0.5 * np.sin(phase))

    frame = pd.DataFrame(
        {
            "adx": wander(10, 40),
            "atr_pct": wander(0.3, 5),
            "atr_ratio": wander(0.5, 2),
            "bb_width": wander(0.004, 0.05),
            "width_ratio": wander(0.3, 1.6),
            "volume_ratio": wander(0, 4),
            "momentum_pct": wander(-6, 6),
        }
    )
    return frame.mask(rng.random(frame.shape) < nan_share)


def reported(frame: pd.DataFrame, **overrides) -> Regime:
    """The regime reported at the last candle."""
    return Regime.from_code(int(MarketRegimeDetector(RegimeSettings(**overrides)).detect(frame).codes[-1]))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"adx": 30, "atr_ratio": 1.0}, Regime.STRONG_TREND),
        ({"adx": 30, "atr_ratio": 1.5}, Regime.VOLATILE_TREND),
        ({"adx": 15, "width_ratio": 0.5}, Regime.TIGHT_RANGE),
        ({"adx": 15, "width_ratio": 1.1}, Regime.CHOPPY),
        ({"adx": 22.5}, Regime.TRANSITIONAL),
        ({"adx": np.nan}, Regime.TRANSITIONAL),
    ],
)
def test_each_regime_has_its_own_metrics(columns, expected):
    assert reported(metrics(**columns)) is expected


def test_the_absolute_set_reads_absolute_atr_and_width():
    wild = metrics(adx=30, atr_pct=3.5, atr_ratio=1.0)
    assert reported(wild) is Regime.STRONG_TREND
    assert reported(wild, threshold_set="absolute") is Regime.VOLATILE_TREND
    narrow = metrics(adx=15, bb_width=0.008, width_ratio=1.0)
    assert reported(narrow) is Regime.CHOPPY
    assert reported(narrow, threshold_set="absolute") is Regime.TIGHT_RANGE


@pytest.mark.parametrize(
    ("columns", "override"),
    [
        ({"adx": 27}, {"adx_trend": 30.0}),
        ({"adx": 18, "width_ratio": 0.5}, {"adx_flat": 15.0}),
        ({"adx": 30, "atr_ratio": 1.5}, {"atr_high": 2.0}),
        ({"adx": 15, "width_ratio": 0.6}, {"width_tight": 0.5}),
    ],
)
def test_moving_a_threshold_moves_the_label(columns, override):
    frame = metrics(**columns)
    assert reported(frame) is not reported(frame, **override)


def test_a_state_ends_only_past_its_looser_threshold():
    # In at 25, out at 23: between them the trend, once begun, goes on.
    adx = np.r_[np.full(20, 26.0), np.full(20, 23.5), np.full(20, 22.8)]
    codes = MarketRegimeDetector(RegimeSettings(min_dwell_candles=1)).detect(metrics(60, adx=adx)).codes
    assert runs(codes) == [Run(0, 40, Regime.STRONG_TREND.code), Run(40, 60, Regime.TRANSITIONAL.code)]
    never_in = MarketRegimeDetector(RegimeSettings()).detect(metrics(60, adx=23.5)).codes
    assert (never_in == Regime.TRANSITIONAL.code).all()


@pytest.mark.parametrize(
    ("column", "adx", "path", "raw"),
    [
        # Volatile from 1.3, until below 1.196; tight below 0.7, until 0.756.
        (
            "atr_ratio",
            30.0,
            [1.25, 1.3, 1.2, 1.19],
            ["strong_trend", *["volatile_trend"] * 2, "strong_trend"],
        ),
        ("width_ratio", 15.0, [0.72, 0.69, 0.75, 0.76], ["choppy", *["tight_range"] * 2, "choppy"]),
    ],
)
def test_volatile_and_tight_have_their_own_looser_ends(column, adx, path, raw):
    frame = metrics(4, adx=adx, **{column: np.array(path)})
    found = MarketRegimeDetector(RegimeSettings(hysteresis=0.08)).detect(frame).raw
    assert [Regime.from_code(code) for code in found] == raw


def test_trend_and_flat_exclude_each_other_when_their_thresholds_meet():
    detector = MarketRegimeDetector(RegimeSettings(adx_trend=20.0, adx_flat=20.0, min_dwell_candles=1))
    adx = np.array([21.0, 19.9, 20.1, 19.5, 20.0])
    names = [Regime.from_code(code) for code in detector.detect(metrics(5, adx=adx)).raw]
    assert names == [Regime.STRONG_TREND, Regime.CHOPPY, Regime.STRONG_TREND, Regime.CHOPPY, Regime.CHOPPY]


def test_a_new_regime_is_reported_once_it_has_held_long_enough():
    adx = np.r_[np.full(50, 30.0), np.full(20, 15.0)]
    codes = MarketRegimeDetector(RegimeSettings(min_dwell_candles=6)).detect(metrics(70, adx=adx)).codes
    # However old the trend is, the range must prove itself: candles 50 to 55 are its first six.
    assert (codes[6:55] == Regime.STRONG_TREND.code).all()
    assert (codes[55:] == Regime.CHOPPY.code).all()


def test_a_short_excursion_is_never_reported():
    adx = np.full(60, 30.0)
    adx[30:35] = 15.0
    codes = MarketRegimeDetector(RegimeSettings(min_dwell_candles=6)).detect(metrics(60, adx=adx)).codes
    assert (codes[6:] == Regime.STRONG_TREND.code).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    dwell=st.integers(1, 20),
    back=st.floats(0, 0.4),
    nan=st.sampled_from([0.0, 0.02]),
)
def test_no_reported_dwell_is_shorter_than_the_minimum(seed, dwell, back, nan):
    detector = MarketRegimeDetector(RegimeSettings(min_dwell_candles=dwell, hysteresis=back))
    found = runs(detector.detect(random_metrics(seed, nan_share=nan)).codes)
    assert all(run.stop - run.start >= dwell for run in found[1:-1])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 299), nan=st.sampled_from([0.0, 0.05]))
def test_labels_and_confidence_do_not_change_when_candles_are_appended(seed, cut, nan):
    frame = random_metrics(seed, nan_share=nan)
    detector = MarketRegimeDetector(RegimeSettings())
    whole, part = detector.detect(frame), detector.detect(frame.iloc[:cut])
    for name in ("codes", "raw", "valid", "confidence"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:cut])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_wider_hysteresis_never_makes_a_single_state_switch_more_often(seed):
    adx = random_metrics(seed)["adx"].to_numpy()
    counts = []
    for back in (0.0, 0.1, 0.2):
        # Both thresholds far apart: only "trend or not" can change.
        detector = MarketRegimeDetector(RegimeSettings(adx_flat=5.0, hysteresis=back, min_dwell_candles=1))
        counts.append(len(runs(detector.detect(metrics(300, adx=adx)).raw)))
    assert counts == sorted(counts, reverse=True)


def test_warm_up_is_transitional_without_confidence(random_candles):
    frame = compute_indicators(random_candles(900), IndicatorSettings())
    found = MarketRegimeDetector(RegimeSettings()).detect(frame)
    first = int(np.argmax(found.valid))
    assert 700 < first < 900
    assert (found.codes[:first] == Regime.TRANSITIONAL.code).all()
    assert (found.confidence[:first] == 0).all()
    assert (found.confidence[first:] > 0).all()


def test_a_missing_metric_in_midstream_keeps_the_regime_and_drops_the_confidence():
    frame = metrics(60, adx=30.0)
    frame.loc[30:32, "volume_ratio"] = np.nan
    found = MarketRegimeDetector(RegimeSettings()).detect(frame)
    assert (found.codes[6:] == Regime.STRONG_TREND.code).all()
    assert (found.confidence[30:33] == 0).all()
    assert (found.raw[30:33] == Regime.TRANSITIONAL.code).all()


@pytest.mark.parametrize("column", METRIC_COLUMNS)
def test_a_missing_column_is_named(column):
    with pytest.raises(DataError, match=f"no column '{column}'"):
        MarketRegimeDetector(RegimeSettings()).detect(metrics().drop(columns=column))


def test_a_column_of_text_is_named():
    with pytest.raises(DataError, match="'adx' does not hold numbers"):
        MarketRegimeDetector(RegimeSettings()).detect(metrics().assign(adx="high"))


def test_an_empty_frame_gives_an_empty_answer():
    found = MarketRegimeDetector(RegimeSettings()).detect(metrics(0))
    assert len(found) == 0
    assert runs(found.codes) == []


def test_runs_cover_the_codes_without_a_hole():
    codes = np.array([2, 2, 0, 0, 0, 4], dtype=np.int8)
    assert runs(codes) == [Run(0, 2, 2), Run(2, 5, 0), Run(5, 6, 4)]


# --- scenario streams: candles in, regime out ---------------------------------------------------


def market(seed: int, *phases: tuple[str, int]) -> pd.DataFrame:
    """Candles of a quiet base market followed by the named phases."""
    rng = np.random.default_rng(seed)
    returns = [rng.normal(0, 0.006, 1200)]
    for name, length in phases:
        noise = rng.normal(0, 1, length)
        if name == "trend":
            returns.append(0.003 + 0.004 * noise)
        elif name == "crash":
            returns.append(-0.02 + 0.02 * noise)
        elif name == "tight range":
            level = 0.0012 * noise
            returns.append(np.diff(level, prepend=0.0))
        elif name == "wide range":
            level = 0.016 * noise
            returns.append(np.diff(level, prepend=0.0))
    close = 100 * np.exp(np.cumsum(np.concatenate(returns)))
    before = np.concatenate([[100.0], close[:-1]])
    wick = 1 + np.abs(rng.normal(0, 0.0006, (2, len(close))))
    return pd.DataFrame(
        {
            "open": before,
            "high": np.maximum(before, close) * wick[0],
            "low": np.minimum(before, close) / wick[1],
            "close": close,
            "volume": rng.lognormal(3, 0.4, len(close)),
        }
    )


@pytest.mark.parametrize(
    ("phase", "length", "expected"),
    [
        ("trend", 120, Regime.STRONG_TREND),
        ("crash", 48, Regime.VOLATILE_TREND),
        ("tight range", 80, Regime.TIGHT_RANGE),
        ("wide range", 80, Regime.CHOPPY),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_market_made_of_one_phase_is_recognised(phase, length, expected, seed):
    frame = compute_indicators(market(seed, (phase, length)), IndicatorSettings())
    found = MarketRegimeDetector(RegimeSettings()).detect(frame)
    settled = found.codes[-length // 4 :]
    assert np.mean(settled == expected.code) > 0.7
    assert found.confidence[-length // 4 :][settled == expected.code].mean() > 0.5


def test_a_crash_after_a_calm_trend_turns_the_trend_volatile():
    frame = compute_indicators(market(1, ("trend", 120), ("crash", 48)), IndicatorSettings())
    codes = MarketRegimeDetector(RegimeSettings()).detect(frame).codes
    assert codes[1200 + 119] == Regime.STRONG_TREND.code
    assert codes[-1] == Regime.VOLATILE_TREND.code


# --- real candles -------------------------------------------------------------------------------


@pytest.mark.real_data
def test_with_the_defaults_every_regime_holds_five_percent_of_the_time(real_candles):
    chosen = IndicatorSettings(), RegimeSettings()
    shares, switches = [], []
    for pair in PAIRS:
        found = MarketRegimeDetector(chosen[1]).detect(compute_indicators(real_candles(pair), chosen[0]))
        codes = found.codes[found.valid]
        shares.append(np.bincount(codes, minlength=5) / len(codes))
        spans = runs(codes)
        switches.append(8766 * (len(spans) - 1) / len(codes))
        assert min(run.stop - run.start for run in spans[1:-1]) >= chosen[1].min_dwell_candles
    assert np.min(shares) >= 0.05, dict(zip(PAIRS, np.round(shares, 3).tolist(), strict=True))
    assert np.max(switches) <= 365  # once a day at most


@pytest.mark.real_data
def test_the_forming_history_of_a_live_bot_gives_the_label_of_the_backtest(real_candles):
    candles = real_candles("BTC/USDT").iloc[:8000]
    detector = MarketRegimeDetector(RegimeSettings())
    whole = detector.detect(compute_indicators(candles, IndicatorSettings()))
    for end in range(1500, 8000, 650):
        tail = detector.detect(compute_indicators(candles.iloc[end - 999 : end + 1], IndicatorSettings()))
        assert tail.codes[-1] == whole.codes[end]


def test_settings_are_part_of_the_answer_not_of_the_call_count():
    # Calling again, or for another pair, changes nothing: the detector keeps no state.
    detector = MarketRegimeDetector(replace(RegimeSettings(), min_dwell_candles=4))
    first = detector.detect(random_metrics(1))
    detector.detect(random_metrics(2))
    np.testing.assert_array_equal(detector.detect(random_metrics(1)).codes, first.codes)


def test_candles_without_all_metrics_have_no_tradable_regime(random_candles):
    frame = compute_indicators(random_candles(900), IndicatorSettings())
    regimes = MarketRegimeDetector(RegimeSettings()).detect(frame)
    assert (regimes.tradable_codes[:700] == -1).all()
    assert (regimes.tradable_codes[regimes.valid] == regimes.codes[regimes.valid]).all()
