"""One entry, planned from the last closed candle."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import RiskError
from adaptive_pkg.market.closed_candles import PairCandles
from adaptive_pkg.risk.ledger import TradeLedger
from adaptive_pkg.risk.planner import CANDLE_COLUMNS, EntryPlanner
from adaptive_pkg.settings import AdaptiveSettings, load_settings

START = datetime(2023, 1, 1, tzinfo=UTC)


def hour(number):
    return START + timedelta(hours=number)


def candles_of(**columns):
    base = {
        "close": [100.0, 101.0, 102.0], "atr": [1.0, 1.1, 1.2], "atr_pct": [1.0, 1.1, 1.2],
        "atr_ratio": [1.0, 1.0, 1.0], "regime": [0, 0, 0], "size_multiplier": [1.2, 1.2, 1.2],
    }  # fmt: skip
    frame = pd.DataFrame({**base, **columns})
    frame["date"] = pd.date_range(START, periods=len(frame), freq="1h", unit="ms")
    return PairCandles(frame, CANDLE_COLUMNS, 3_600)


@pytest.fixture
def planner():
    return EntryPlanner(AdaptiveSettings())


def stop(planner, candles=None, now=None, **given):
    values = {"side": "long", "price": 102.0, "regime": Regime.STRONG_TREND, **given}
    return planner.stop(candles or candles_of(), now or hour(3), **values)


def size(planner, plan, candles=None, now=None, ledger=None, **given):
    values = {
        "regime": Regime.STRONG_TREND, "equity": 10_000.0, "leverage": 1.0, "min_stake": 5.0,
        "max_stake": 10_000.0, **given,
    }  # fmt: skip
    return planner.size(
        plan, candles or candles_of(), now or hour(3), ledger=ledger or TradeLedger(), **values
    )


def test_the_stop_comes_from_the_candle_that_has_just_closed(planner):
    """At 03:00 that is the third: ATR 1.2; strong trend stops 2.5 ATR away at normal volatility."""
    plan = stop(planner)
    assert plan.atr == 1.2
    assert plan.initial_stop == pytest.approx(102.0 - 2.5 * 1.2)
    assert stop(planner, now=hour(2) + timedelta(minutes=59), price=101.0).atr == 1.1


def test_the_regimes_preset_sets_distance_and_target(planner):
    distances = {
        regime: stop(planner, regime=regime).stop_fraction * 102.0 / 1.2 for regime in Regime
    }  # in ATR
    assert distances == pytest.approx(dict(zip(Regime, (2.5, 3.0, 1.5, 2.0, 2.0), strict=True)))
    assert stop(planner, regime=Regime.TIGHT_RANGE).target_price == pytest.approx(102.0 + 1.5 * 1.2)


def test_a_short_is_planned_on_the_other_side(planner):
    plan = stop(planner, side="short")
    assert plan.initial_stop == pytest.approx(102.0 + 2.5 * 1.2)
    assert plan.target_price == pytest.approx(102.0 - 4.0 * 1.2)


def test_a_forced_entry_takes_the_preset_of_the_last_candles_regime(planner):
    candles = candles_of(regime=[0, 0, Regime.TIGHT_RANGE.code])
    assert stop(planner, candles, regime=None) == stop(planner, candles, regime=Regime.TIGHT_RANGE)


def test_the_fee_of_the_trade_wins_over_the_configured_one(planner):
    assert stop(planner).fee == AdaptiveSettings().sizing.fee
    assert stop(planner, fee=0.0).fee == 0.0
    assert stop(planner, fee=0.0004).breakeven_stop < stop(planner).breakeven_stop


@pytest.mark.parametrize(("price", "refused"), [(103.1, False), (103.3, True), (100.9, False), (100.7, True)])
def test_a_price_more_than_one_atr_from_the_signal_is_not_chased_either_way(planner, price, refused):
    if refused:
        with pytest.raises(RiskError, match=r"1\.1 ATR from the close 102 .*max_entry_gap_atr"):
            stop(planner, price=price)
    else:
        stop(planner, price=price)


def test_an_open_trade_gets_its_plan_wherever_the_price_is(planner):
    """It is in already: refusing a stop would leave it without one."""
    plan = planner.stop_at(candles_of(), 2, side="long", price=150.0, regime=Regime.STRONG_TREND, fee=None)
    assert plan.entry_price == 150.0


def test_no_plan_from_a_candle_that_is_not_there(planner):
    """-1 is `last_closed`'s answer for none: it must not mean the newest candle."""
    with pytest.raises(RiskError, match="no candle"):
        planner.stop_at(candles_of(), -1, side="long", price=100.0, regime=Regime.STRONG_TREND, fee=None)


def test_before_the_first_candle_has_closed_nothing_is_planned_or_sized(planner):
    plan = stop(planner)
    for ask in (lambda: stop(planner, now=hour(0)), lambda: size(planner, plan, now=hour(0))):
        with pytest.raises(RiskError, match="no candle has closed by 2023-01-01 00:00"):
            ask()


