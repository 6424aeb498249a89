"""Every switch in adaptive.components must change what is traded, else an ablation measures nothing."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from adaptive_pkg.forecast.targets import LOG_VOLATILITY, RETURN_SIGMA
from adaptive_pkg.settings import ComponentSettings

# The synthetic span is short: Kelly and the throttle get thresholds that 36 trades can reach.
SHORT_RECORD = {
    "kelly": {"min_trades": 10, "drawdown_start": 0.002, "drawdown_full": 0.03},
    "sizing": {"max_position_fraction": 1.0},
}
ONLY_WHILE_TRADING = {"market_gate", "circuit_breaker"}  # see test_live_guards
IN_A_BACKTEST = sorted({item.name for item in fields(ComponentSettings)} - {"forecast"} - ONLY_WHILE_TRADING)


def off(component: str) -> dict:
    return {"adaptive": {"components": {component: False}}}


@pytest.fixture(scope="module")
def without(make_config, run_backtest):
    """`without(component)`: the same candles with one switch off; `without(None)`: all on."""
    known = {}

    def run(component):
        if component not in known:
            overlay = off(component) if component else {}
            known[component] = run_backtest(make_config({"adaptive": SHORT_RECORD}, overlay))
        return known[component]

    return run


@pytest.fixture(scope="module")
def reference(without):
    return without(None)


@pytest.mark.parametrize("component", IN_A_BACKTEST)
def test_a_switch_changes_real_trades(component, reference, without):
    assert set(without(component).decisions) != set(reference.decisions)


@pytest.mark.parametrize("component", sorted(ONLY_WHILE_TRADING))
def test_what_watches_a_trading_bot_changes_no_backtest(component, reference, without):
    assert without(component).decisions == reference.decisions


def test_the_signal_librarys_vote_counts_as_much_as_its_weight_and_by_default_nothing(
    reference, make_config, run_backtest
):
    def decisions(weight):
        library = {"library": {"confidence_weight": weight}}
        return run_backtest(make_config({"adaptive": SHORT_RECORD | library})).decisions

    assert decisions(0.0) == reference.decisions
    assert set(decisions(0.5)) != set(reference.decisions)


def test_what_each_switch_is_about_is_what_changes(reference, without):
    def entries(run):
        return [(t.pair, t.open_date, t.enter_tag) for t in run.trades]

    for sizing in ("kelly", "drawdown_throttle"):  # same trades, other stakes
        run = without(sizing)
        assert entries(run)[:10] == entries(reference)[:10]  # later ones meet other portfolio limits
        assert [t.stake_amount for t in run.trades] != [t.stake_amount for t in reference.trades]
    assert "roi" not in {t.exit_reason for t in without("target").trades}
    assert {t.enter_tag.split(".")[1] for t in without("regime_presets").trades} <= {"breakout", "pullback"}
    assert all(t.nr_of_successful_entries == 1 for t in without("ladder").trades)
    assert any(t.nr_of_successful_entries > 1 for t in reference.trades)
    fixed = without("dynamic_stops")  # a rung moves the entry that the distance is measured from
    single = [fixed.plans[t.id] for t in fixed.trades if t.nr_of_successful_entries == 1]
    assert {round(plan.stop_fraction, 9) for plan in single} == {0.02}
    assert not any(plan.breakeven or plan.trailing for plan in fixed.plans.values())
    assert not any(plan.breakeven for plan in without("breakeven").plans.values())
    assert not any(plan.trailing for plan in without("trailing").plans.values())


def test_repeating_a_backtest_repeats_every_decision(reference, make_config, run_backtest):
    """Also with one strategy object, as in hyperopt: nothing is carried from one run into the next."""
    for run in run_backtest(make_config({"adaptive": SHORT_RECORD}), repeats=3):
        assert run.decisions == reference.decisions
        assert [len(t.orders) for t in run.trades] == [len(t.orders) for t in reference.trades]


def test_what_hyperopt_leaves_unwritten_changes_no_decision(reference, make_config, run_backtest):
    def prepare(strategy):
        start = strategy.bot_start
        strategy.bot_start = lambda: (start(), setattr(strategy.desk, "stores", False))

    config = make_config({"adaptive": SHORT_RECORD})
    assert run_backtest(config, prepare, plans=False).decisions == reference.decisions


class OracleFreqAI:
    """Stands where FreqAI stands: adds the columns it would add, with a forecast that the test chooses."""

    def __init__(self, sigma: float, known: int = 1) -> None:
        self.sigma, self.known = sigma, known

    def start(self, frame, metadata, strategy):
        return frame.assign(**{RETURN_SIGMA: self.sigma, LOG_VOLATILITY: 0.0, "do_predict": self.known})


@pytest.fixture(scope="module")
def entries_under(make_config, load_strategy, market, analyse):
    """`entries_under(forecast, component on?)`: the analysed frame of a strategy with FreqAI behind it."""

    def make(freqai, forecast=True):
        config = make_config({"adaptive": {"components": {"forecast": forecast}}})
        config["freqai"]["enabled"] = True
        strategy = load_strategy(config)
        strategy.freqai = freqai
        return analyse(strategy, market["BTC/USDT"])

    return make


def test_the_forecast_switch_decides_whether_a_forecast_moves_entries(entries_under):
    doubtful, confident = OracleFreqAI(-1.0), OracleFreqAI(1.0)
    with_doubt, with_support = entries_under(doubtful), entries_under(confident)
    assert with_doubt["enter_long"].sum() < with_support["enter_long"].sum()
    switched_off = entries_under(doubtful, forecast=False)
    assert switched_off["enter_long"].equals(entries_under(confident, forecast=False)["enter_long"])
    assert (
        with_doubt["enter_long"].sum() < switched_off["enter_long"].sum() < with_support["enter_long"].sum()
    )


def test_a_forecast_that_freqai_does_not_vouch_for_is_no_forecast(entries_under):
    unknown = entries_under(OracleFreqAI(-1.0, known=0))
    assert unknown["forecast_sigma"].isna().all()
    assert unknown["forecast_close"].isna().all()
    assert unknown["enter_long"].equals(entries_under(OracleFreqAI(-1.0), forecast=False)["enter_long"])


def test_an_outlying_or_expired_forecast_is_no_forecast(entries_under):
    for flag in (-1, 2):  # outlier, expired model
        assert entries_under(OracleFreqAI(5.0, known=flag))["forecast_sigma"].isna().all()


def test_the_forecast_price_is_above_the_close_where_a_rise_is_forecast(entries_under):
    frame = entries_under(OracleFreqAI(1.0)).iloc[100:]
    assert (frame["forecast_close"] > frame["close"]).all()
    assert np.isfinite(frame["forecast_close"]).all()


@pytest.mark.real_data
@pytest.mark.parametrize("component", IN_A_BACKTEST)
def test_no_switch_is_decorative_with_the_shipped_settings(component, real_run, make_config, run_backtest):
    assert set(real_run(off(component)).decisions) != set(real_run({}).decisions)


@pytest.fixture(scope="module")
def real_run(make_config, run_backtest, real_datadir):
    """`real_run(overlay)`: four pairs, the first half of 2022."""
    known = {}

    def run(overlay):
        key = str(overlay)
        if key not in known:
            pairs = {"exchange": {"pair_whitelist": ["BTC/USDT", "ETH/USDT", "LINK/USDT", "SOL/USDT"]}}
            config = make_config(pairs, overlay, datadir=real_datadir)
            config["timerange"] = "20220101-20220701"
            known[key] = run_backtest(config)
        return known[key]

    return run
