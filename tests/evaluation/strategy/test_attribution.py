from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.attribution import KEYS, attribute, confidence_curve, with_confidence


def by_name(trades, by):
    return {group.name: group for group in attribute(trades, by, 1000.0)}


def test_every_table_sums_to_the_whole(make_trades):
    rng = np.random.default_rng(1)
    trades = make_trades(
        rng.normal(0, 5, 300),
        pair=rng.choice(["BTC/USDT", "ETH/USDT"], 300),
        enter_tag=rng.choice(["strong_trend.breakout", "tight_range.reversion", "odd"], 300),
        confidence=rng.uniform(0, 1, 300),
    )
    for by in [*KEYS, "confidence"]:
        groups = attribute(trades, by, 1000.0)
        assert sum(group.trades for group in groups) == 300, by
        assert sum(group.share for group in groups) == pytest.approx(1.0)
        assert sum(group.profit_abs for group in groups) == pytest.approx(trades["profit_abs"].sum())
        assert [group.name for group in groups] == sorted(group.name for group in groups)


def test_tags_are_read_as_regime_and_rule(make_trades):
    tags = ["strong_trend.breakout", "tight_range.reversion", "of_another_strategy", None]
    trades = make_trades([1, 2, 3, 4], enter_tag=tags)
    assert {name: g.profit_abs for name, g in by_name(trades, "regime").items()} == {
        "strong_trend": 1, "tight_range": 2, "unknown": 7,
    }  # fmt: skip
    assert set(by_name(trades, "rule")) == {"breakout", "reversion", "of_another_strategy", "unknown"}


def test_months_hours_and_weekdays_are_those_of_the_entry(make_trades):
    trades = make_trades([1, 2], open_dates=["2022-01-31 23:00", "2022-02-01 04:00"], hours=20)
    assert set(by_name(trades, "month")) == {"2022-01", "2022-02"}
    assert set(by_name(trades, "hour")) == {"04", "23"}
    assert set(by_name(trades, "weekday")) == {"1 Mon", "2 Tue"}


def test_a_pair_with_an_edge_is_named_and_no_other(make_trades):
    rng = np.random.default_rng(2)
    pairs = np.tile([f"C{i}/USDT" for i in range(8)], 100)
    profits = rng.normal(0, 2, 800) + np.where(pairs == "C3/USDT", 1.0, 0.0)
    found = by_name(make_trades(profits, pair=pairs), "pair")
    assert {name for name, group in found.items() if group.verdict} == {"C3/USDT"}
    assert found["C3/USDT"].verdict == 1
    assert found["C3/USDT"].mean_low > 0


def test_of_many_worthless_groups_hardly_any_is_called_good_or_bad(make_trades):
    called = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        opened = pd.date_range("2022-01-01", periods=600, freq="7h", tz="UTC")
        called += sum(
            g.verdict != 0 for g in attribute(make_trades(rng.normal(0, 2, 600), opened), "hour", 1000.0)
        )
    assert called <= 2  # of 192 groups; without counting them all about 10


def test_trades_of_few_weeks_have_no_interval_and_no_verdict(make_trades):
    (group,) = attribute(make_trades([5.0] * 20, open_dates=["2022-01-03"] * 20), "pair", 1000.0)
    assert np.isnan(group.mean_low)
    assert group.verdict == 0


def test_the_confidence_is_that_of_the_candle_before_the_entry(make_trades):
    dates = pd.date_range("2022-01-03", periods=5, freq="1h", tz="UTC")
    scores = {"BTC/USDT": pd.Series([0.1, 0.2, 0.3, 0.4, 0.5], dates)}
    trades = make_trades([1, 1, 1], open_dates=["2022-01-03 02:00", "2022-01-03 04:00", "2022-01-09"])
    assert with_confidence(trades, scores, pd.Timedelta("1h"))["confidence"].tolist()[:2] == [0.2, 0.4]
    assert np.isnan(with_confidence(trades, scores, pd.Timedelta("1h"))["confidence"].iloc[2])


def test_a_score_that_knows_shows_in_the_curve_and_its_tenths(make_trades):
    rng = np.random.default_rng(3)
    score = rng.uniform(0, 1, 1000)
    trades = make_trades(np.where(rng.uniform(0, 1, 1000) < score, 2.0, -2.0), confidence=score)
    curve = confidence_curve(trades)
    assert len(curve) == 10
    assert curve[0].win_rate < 0.15
    assert curve[-1].win_rate > 0.85
    assert [b.mean_score for b in curve] == pytest.approx([b.win_rate for b in curve], abs=0.12)
    assert len(attribute(trades, "confidence", 1000.0)) == 10


def test_unknown_keys_and_missing_scores_are_refused(make_trades):
    with pytest.raises(DataError, match="attribution by 'colour': use one of regime"):
        attribute(make_trades([1.0]), "colour", 1000.0)
    with pytest.raises(DataError, match="no trade has a score"):
        attribute(make_trades([1.0]), "confidence", 1000.0)
