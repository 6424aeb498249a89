"""Holding a trend, on real candles: when it enters, when it leaves, and what each part of it decides."""

from __future__ import annotations

import pandas as pd
import pytest

from adaptive_pkg.enums import Regime
from adaptive_pkg.market.trend_state import trend_shares
from adaptive_pkg.policy.signals import MAJORITY

HOUR, LOOKBACKS = pd.Timedelta(hours=1), (240, 300, 360, 420, 480)
PAIRS = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
RECORD = {
    "kelly": {"min_trades": 10, "drawdown_start": 0.002, "drawdown_full": 0.05}
}  # short, as the span is
PARTS = (
    "regime_presets", "confidence", "kelly", "drawdown_throttle", "dynamic_stops", "breakeven", "trailing",
    "portfolio_limits",
)  # fmt: skip

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def held(make_config, run_backtest, real_datadir):
    """`held(component off)`: half a year of three real pairs, up and down."""
    made = {}

    def run(component=None):
        if component not in made:
            adaptive = {"approach": "hold_trend", "components": {component: False} if component else {}}
            config = make_config(
                {"exchange": {"pair_whitelist": PAIRS}},
                {"adaptive": RECORD | adaptive},
                datadir=real_datadir,
            )
            config["timerange"] = "20210201-20210901"
            made[component] = run_backtest(config)
        return made[component]

    return run


@pytest.fixture(scope="module")
def shares(real_candles):
    """By pair: the share of channels that is up, by the time at which its candle began."""

    def of(pair):
        candles = real_candles(pair).set_index("date").asfreq("h").ffill()  # as freqtrade fills an outage
        up, _ = trend_shares(candles["close"].to_numpy(), LOOKBACKS)
        return pd.Series(up, candles.index)

    return {pair: of(pair) for pair in PAIRS}


def test_every_trade_is_entered_in_a_trend_and_none_outlives_it(held, shares):
    trades = held().trades
    assert len(trades) > 15
    for trade in trades:
        assert trade.enter_tag.endswith(".trend")
        opened, closed = (pd.Timestamp(at).floor("h") for at in (trade.open_date_utc, trade.close_date_utc))
        told = shares[trade.pair][opened - HOUR : closed - HOUR]  # candles that had closed by then
        assert (told.iloc[:-1] >= MAJORITY).all()
        assert (told.iloc[-1] < MAJORITY) == (trade.exit_reason == "trend_turned")


def test_it_leaves_by_the_end_of_the_trend_or_by_its_stop_and_by_nothing_else(held):
    reasons = {trade.exit_reason for trade in held().trades}
    assert reasons <= {"trend_turned", "trailing_stop_loss", "stop_loss", "stop_passed", "force_exit"}
    assert "trend_turned" in reasons and reasons & {"trailing_stop_loss", "stop_loss"}


def test_a_trade_that_another_rule_or_a_person_opened_keeps_its_stop_and_ignores_the_trend(
    make_config, run_backtest, real_datadir
):
    def prepare(strategy):
        entries = strategy.populate_entry_trend
        strategy.populate_entry_trend = lambda frame, metadata: entries(frame, metadata).assign(
            enter_tag="strong_trend.breakout"
        )

    config = make_config(
        {"exchange": {"pair_whitelist": PAIRS}},
        {"adaptive": {"approach": "hold_trend"}},
        datadir=real_datadir,
    )
    config["timerange"] = "20210201-20210901"
    reasons = [trade.exit_reason for trade in run_backtest(config, prepare).trades]
    assert len(reasons) > 3 and "trend_turned" not in reasons


def test_it_buys_once_and_aims_at_no_price(held):
    for trade in held().trades:
        assert trade.nr_of_successful_entries == 1
        plan = held().plans[trade.id]
        assert not plan.target and plan.stop_fraction <= 0.10 + 1e-9


@pytest.mark.parametrize("component", PARTS)
def test_a_switch_changes_real_trades(held, component):
    assert set(held(component).decisions) != set(held().decisions)


@pytest.mark.parametrize("component", ["target", "ladder"])
def test_what_a_held_trend_does_without_changes_nothing(held, component):
    assert held(component).decisions == held().decisions


def test_the_regime_sets_the_size(held):
    """The same trades without the regime's sizes have other stakes, in the proportion of the table."""
    run = held()
    sizes = {regime: run.strategy.settings.preset(regime).size_multiplier for regime in Regime}
    first = run.trades[0]
    regime = Regime(first.enter_tag.partition(".")[0])
    pooled = next(t for t in held("regime_presets").trades if t.open_date == first.open_date)
    assert first.stake_amount / pooled.stake_amount == pytest.approx(sizes[regime], rel=0.02)
