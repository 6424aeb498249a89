"""Kelly may learn only from trades that are over: strictly before the moment it is asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from freqtrade.persistence import LocalTrade

from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.market.timeframes import resample
from adaptive_pkg.policy.decision import regime_of_tag
from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_markets

SINGLE = {"adaptive": {"components": {"ladder": False}}}  # one order a trade: its stake is what was decided
FEW = {
    "adaptive": {
        "kelly": {"min_trades": 5},
        "sizing": {"max_position_fraction": 1.0},
        "components": {"ladder": False, "portfolio_limits": False},
    }
}


@pytest.fixture(scope="module")
def watched(make_config, run_backtest):
    """Two backtests in a row by one Backtesting object, with what sizing knew at every entry."""
    asked = []

    def prepare(strategy):
        size = strategy.planner.size

        def recorded(plan, candles, now, **given):
            decided = size(plan, candles, now, **given)
            ledger = given["ledger"]
            asked.append((ledger, now, ledger.pooled.n, ledger.profit, decided))
            return decided

        strategy.planner.size = recorded

    first, second = run_backtest(make_config(FEW), prepare, repeats=2)
    boundary = next(index for index, item in enumerate(asked) if item[0] is not asked[0][0])
    return first, second, asked[:boundary], asked[boundary:]


def test_sizing_knows_every_trade_closed_strictly_before_now_and_no_other(watched):
    run, _, asked, _ = watched
    for _, now, known, profit, _ in asked:
        over = [t for t in run.trades if t.close_date < now and regime_of_tag(t.enter_tag)]
        assert known == len(over)
        assert profit == pytest.approx(sum(t.close_profit_abs for t in over))
    assert asked[-1][2] > 20


def test_the_strictness_is_put_to_the_test(make_config, run_backtest):
    """A trade that closes in the very candle in which another pair enters: the entry must not know it."""
    moments = []

    def prepare(strategy):
        size = strategy.planner.size

        def recorded(plan, candles, now, **given):
            moments.append((now, given["ledger"].pooled.n))
            return size(plan, candles, now, **given)

        strategy.planner.size = recorded

    run = run_backtest(
        make_config({"adaptive": {"components": {"confidence": False, "portfolio_limits": False}}}), prepare
    )
    at_once = [now for now, _ in moments if any(trade.close_date == now for trade in run.trades)]
    assert at_once, "no entry shares its candle with an exit: pick another seed"
    for now, known in moments:
        assert known == sum(trade.close_date < now for trade in run.trades)


def test_kelly_replaces_its_start_value_once_there_are_trades(watched):
    _, _, asked, _ = watched
    reasons = [decided.kelly.reason for *_, decided in asked]
    assert "of 5 closed trades: start_fraction" in reasons[0]
    assert "start_fraction" not in reasons[-1] or "edge uncertain" in reasons[-1]
    assert len({decided.kelly.fraction for *_, decided in asked}) > 3


def test_a_second_backtest_of_the_same_object_starts_with_an_empty_ledger(watched):
    first, second, before, after = watched
    assert after[0][2] == 0
    assert [item[1:4] for item in after] == [item[1:4] for item in before]
    assert second.decisions == first.decisions


def test_the_stake_is_what_was_decided(watched):
    run, _, asked, _ = watched
    for trade in run.trades:
        decided = [item.decision.stake for _, now, _, _, item in asked if now == trade.open_date]
        assert any(trade.stake_amount == pytest.approx(stake, rel=2e-3) for stake in decided)  # lot size


def test_r_of_a_stopped_trade_is_about_minus_one(watched):
    """1 R is what the stop was meant to cost, fees included; a stop filled as planned loses just that."""
    run, _, _, _ = watched
    stopped = [t for t in run.trades if t.exit_reason == "stop_loss"]
    assert len(stopped) >= 5
    for trade in stopped:
        r = run.plans[trade.id].r_multiple(trade.close_profit_abs, trade.stake_amount)
        assert -1.6 < r <= -0.98
    planned = [t for t in stopped if t.close_date - t.open_date > timedelta(0)]
    r = [run.plans[t.id].r_multiple(t.close_profit_abs, t.stake_amount) for t in planned]
    assert sorted(r)[len(r) // 2] == pytest.approx(-1.0, abs=0.02)


def test_trades_that_are_not_ours_teach_nothing(trader, make_trade):
    """A forced entry has no regime in its tag; its outcome says nothing about the rules."""
    for number, tag in enumerate([None, "force_entry", "strong_trend.breakout"], start=1):
        trade = make_trade(id=number, enter_tag=tag)
        trade.close_date, trade.close_profit_abs, trade.is_open = trade.open_date, -10.0, False
        LocalTrade.bt_trades.append(trade)
    later = trader.frame["date"].iloc[-1].to_pydatetime()
    assert trader._ledger(later).pooled.n == 1


@pytest.fixture(scope="module")
def detail_dir(tmp_path_factory):
    """5-minute candles and the hours they make."""
    folder = tmp_path_factory.mktemp("detail")
    fine = {
        pair: frame.round({"open": 2, "high": 2, "low": 2, "close": 2})
        for pair, frame in simulate_markets(
            ["BTC/USDT", "SOL/USDT"], 1_500 * 12, seed=9, timeframe="5m"
        ).items()
    }
    write_candles(fine, folder, "5m")
    write_candles(
        {pair: resample(frame, "1h") for pair, frame in fine.items()}, folder, "1h", also=HIGHER_TIMEFRAMES
    )
    return folder


def test_a_finer_timeframe_moves_exits_within_the_hour_but_no_decision(make_config, run_backtest, detail_dir):
    """--timeframe-detail asks the callbacks every five minutes; the last closed hour stays what they know."""
    known = []

    def prepare(strategy):
        size = strategy.planner.size

        def recorded(plan, candles, now, **given):
            known.append((now, given["ledger"].pooled.n, candles.starts[candles.last_closed(now)]))
            return size(plan, candles, now, **given)

        strategy.planner.size = recorded

    run = run_backtest({**make_config(SINGLE, datadir=detail_dir), "timeframe_detail": "5m"}, prepare)
    coarse = run_backtest(make_config(SINGLE, datadir=detail_dir))
    assert len(run.trades) >= 5
    assert any(trade.close_date.minute for trade in run.trades)
    for now, n, start in known:
        assert n == sum(trade.close_date < now for trade in run.trades)
        assert now.timestamp() - 7_200 < start <= now.timestamp() - 3_600
    first, same = run.trades[0], coarse.trades[0]
    assert (first.open_date, first.stake_amount) == (same.open_date, same.stake_amount)
    assert run.plans[first.id] == coarse.plans[same.id]
