"""A claim met by luck or a smaller stake is not supported; one met by an edge is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy import evidence
from adaptive_pkg.evaluation.strategy.bootstrap import difference, draw_days, estimate
from adaptive_pkg.evaluation.strategy.claims import CLAIMS, Measured, Verdict, fact, judge_claims
from adaptive_pkg.evaluation.strategy.excursions import EntryQuality
from adaptive_pkg.evaluation.strategy.luck import judge_luck
from adaptive_pkg.evaluation.strategy.matching import Matched, drawdown_at_equal_growth
from adaptive_pkg.evaluation.strategy.performance import max_drawdown, measure, sharpe
from adaptive_pkg.evaluation.strategy.trading import trade_figures
from adaptive_pkg.policy.calibration import Estimate

START, END = pd.Timestamp("2022-01-01", tz="UTC"), pd.Timestamp("2024-01-01", tz="UTC")


def row(key, measured):
    return next(line for line in judge_claims({key: measured}) if line.claim.key == key)


def days(values):
    return pd.Series(values, pd.date_range("2022-01-01", periods=len(values), tz="UTC"))


def test_a_table_without_measurements_says_so_line_by_line():
    table = judge_claims({})
    assert [line.claim.key for line in table] == [claim.key for claim in CLAIMS]
    assert {line.verdict for line in table} == {Verdict.MISSING}
    assert table[0].answer == "win rate: not measured in this run."


def test_a_high_win_rate_that_loses_money_is_reached_and_refuted(make_trades):
    profits = np.tile([1.0, 1.0, 1.0, -6.0], 100)
    found = row("win_rate", evidence.win_rate(trade_figures(make_trades(profits), 10_000.0, START, END)))
    assert found.reached
    assert found.verdict is Verdict.REFUTED
    assert "reached, but it means nothing" in found.answer


def test_a_win_rate_with_a_gain_behind_it_is_supported(make_trades):
    profits = np.tile([2.0, 2.0, 2.0, -1.0], 100)
    found = row("win_rate", evidence.win_rate(trade_figures(make_trades(profits), 10_000.0, START, END)))
    assert found.verdict is Verdict.SUPPORTED
    assert found.measured.startswith("75.0 %")


def test_a_lucky_sharpe_ratio_is_not_shown(make_trades):
    tried = np.random.default_rng(1).normal(0, 0.02, (200, 400))
    ratios = sharpe(tried)
    best, trend = tried[ratios.argmax()], np.random.default_rng(2).normal(0.0, 0.02, 400)
    draws = draw_days(np.column_stack([best, trend]), repetitions=300)
    measured = evidence.sharpe_ratio(
        estimate(sharpe, best, draws), difference(sharpe, best, trend, draws), judge_luck(best, ratios)
    )
    found = row("sharpe", measured)
    assert found.reached
    assert found.verdict is Verdict.OPEN
    assert "deflated Sharpe ratio 0." in found.result


def test_a_smaller_stake_has_a_smaller_drawdown_and_proves_nothing():
    x = np.random.default_rng(3).normal(0, 0.02, 700)
    x = x - x.mean() + 0.003
    ours = 0.3 * x
    matched = drawdown_at_equal_growth(ours, x, draw_days(x, repetitions=60))
    assert max_drawdown(ours) < 0.5 * max_drawdown(x)
    found = row("drawdown", evidence.drawdown(measure(days(ours)), matched))
    assert found.reached
    assert found.verdict in (Verdict.OPEN, Verdict.REFUTED)


def test_an_account_that_lost_protects_nothing():
    x = np.random.default_rng(3).normal(0.002, 0.02, 400)
    ours = -0.2 * np.abs(x) * 0.1
    matched = drawdown_at_equal_growth(ours, x, draw_days(x, repetitions=30))
    found = row("drawdown", evidence.drawdown(measure(days(ours)), matched))
    assert found.verdict is Verdict.OPEN
    assert "nothing to compare" in found.result


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((-0.6, -0.45), Verdict.SUPPORTED),
        ((-0.3, -0.1), Verdict.LESS),
        ((-0.6, -0.1), Verdict.LESS),
        ((-0.2, 0.1), Verdict.OPEN),
        ((0.05, 0.2), Verdict.REFUTED),
    ],
)
def test_the_interval_decides_between_claimed_helping_and_nothing(interval, verdict):
    relative = Estimate(sum(interval) / 2, *interval)
    found = row("false_signals", evidence.false_signals(EntryQuality(100, 0.4, 0.5, relative)))
    assert found.verdict is verdict
    assert "40.0% of entries, 50.0% of all candles" in found.result


def test_a_price_forecast_as_good_as_no_forecast_is_refuted_though_its_mape_is_small():
    found = row("mape", evidence.mape(0.0099, 0.0099, Estimate(1.002, 1.0005, 1.006)))
    assert found.reached
    assert found.verdict is Verdict.REFUTED
    assert "1.0 %" in found.measured
    assert found.result == "1.002 (1.000 to 1.006); persistence has 0.99%"


def test_a_profit_factor_needs_its_interval_above_the_claim(make_trades):
    figures = trade_figures(make_trades([5.0, -3.0] * 50), 10_000.0, START, END)
    for low, high, verdict in (
        (1.6, 2.0, "SUPPORTED"),
        (1.2, 2.0, "LESS"),
        (0.8, 2.0, "OPEN"),
        (0.5, 0.9, "REFUTED"),
    ):
        changed = replace(figures, profit_factor=Estimate(1.7, low, high))
        assert row("profit_factor", evidence.profit_factor(changed)).verdict is Verdict[verdict]


def test_a_single_loss_is_a_fact_of_trades_and_of_days(make_trades):
    figures = trade_figures(make_trades([1.0, -300.0], stake=1000.0), 10_000.0, START, END)
    calm, wild = (measure(days(np.r_[np.zeros(50), loss])) for loss in (-0.03, -0.08))
    assert row("single_loss", evidence.single_loss(figures, calm)).verdict is Verdict.SUPPORTED
    found = row("single_loss", evidence.single_loss(figures, wild))
    assert found.reached
    assert found.verdict is Verdict.REFUTED


def test_every_answer_is_a_sentence_that_names_its_test():
    for claim in CLAIMS:
        found = row(
            claim.key, Measured(fact(claim.target), Estimate(claim.use, claim.use - 1, claim.use + 1))
        )
        assert claim.test in found.answer
        assert found.answer.endswith(".")
        assert found.verdict is Verdict.OPEN


def test_an_unknown_claim_is_refused():
    with pytest.raises(DataError, match="claims: moonshots; known: win_rate"):
        judge_claims({"moonshots": Measured(fact(1), fact(1))})


def test_stops_that_are_premature_less_often_only_because_they_are_wider_are_refuted():
    found = row("premature_stops", evidence.premature_stops(fact(-0.5), Estimate(0.4, 0.3, 0.5)))
    assert found.reached
    assert found.verdict is Verdict.REFUTED


def test_kelly_sizing_is_judged_at_equal_growth_and_not_as_it_came():
    def judged(value, low, high):
        matched = Matched(0.7, 0.1, 0.15, Estimate(value, low, high), 0.0)
        return row("kelly_drawdown", evidence.kelly_drawdown(-0.4, matched))

    assert judged(-0.3, -0.4, -0.22).verdict is Verdict.SUPPORTED
    assert judged(-0.1, -0.15, -0.05).verdict is Verdict.LESS
    found = judged(0.0, -0.1, 0.1)
    assert found.reached
    assert found.verdict is Verdict.OPEN


def test_the_stops_report_fills_the_line_of_premature_stops():
    from types import SimpleNamespace

    rules = [SimpleNamespace(rule=name, whipsaws_per_100=rate) for name, rate in
             (("dynamic", 50.1), ("fixed, tail", 35.9), ("fixed, mean", 60.0))]  # fmt: skip
    gaps = [
        SimpleNamespace(other="fixed, tail", whipsaws_per_100=Estimate(14.2, 12.2, 16.1)),
        SimpleNamespace(other="fixed, mean", whipsaws_per_100=Estimate(-9.9, -12.0, -8.0)),
    ]
    measured = evidence.stop_figures(rules, gaps)
    assert measured.literal.value == pytest.approx(-0.165)
    assert measured.restated.value == pytest.approx(14.2 / 35.9)
    assert row("premature_stops", measured).verdict is Verdict.REFUTED
