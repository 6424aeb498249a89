from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.snooping import superiority


def accounts(seed, count=40, days=600):
    values = np.random.default_rng(seed).normal(0, 0.02, (days, count))
    return pd.DataFrame(values, columns=[f"rule {i}" for i in range(count)])


def test_the_best_of_many_worthless_rules_does_not_beat_cash():
    found = [superiority(accounts(seed), repetitions=200) for seed in range(10)]
    assert sum(one.passed for one in found) <= 2
    assert np.mean([one.p for one in found]) > 0.25
    assert "No evidence that any of 40" in next(one for one in found if not one.passed).answer


def test_a_planted_edge_is_found_and_named():
    tried = accounts(1)
    tried["rule 7"] += 0.004
    found = superiority(tried, repetitions=300)
    assert found.passed
    assert found.better == ("rule 7",)
    assert "Better than cash, all 40 counted: rule 7." in found.answer


def test_staking_more_of_the_benchmark_does_not_beat_it():
    market = pd.Series(np.random.default_rng(2).normal(0.003, 0.02, 500), name="the market")
    tried = pd.DataFrame(
        {"twice": 2 * market, "thrice and noise": 3 * market + accounts(3, 1, 500)["rule 0"] * 0.05}
    )
    assert not superiority(tried, market, repetitions=200).passed
    assert superiority(tried, market, equal_risk=False, repetitions=200).passed


def test_an_account_that_is_the_benchmark_is_no_better():
    market = pd.Series(np.random.default_rng(2).normal(0.003, 0.02, 100), name="m")
    assert superiority(pd.DataFrame({"same": market}), market).p == 1.0


def test_unusable_tables_are_named():
    with pytest.raises(DataError, match="0 accounts"):
        superiority(pd.DataFrame(index=range(100)))
    with pytest.raises(DataError, match="beside 99 days"):
        superiority(accounts(1, 2, 100), pd.Series(np.zeros(99)))
    bad = accounts(1, 2, 100)
    bad.iloc[3, 1] = np.nan
    with pytest.raises(DataError, match="not a number"):
        superiority(bad)


def test_a_calm_rule_is_found_beside_wild_ones():
    tried = accounts(5, count=30)
    tried["calm"] = np.random.default_rng(6).normal(0.0003, 0.002, 600)
    assert superiority(tried, equal_risk=False, repetitions=300).better == ("calm",)
