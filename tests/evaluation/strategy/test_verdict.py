"""The first lines of the report say what the intervals say, and no more."""

import numpy as np
import pytest

from adaptive_pkg.evaluation.strategy.ablation import FULL, effects
from adaptive_pkg.evaluation.strategy.bootstrap import Difference
from adaptive_pkg.evaluation.strategy.claims import judge_claims
from adaptive_pkg.evaluation.strategy.verdict import _claims, _parts, beside_words


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.1, 0.9, "better"), (-0.9, -0.1, "worse"), (-0.1, 0.9, "no evidence of a difference")],
)
def test_a_difference_is_one_only_if_its_interval_is(low, high, word):
    assert beside_words(Difference(1.0, 0.5, 0.5, low, high, 0.1)).startswith(word)


def test_the_same_account_is_called_the_same():
    assert beside_words(Difference(1.0, 1.0, 0.0, 0.0, 0.0, 0.5)) == "the same, day by day"


def test_parts_that_show_something_are_told_one_by_one_the_others_together(make_result):
    days = np.random.default_rng(4).normal(0.0005, 0.01, 200)
    runs = {
        FULL: make_result(days + 0.004),
        "without kelly": make_result(days),
        "without trailing": make_result(days + 0.004),
        "without ladder": make_result(days + 0.004 + np.random.default_rng(5).normal(0, 0.004, 200)),
    }
    lines = _parts(effects(runs))
    assert lines[0].startswith("Kelly, in the whole: helps, +")
    assert lines[1:] == [
        "No evidence that these parts help or harm: ladder.",
        "Not in use with these settings in this span: trailing.",
        "2 parts were judged: at 95 %, one in twenty looks like something by chance.",
    ]
    assert _parts([]) == []


def test_nothing_measured_claims_nothing():
    assert _claims(judge_claims({})) == []


def test_claims_are_counted_by_the_test_that_luck_does_not_pass():
    from adaptive_pkg.evaluation.strategy.claims import Measured
    from adaptive_pkg.policy.calibration import Estimate

    rows = judge_claims({"win_rate": Measured(Estimate(0.6, 0.55, 0.65), Estimate(0.01, 0.002, 0.02))})
    assert _claims(rows) == ["Of 1 claims measured, 1 pass a test that luck does not: win rate."]


def test_the_other_approach_is_told_first(make_result):
    days = np.random.default_rng(4).normal(0.0005, 0.01, 200)
    runs = {FULL: make_result(days), "approach: hold_trend": make_result(days + 0.004)}
    assert _parts(effects(runs))[0].startswith("Approach: hold trend, in place of ours: helps, +")
    runs["without kelly"] = make_result(days - 0.004)
    assert [line.split(",")[0] for line in _parts(effects(runs))[:2]] == ["Approach: hold trend", "Kelly"]
