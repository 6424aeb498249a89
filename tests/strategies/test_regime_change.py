"""What becomes of real trades when the regime turns under them, by each of the three rules."""

from __future__ import annotations

from itertools import pairwise

import pytest

from adaptive_pkg.enums import Regime, RegimeChange

PAIRS = ["BTC/USDT", "ETH/USDT", "LINK/USDT", "SOL/USDT"]
TICK = 1e-4  # of the price, at most

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def runs(make_config, run_backtest, real_datadir):
    """By rule: half a year of four real pairs."""
    pairs = {"exchange": {"pair_whitelist": PAIRS}}
    made = {}
    for rule in RegimeChange:
        # without a lower threshold the regimes with rungs hardly trade
        adaptive = {"regime_change": rule, "confidence": {"threshold_shift": -0.15}}
        config = make_config(pairs, {"adaptive": adaptive}, datadir=real_datadir)
        config["timerange"] = "20220101-20220701"
        made[rule] = run_backtest(config)
    return made


def regimes(run, trade):
    """(start of the next candle, regime) of every candle that closed while the trade was open."""
    candles = run.strategy.desk.candles.get(trade.pair)
    codes = candles.column("regime")
    first, last = candles.first_since(trade.open_date_utc), candles.last_closed(trade.close_date_utc)
    return [
        (candles.starts[i] + candles.timeframe_seconds, Regime.from_code(codes[i]))
        for i in range(first, last + 1)
    ]


def entered(trade):
    return Regime(trade.enter_tag.partition(".")[0])


def turned(run, trade):
    """When a candle first closed in another regime than the entry's; None: never."""
    return next((at for at, regime in regimes(run, trade) if regime is not entered(trade)), None)


def rungs(trade):
    return [o for o in trade.orders if (o.ft_order_tag or "").startswith("rung")]


@pytest.mark.parametrize("rule", RegimeChange)
def test_in_no_rule_is_a_rung_bought_in_another_regime(runs, rule):
    run, bought = runs[rule], 0
    for trade in run.trades:
        now = dict(regimes(run, trade))
        for order in rungs(trade):
            bought += 1
            assert now[int(order.order_date_utc.timestamp())] is entered(trade)
    assert bought > 10


@pytest.mark.parametrize("rule", RegimeChange)
def test_the_plan_stays_the_one_of_the_entry(runs, rule):
    """Trades with the same entry have the same initial stop and target under every rule."""
    keep = {
        (t.pair, t.open_date): runs[RegimeChange.KEEP].plans[t.id] for t in runs[RegimeChange.KEEP].trades
    }
    plans = {(t.pair, t.open_date): runs[rule].plans[t.id] for t in runs[rule].trades if not rungs(t)}
    both = [key for key in plans.keys() & keep.keys() if plans[key].entry_price == keep[key].entry_price]
    assert len(both) > 30
    assert all(plans[key] == keep[key] for key in both)


def test_keep_never_leaves_because_of_it(runs):
    run = runs[RegimeChange.KEEP]
    assert "regime_changed" not in {t.exit_reason for t in run.trades}
    held_on = [t for t in run.trades if turned(run, t) and turned(run, t) < t.close_date_utc.timestamp()]
    assert len(held_on) > 15


def test_exit_leaves_at_the_open_after_the_change_and_not_before(runs):
    run = runs[RegimeChange.EXIT]
    left = [t for t in run.trades if t.exit_reason == "regime_changed"]
    assert len(left) > 15
    for trade in left:
        assert turned(run, trade) == trade.close_date_utc.timestamp()
    for trade in run.trades:  # none outlives it, whatever it left for
        if (at := turned(run, trade)) is not None:
            assert trade.close_date_utc.timestamp() <= at


def test_tighten_moves_the_stop_nearer_where_the_new_preset_is_nearer(runs):
    run, keep = runs[RegimeChange.TIGHTEN], runs[RegimeChange.KEEP]
    presets = run.strategy.settings.presets
    tightened = 0
    for trade in run.trades:
        plan = run.plans[trade.id]
        after = [regime for at, regime in regimes(run, trade) if at < trade.close_date_utc.timestamp()]
        ratios = [presets[regime].stop_atr / presets[entered(trade)].stop_atr for regime in after]
        if not ratios or min(ratios) >= 1 or rungs(trade):
            continue
        wanted = plan.entry_price * (1 - plan.stop_fraction * min(ratios))
        if trade.close_rate > wanted:  # else there was nothing to be placed below the market any more
            assert trade.stop_loss >= wanted * (1 - TICK)
            tightened += 1
    assert tightened > 10
    assert set(run.decisions) != set(keep.decisions)
    assert "regime_changed" not in {t.exit_reason for t in run.trades}


def test_a_tightened_stop_is_never_loosened_again(make_config, run_backtest, real_datadir):
    """Neither when the regime returns nor when an order fills after that."""
    stops = {}

    def prepare(strategy):
        ask = strategy.should_exit

        def should_exit(trade, *args, **kwargs):
            answer = ask(trade, *args, **kwargs)
            stops.setdefault((trade.pair, trade.open_date), []).append(trade.stop_loss)
            return answer

        strategy.should_exit = should_exit

    adaptive = {"regime_change": "tighten", "confidence": {"threshold_shift": -0.15}}
    config = make_config(
        {"exchange": {"pair_whitelist": PAIRS}}, {"adaptive": adaptive}, datadir=real_datadir
    )
    config["timerange"] = "20220101-20220701"
    run_backtest(config, prepare)
    assert len(stops) > 60
    for seen in stops.values():
        assert all(after >= before * (1 - TICK) for before, after in pairwise(seen))
