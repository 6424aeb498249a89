"""The confidence at the entry: does it still mean what it meant, and did it ever mean anything?"""

import numpy as np
import pytest

from adaptive_pkg.upkeep.findings import Verdict
from adaptive_pkg.upkeep.inspection import Period
from adaptive_pkg.upkeep.score_drift import check_scores

from .conftest import Row


def trades(count, first, odds, seed, step=13.0):
    """Trades whose chance of winning follows from their score."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.5, 0.9, count)
    return [
        Row(first + step * number, 1.0 if rng.random() < odds(score) else -1.0, score=float(score))
        for number, score in enumerate(scores)
    ]


def rising(score):
    return 0.2 + 1.5 * (score - 0.5)


def test_a_score_that_keeps_its_meaning_is_fine(seen):
    found = check_scores(seen(trades(150, 730, rising, 1) + trades(40, 2, rising, 2), Period.MONTHLY))
    assert found.verdict is Verdict.OK and found.figures["rank_correlation"][1] > 0
    assert len(found.table.rows) == 4 and found.figures["recent"] == 40
    low, high = found.figures["bins"]["before"][0], found.figures["bins"]["before"][-1]
    assert high["win_rate"] > low["win_rate"] + 0.2


def test_a_month_in_which_it_promised_too_much_is_looked_at(seen):
    found = check_scores(
        seen(trades(200, 730, rising, 1) + trades(40, 2, lambda score: 0.08, 2), Period.MONTHLY)
    )
    assert found.verdict is Verdict.LOOK and "against what the scores led to expect" in found.told


def test_a_higher_score_that_means_a_worse_trade_is_to_be_acted_on(seen):
    found = check_scores(seen(trades(300, 730, lambda score: 1.2 - score * 1.3, 3), Period.MONTHLY))
    assert found.verdict is Verdict.ACT and "adaptive.components.confidence" in found.remedy


@pytest.mark.parametrize("seed", range(4))
def test_a_score_that_means_nothing_is_no_alarm(seen, seed):
    found = check_scores(
        seen(trades(150, 730, lambda s: 0.5, seed) + trades(40, 2, lambda s: 0.5, seed + 9), Period.MONTHLY)
    )
    assert found.verdict is Verdict.OK


def test_few_trades_or_no_scores_say_so(seen):
    assert "too few to judge" in check_scores(seen(trades(20, 2, rising, 1), Period.MONTHLY)).told
    assert not check_scores(seen([Row(5, 1.0)], Period.MONTHLY)).measured
    same = [Row(5.0 + number, 1.0, score=0.7) for number in range(80)]
    assert "the same confidence" in check_scores(seen(same, Period.MONTHLY)).told
