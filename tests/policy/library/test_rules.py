"""Each rule fires in its scenario with its strength, not beside it; all are causal and survive any frame."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.policy.library import LibraryRule, library_startup_candles, read_rules
from adaptive_pkg.policy.library.inputs import LIBRARY_COLUMNS
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.settings.library import LIBRARY_RULES

RULES = list(LibraryRule)


def upside_down(frame):
    """The same market mirrored round 100, in which longs become shorts."""
    out = frame.copy()
    for name in ("open", "close", "ema_fast", "ema_slow"):
        out[name] = 200.0 - frame[name]
    for high, low in (("high", "low"), ("bb_upper", "bb_lower"), ("donchian_high", "donchian_low")):
        out[high], out[low] = 200.0 - frame[low], 200.0 - frame[high]
    out["rsi"] = 100.0 - frame["rsi"]
    return out


def profile_closes(n):
    """Six of ten candles at 103, the peak; one each at 97, 99, 100 and 101."""
    return np.resize([103, 97, 103, 99, 103, 103, 100, 103, 101, 103], n).astype(float)


def at_closes(quiet, closes, **columns):
    frame = quiet(len(closes), **columns)
    frame["open"] = frame["close"] = closes
    frame["high"], frame["low"] = closes + 0.5, closes - 0.5
    return frame


def squeeze(quiet, close=104.2, **before):
    return quiet(60, {-2: before, -1: {"close": close, "high": 104.5, "bb_width": 0.2}})


def spike(quiet, close=98.9, volume_ratio=2.0, before=100.0):
    last = {"close": close, "high": 100.0, "low": close - 0.1, "volume_ratio": volume_ratio}
    return quiet(60, {-2: {"close": before}, -1: last})


def retest(quiet, *after):
    changes = {20: {"close": 102.0, "high": 102.5}} | {21 + i: values for i, values in enumerate(after)}
    return quiet(40, changes, donchian_high=101.0)


HOLDS = {"close": 101.8, "low": 101.1, "high": 102.0}
FAR = {"close": 101.9, "low": 101.6, "high": 102.0}
INSIDE = {"close": 100.9, "low": 100.8}


def oversold(quiet, rsi=20.0, adx=30.0, close=97.0):
    return quiet(60, {-1: {"rsi": rsi, "adx": adx, "close": close, "low": close - 0.1}})


def swept(quiet, low=99.0, close=99.8):
    return quiet(60, {-1: {"low": low, "close": close}})


def pinched(quiet, fast=100.4, slow=100.2):
    return quiet(420, {-1: {"ema_fast": fast, "ema_slow": slow}}, ema_fast=103.0, ema_slow=102.0)


def divergence(quiet, close=100.4):
    """Lower swing low at 46 than at 40, closes near the highs between them."""
    changes = {candle: {"close": close} for candle in range(41, 47)}
    changes[40] = {"low": 98.0}
    changes[46] = {"low": 97.0, "close": close}
    return quiet(60, changes)


def gap(quiet, back=101.7, left=102.2):
    """A gap from 100.5 to 101.5 at candle 50; price leaves it, then comes back to `back`."""
    up = {"open": 102.3, "close": 102.3, "high": 102.5}
    changes = {50: up | {"low": 101.5}, 51: up | {"low": left}, 52: up | {"low": back}}
    return quiet(53, changes)


def rejected(quiet, close=99.5, before=98.0, last_volume=10.0, **columns):
    frame = at_closes(quiet, np.append(profile_closes(228), [before, close]), **columns)
    frame.loc[len(frame) - 1, "volume"] = last_volume
    return frame


FIRES = [
    (LibraryRule.BB_SQUEEZE, squeeze, {}, -1, 0.70),
    (LibraryRule.BB_SQUEEZE, squeeze, {"close": 103.5}, -1, 0.55),
    (LibraryRule.VWAP_PULLBACK, "quiet", {"ema_slow": 99.5, "ema_fast": 99.8}, -1, 0.55),
    (LibraryRule.VWAP_BANDS_MR, spike, {}, -1, 0.45 + 0.24 * 0.0861 + 0.16 * 1.1),
    (LibraryRule.VWAP_BANDS_MR, spike, {"close": 97.0}, -1, 0.70),
    (LibraryRule.ATR_MOMENTUM, "last", {"close": 100.9, "high": 101.0}, -1, 0.50 + 0.15 * 0.9),
    (LibraryRule.ATR_MOMENTUM, "last", {"close": 105.0, "high": 105.0}, -1, 0.85),
    (LibraryRule.RSI_MR, oversold, {}, -1, 0.30 + 0.25 / 3 + 0.12 + 0.08),
    (LibraryRule.RSI_MR, oversold, {"rsi": 33.0, "adx": 20.0}, -1, 0.30 + 0.25 * 2 / 35 + 0.12 + 0.08),
    (LibraryRule.SFP, swept, {}, -1, 0.55),
    (LibraryRule.EMA_PINCH, pinched, {}, -1, 0.50),
    (LibraryRule.CVD, "last", {"close": 100.4}, -1, 0.40),
    (LibraryRule.CVD, divergence, {}, 48, 0.80),
    (LibraryRule.FVG, gap, {}, 52, 0.90 * (1 - 0.5 * 0.2 / 0.35)),
    (LibraryRule.FVG, gap, {"back": 101.0}, 52, 0.90),
    (LibraryRule.VOLUME_PROFILE, rejected, {}, -1, 0.80),
    (LibraryRule.VOLUME_PROFILE, rejected, {"last_volume": 1e6}, -1, 0.80),  # not its own peak
    (LibraryRule.VOLUME_PROFILE, rejected, {"before": 102.5, "close": 103.3}, -1, 0.55),
]  # fmt: skip

SILENT = [
    (LibraryRule.BB_SQUEEZE, squeeze, {"close": 103.0}, "not close to the band"),
    (LibraryRule.BB_SQUEEZE, squeeze, {"bb_width": 0.2}, "the candle before was not narrow"),
    (LibraryRule.VWAP_PULLBACK, "quiet", {"ema_slow": 99.5, "ema_fast": 100.2}, "below the fast EMA"),
    (LibraryRule.VWAP_PULLBACK, "quiet", {"ema_slow": 99.5, "ema_fast": 99.8, "atr": np.nan}, "no ATR"),
    (LibraryRule.VWAP_BANDS_MR, spike, {"volume_ratio": 1.4}, "without volume"),
    (LibraryRule.VWAP_BANDS_MR, spike, {"close": 99.2}, "inside the bands"),
    (LibraryRule.VWAP_BANDS_MR, spike, {"before": 98.5, "close": 97.0}, "outside before"),
    (LibraryRule.ATR_MOMENTUM, "last", {"close": 100.9, "adx": 17.0}, "no trend"),
    (LibraryRule.ATR_MOMENTUM, "last", {"close": 100.5}, "a small body"),
    (LibraryRule.RSI_MR, oversold, {"rsi": 28.0, "adx": 45.0}, "a strong trend asks for 25"),
    (LibraryRule.RSI_MR, oversold, {"rsi": 40.0, "adx": 20.0}, "a quiet market is not bought at 40"),
    (LibraryRule.RSI_MR, oversold, {"close": 94.5}, "too far beyond the band"),
    (LibraryRule.RSI_MR, oversold, {"adx": np.nan}, "no ADX"),
    (LibraryRule.SFP, swept, {"close": 99.4}, "closed beyond the swing"),
    (LibraryRule.SFP, swept, {"low": 99.49, "close": 99.51}, "hardly a wick"),
    (LibraryRule.SFP, swept, {"low": 99.5}, "no new low"),
    (LibraryRule.EMA_PINCH, pinched, {"fast": 100.2, "slow": 100.4}, "not in order"),
    (LibraryRule.EMA_PINCH, pinched, {"fast": 106.0, "slow": 104.0}, "far apart"),
    (LibraryRule.CVD, "last", {"open": 101.0, "close": 101.0, "high": 101.0, "low": 101.0}, "no range"),
    (LibraryRule.FVG, gap, {"back": 100.4}, "filled"),
    (LibraryRule.FVG, gap, {"back": 102.1}, "not back yet"),
    (LibraryRule.FVG, gap, {"left": 101.8, "back": 101.7}, "never left"),
    (LibraryRule.VOLUME_PROFILE, rejected, {"close": 98.5}, "still outside: no fading of a trend"),
    (LibraryRule.VOLUME_PROFILE, rejected, {"atr": 5.0}, "no room to the peak"),
    (LibraryRule.VOLUME_PROFILE, rejected, {"before": 99.5, "close": 100.5}, "inside all along"),
]  # fmt: skip


def frame_of(scenario, quiet, bend):
    if scenario == "quiet":
        return quiet(60, **bend)
    if scenario == "last":
        return quiet(60, {-1: bend})
    return scenario(quiet, **bend)


@pytest.mark.parametrize(("rule", "scenario", "bend", "candle", "strength"), FIRES)
def test_a_rule_fires_long_in_its_scenario_and_short_in_its_mirror(
    quiet, library, rule, scenario, bend, candle, strength
):
    frame = frame_of(scenario, quiet, bend)
    assert read_rules(frame, library).of(rule)[candle] == pytest.approx(strength, abs=2e-3)
    assert read_rules(upside_down(frame), library).of(rule)[candle] == pytest.approx(-strength, abs=2e-3)


@pytest.mark.parametrize(("rule", "scenario", "bend", "why"), SILENT)
def test_a_rule_is_silent_beside_its_scenario(quiet, library, rule, scenario, bend, why):
    frame = frame_of(scenario, quiet, bend)
    assert read_rules(frame, library).of(rule)[-1] == 0, why
    assert read_rules(upside_down(frame), library).of(rule)[-1] == 0, why


def test_a_quiet_market_makes_every_rule_silent(quiet, library):
    assert not read_rules(quiet(450), library).signed.any()


@pytest.mark.parametrize(
    ("after", "fired"),
    [
        ((HOLDS, HOLDS), [21]),  # the first return only
        ((FAR, FAR, HOLDS), [23]),
        ((FAR, FAR, FAR, FAR, HOLDS), [25]),
        ((FAR, FAR, FAR, FAR, FAR, HOLDS), []),  # too late
        ((INSIDE, HOLDS), []),  # a close back inside ends it
        ((FAR, FAR, FAR), []),
    ],
)
def test_a_breakout_is_retested_once_in_time_and_only_while_it_holds(quiet, library, after, fired):
    frame = retest(quiet, *after)
    frame.loc[21 + len(after) :, ["close", "low", "high"]] = (103.0, 102.5, 103.5)
    reading = read_rules(frame, library).of(LibraryRule.BREAKOUT_RETEST)
    assert np.flatnonzero(reading).tolist() == fired
    assert all(reading[fired] == 0.60)
    mirrored = read_rules(upside_down(frame), library).of(LibraryRule.BREAKOUT_RETEST)
    assert np.flatnonzero(mirrored).tolist() == fired
    assert all(mirrored[fired] == -0.60)


def test_rsi_counts_a_fresh_divergence(quiet, library):
    swings = {40: {"low": 98.0, "rsi": 25.0}, 46: {"low": 97.0, "rsi": 28.0}}
    fresh = quiet(60, swings | {50: {"rsi": 20.0, "close": 97.0}, 56: {"rsi": 20.0, "close": 97.0}})
    reading = read_rules(fresh, library).of(LibraryRule.RSI_MR)
    assert reading[46] == pytest.approx(0.30 + 0.25 * 2 / 30 + 0.08)  # two candles before it is known
    assert reading[50] == pytest.approx(0.5833 + 0.18, abs=1e-3)  # known at 48, fresh to 52
    assert reading[56] == pytest.approx(0.5833, abs=1e-3)


@given(deep=st.floats(1.0, 29.0), deeper=st.floats(1.0, 29.0))
def test_rsi_grows_as_it_goes_deeper_never_as_it_comes_back(quiet, library, deep, deeper):
    frame = quiet(2, {0: {"rsi": deep}, 1: {"rsi": deeper}}, close=97.0, low=96.9)
    first, second = read_rules(frame, library).of(LibraryRule.RSI_MR)
    assert (first - second) * (deeper - deep) >= 0


def test_a_cross_of_the_own_mean_is_one_candle_long(quiet, library):
    frame = quiet(60, {candle: {"close": 100.4} for candle in (-3, -2, -1)})
    reading = read_rules(frame, library).of(LibraryRule.CVD)
    assert reading[-3:].tolist() == [0.40, 0.0, 0.0]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_rule_speaks_sometimes_and_none_nearly_always(market, library, seed):
    readings = read_rules(market(4000, seed), library)
    share = dict(zip(RULES, (readings.signed != 0).mean(axis=0), strict=True))
    assert all(0.001 < value < 0.30 for value in share.values()), share
    longs = (readings.signed > 0).sum(axis=0) / (readings.signed != 0).sum(axis=0)
    assert ((longs > 0.25) & (longs < 0.75)).all()  # neither side is favoured by how a rule is written


@pytest.fixture(scope="module")
def whole(library):
    """Candles, their frame and readings: made once, cut by every test of causality."""
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.standard_t(4, 1600) * 0.005))
    open_ = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.normal(0, 0.003, (2, 1600)))
    candles = pd.DataFrame(
        {
            "date": pd.date_range("2022-01-01", periods=1600, freq="1h", tz="UTC"),
            "open": open_,
            "high": np.maximum(open_, close) * (1 + wick[0]),
            "low": np.minimum(open_, close) * (1 - wick[1]),
            "close": close,
            "volume": rng.lognormal(3, 0.8, 1600) * (rng.random(1600) > 0.01),
        }
    )
    frame = market_frame(candles, IndicatorSettings())
    return candles, frame, read_rules(frame, library)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=30)
@given(end=st.integers(1, 1599))
def test_appended_candles_change_nothing_already_said(whole, library, rule, end):
    candles, _, readings = whole
    cut = _cut_readings(candles, library, end)
    assert np.array_equal(cut.of(rule), readings.of(rule)[:end])


def test_nothing_newly_said_changes_later(whole, library):
    _, frame, readings = whole
    for end in range(900, 1100):
        cut = read_rules(frame.iloc[end - 500 : end], library)
        # the last candles are where a reading of the future would show
        assert np.allclose(cut.signed[-4:], readings.signed[end - 4 : end], atol=1e-9), end


_CUTS = {}


def _cut_readings(candles, library, end):
    if end not in _CUTS:  # the same for all rules
        _CUTS[end] = read_rules(market_frame(candles.iloc[:end], IndicatorSettings()), library)
    return _CUTS[end]


@pytest.mark.parametrize("rule", RULES)
def test_what_is_said_does_not_depend_on_where_the_history_begins(whole, library, rule):
    _, frame, readings = whole
    late = read_rules(frame.iloc[700:], library).of(rule)
    known = library_startup_candles(library.rules)
    assert np.allclose(late[known:], readings.of(rule)[700 + known :], atol=1e-9)
    assert readings.of(rule)[700 + known :].any()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 30, 199, 201])
def test_short_frames_are_read_without_a_word_too_much(whole, library, n):
    readings = read_rules(whole[1].iloc[:n], library)
    assert readings.signed.shape == (n, len(RULES))
    assert np.isfinite(readings.signed).all()


@pytest.mark.parametrize(
    "column", [name for name in LIBRARY_COLUMNS if name not in ("open", "high", "low", "close")]
)
def test_an_unknown_indicator_is_silence_not_a_number(whole, library, column):
    frame = whole[1].assign(**{column: np.nan})
    assert np.isfinite(read_rules(frame, library).signed).all()


def test_a_candle_without_volume_is_no_market(whole, library):
    _, frame, readings = whole
    dead = frame["volume"].to_numpy() == 0
    assert dead.any()
    assert not readings.signed[dead].any()


def test_a_missing_column_is_named(quiet, library):
    with pytest.raises(DataError, match="donchian_high"):
        read_rules(quiet(5).drop(columns="donchian_high"), library)


def test_a_reading_has_name_direction_strength_and_weight(quiet, library):
    readings = read_rules(oversold(quiet), library)
    said = readings.at(-1)
    reading = next(item for item in said if item.name is LibraryRule.RSI_MR)
    assert (reading.direction, reading.weight) == (1, library.weights.rsi_mr)
    assert reading.strength == pytest.approx(0.5833, abs=1e-3)
    assert [item.strength * item.weight for item in said] == sorted(
        (item.strength * item.weight for item in said), reverse=True
    )
    assert readings.at(0) == ()


def test_strengths_stay_within_one_and_names_agree_with_the_weights(whole):
    readings = whole[2]
    assert readings.strength.max() <= 1.0
    assert set(np.unique(readings.direction)) == {-1, 0, 1}
    assert tuple(map(str, RULES)) == LIBRARY_RULES


@pytest.mark.real_data
def test_on_real_candles_no_rule_is_dead_and_none_speaks_always(real_candles, library):
    frame = market_frame(real_candles("BTC/USDT").iloc[-9000:].reset_index(drop=True), IndicatorSettings())
    share = (read_rules(frame, library).signed != 0).mean(axis=0)
    assert ((share > 0.005) & (share < 0.30)).all(), dict(zip(RULES, share, strict=True))
