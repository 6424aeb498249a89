from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from adaptive_pkg.evaluation.tuning.study import TrialRecord
from adaptive_pkg.evaluation.tuning.task import FoldScore
from adaptive_pkg.evaluation.tuning.verdict import Mean, best_of, compare, held_out, sentences


def run(losses, first=0):
    return tuple(FoldScore("AAA/USDT", first + i, 9, loss, loss) for i, loss in enumerate(losses))


def trial(number, losses, state="complete"):
    value = float(np.mean(losses)) if state == "complete" else None
    return TrialRecord(number, state, value, {}, run(losses), 1.0, "")


def test_the_interval_is_students():
    values = [0.9, 0.8, 0.95, 0.85]
    mean = Mean.of(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean.low, mean.high) == pytest.approx((expected.low, expected.high))
    assert mean.standard_error == pytest.approx(stats.sem(values))


def test_a_pruned_trial_is_never_the_best_and_the_default_wins_a_tie():
    records = [trial(0, [0.9, 0.9]), trial(1, [0.9, 0.9]), trial(2, [0.1, 0.1], "pruned")]
    assert best_of(records).number == 0


def test_trials_are_compared_fold_by_fold():
    gap = compare(trial(1, [0.8, 0.5, 0.9]), trial(0, [0.9, 0.6, 1.0]))
    assert gap.value == pytest.approx(-0.1)
    assert gap.standard_error == pytest.approx(0.0, abs=1e-12)  # however different the folds are


def test_a_pruned_trial_is_compared_on_the_folds_it_ran():
    assert compare(trial(1, [0.8, 0.5], "pruned"), trial(0, [0.9, 0.6, 9.0])).value == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("tuned", "verdict", "words"),
    [
        ([0.80, 0.71, 0.60, 0.69], "better", "The gain survives"),
        ([0.99, 0.71, 0.60, 0.89], "no different", "cannot tell the tuned settings from the default"),
        ([1.00, 0.91, 0.80, 0.89], "worse", "keep the default"),
    ],
)
def test_the_verdict_is_that_of_the_held_out_folds_alone(tuned, verdict, words):
    default = [0.9, 0.8, 0.7, 0.8]
    scores = {(0, 0): run(default), (0, 1): run(default), (5, 0): run(tuned), (5, 1): run(tuned)}
    judged = held_out(scores, 5, 2)
    assert judged.verdict == verdict
    assert judged.difference.value == pytest.approx(np.mean(tuned) - np.mean(default))
    assert judged.difference_seed_deviation == pytest.approx(0.0)
    text = sentences([trial(0, [0.9] * 4), trial(5, [0.7, 0.6])], judged, looks=1)
    assert "flatters it, being the smallest of 2" in text[0]
    assert words in text[1]
    assert text[2] == "Its fits took 2.00 times the default's CPU time, forecasts included."
    assert len(text) == 3


def test_seeds_that_disagree_are_seen():
    scores = {(n, s): run([0.9 - 0.1 * n * s, 0.8 - 0.1 * n * s]) for n in (0, 1) for s in (0, 1)}
    judged = held_out(scores, 1, 2)
    assert judged.difference.value == pytest.approx(-0.05)
    assert judged.difference_seed_deviation == pytest.approx(0.1 / np.sqrt(2))


def test_a_default_that_no_trial_beat_is_kept():
    scores = {(0, 0): run([0.9, 0.8]), (0, 1): run([0.9, 0.8])}
    judged = held_out(scores, 0, 2)
    assert judged.verdict is None and judged.tuned is None
    (line,) = sentences([trial(0, [0.5, 0.5]), trial(1, [0.6, 0.6])], judged, looks=0)
    assert "No trial of 2 beat the default settings" in line and "0.8500" in line


def test_a_second_look_at_the_held_out_folds_is_told():
    scores = {(0, 0): run([0.9, 0.8]), (4, 0): run([0.8, 0.9])}
    text = sentences([trial(0, [0.9, 0.9]), trial(4, [0.7, 0.6])], held_out(scores, 4, 1), looks=2)
    assert "2 tuned settings have now been judged" in text[-1]