@pytest.mark.parametrize("column", ["atr", "atr_ratio"])
@pytest.mark.parametrize("value", [math.nan, 0.0, -1.0])
def test_a_candle_without_volatility_gives_no_stop(planner, column, value):
    with pytest.raises(RiskError, match=f"{column}:"):
        stop(planner, candles_of(**{column: [1.0, 1.0, value]}))


@pytest.mark.parametrize("price", [math.nan, 0.0, math.inf, -5.0])
def test_a_price_that_is_none_gives_no_stop(planner, price):
    with pytest.raises(RiskError):
        stop(planner, price=price)


def test_the_stop_costs_the_decided_part_of_equity(planner):
    """1 % × 1.2 of 10,000 at risk; a stop filled as planned loses just that, fees included."""
    wide = EntryPlanner(
        load_settings({"adaptive": {"approach": "by_regime", "sizing": {"max_position_fraction": 1.0}}})
    )
    plan = stop(wide)
    decided = size(wide, plan).decision
    assert decided.stake * plan.loss_fraction == pytest.approx(120.0)
    assert decided.risk_fraction == pytest.approx(0.012)


def test_the_reason_names_what_bound_and_what_kelly_said(planner):
    entry = size(planner, stop(planner))
    assert entry.decision.stake == pytest.approx(3_000.0)
    assert "max_position_fraction 0.3" in entry.reason
    assert "0 of 30 closed trades" in entry.reason


def test_the_candles_multiplier_scales_the_stake():
    planner = EntryPlanner(
        load_settings({"adaptive": {"approach": "by_regime", "sizing": {"max_position_fraction": 1.0}}})
    )
    plan = stop(planner)
    full = size(planner, plan, candles_of(size_multiplier=[9.0, 9.0, 1.0])).decision.stake
    assert size(planner, plan, candles_of(size_multiplier=[9.0, 9.0, 0.5])).decision.stake == pytest.approx(
        full / 2
    )
    assert size(planner, plan, candles_of(size_multiplier=[9.0, 9.0, 0.0])).decision.stake == 0.0


def test_a_forced_entry_gets_the_smallest_tier_of_its_regimes_size():
    """No rule asked for it, so the candle's own multiplier is 0."""
    planner = EntryPlanner(
        load_settings({"adaptive": {"approach": "by_regime", "sizing": {"max_position_fraction": 1.0}}})
    )
    plan = stop(planner)
    quiet = candles_of(size_multiplier=[0.0, 0.0, 0.0])
    forced = size(planner, plan, quiet, regime=None).decision.stake
    assert forced == pytest.approx(0.3 * size(planner, plan).decision.stake)


def test_a_drawdown_lowers_the_stake(ledger_of):
    planner = EntryPlanner(
        load_settings({"adaptive": {"approach": "by_regime", "sizing": {"max_position_fraction": 1.0}}})
    )
    losses = ledger_of({Regime.STRONG_TREND: [-20.0] * 5})  # −1,000 of what was 11,000
    fresh = size(planner, stop(planner)).decision.stake
    assert size(planner, stop(planner), ledger=losses).decision.stake == pytest.approx(
        fresh * (1 - 0.85 * (1_000 / 11_000) / 0.20), rel=1e-3
    )
    unmoved = EntryPlanner(
        load_settings(
            {
                "adaptive": {
                    "approach": "by_regime",
                    "sizing": {"max_position_fraction": 1.0},
                    "components": {"drawdown_throttle": False},
                }
            }
        )
    )
    assert size(unmoved, stop(unmoved), ledger=losses).decision.stake == pytest.approx(fresh)


@pytest.mark.parametrize(
    "given",
    [
        {"equity": 0.0},
        {"equity": math.nan},
        {"leverage": 0.5},
        {"leverage": math.nan},
        {"min_stake": math.nan},
        {"max_stake": math.nan},
    ],
)
def test_numbers_without_meaning_refuse_the_entry_by_name(planner, given):
    (name,) = given
    with pytest.raises(RiskError, match=name):
        size(planner, stop(planner), **given)


def test_leverage_leaves_liquidation_beyond_the_stop():
    planner = EntryPlanner(
        load_settings({"adaptive": {"approach": "by_regime", "sizing": {"max_leverage": 100.0}}})
    )
    for regime in Regime:
        plan = stop(planner, regime=regime)
        leverage = planner.leverage(plan, 125.0)
        assert (1 / leverage - 0.01) / 1.01 > plan.stop_fraction
    assert planner.leverage(plan, 2.0) == 2.0


def test_stake_and_plan_do_not_depend_on_candles_still_open(planner):
    later = candles_of(
        close=[100.0, 101.0, 999.0], atr=[1.0, 1.1, 99.0], atr_pct=[1.0, 1.1, 50.0],
        atr_ratio=[1.0, 1.0, 9.0], regime=[0, 0, 3], size_multiplier=[1.2, 1.2, 0.0],
    )  # fmt: skip
    now = hour(2)  # the third candle has just opened
    plan, same = stop(planner, now=now, price=101.0), stop(planner, later, now, price=101.0)
    assert plan == same
    assert size(planner, plan, now=now).decision == size(planner, plan, later, now).decision
