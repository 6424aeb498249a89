"""Models learn from the past alone, and earn a weight only by forecasts that held."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.learning.earned import earned_weight
from adaptive_pkg.learning.training import Sample, Target
from adaptive_pkg.learning.walk_forward import WEIGHED, Forecasts, judged, learn, settled

HOUR_MS = 3_600_000


def last(sample):
    return int(sample.ended_ms.max())


def test_a_planted_edge_earns_a_weight_once_it_has_held_out_of_sample(make_sample, few):
    sample = make_sample(edge=1.5)
    learned = learn(sample, few, last(sample))
    assert len(learned.chapters) == 2
    first, second = learned.chapters
    assert set(first.earned.values()) == {0.0}  # nothing was judged yet
    for target in WEIGHED:
        assert second.skill[target].low > 0
        assert second.worth[target].low > 0
        assert 0.3 < second.earned[target] <= 1.0
    said = learned.forecasts.said[Target.WIN]
    judged = learned.forecasts.chapter >= 0
    assert np.isnan(said[~judged]).all()
    assert np.corrcoef(said[judged], sample.x[judged, 0])[0, 1] > 0.9


def test_noise_earns_nothing(make_sample, few):
    earned = []
    for seed in (2, 3):
        sample = make_sample(edge=0.0, seed=seed)
        learned = learn(sample, few, last(sample))
        earned += [chapter.earned[target] for chapter in learned.chapters for target in WEIGHED]
        # what validation does not support is shrunk to the past mean, nearly
        rows = learned.forecasts.chapter >= 0
        spread = learned.forecasts.said[Target.R][rows] - learned.forecasts.mean[Target.R][rows]
        assert np.std(spread) < 0.15 * sample.r.std()
    assert earned
    assert not any(earned)


def test_wins_forecast_rightly_earn_nothing_where_they_are_worth_nothing(make_sample, few):
    sample, rng = make_sample(), np.random.default_rng(5)
    chance = np.where(sample.x[:, 0] > 0, 0.75, 0.25)
    won = rng.random(len(sample)) < chance
    r = np.where(won, (1.3 - chance) / chance, -1.0)  # the likelier the smaller: 0.3 on average, always
    sample = replace(sample, r=r, y={**sample.y, Target.R: r, Target.WIN: won.astype(float)})
    win = learn(sample, few, last(sample)).chapters[-1]
    assert win.skill[Target.WIN].low > 0.05
    assert win.worth[Target.WIN].low < 0
    assert win.earned[Target.WIN] == 0.0


def test_a_model_that_says_nothing_has_no_skill_beside_a_bad_mean_of_a_regime(make_sample, few):
    sample = make_sample()
    y, n = sample.y[Target.WIN], len(sample)
    said = np.full(n, y.mean())
    of_regime = np.where(sample.regime == 0, 0.9, y.mean())  # few candidates, by luck all won
    forecasts = Forecasts(*({Target.WIN: values} for values in (said, said, of_regime)), np.zeros(n, int))
    found, _ = judged(sample, forecasts, Target.WIN, np.ones(n, bool), few)
    assert found.value == 0.0
    assert earned_weight(found) == 0.0


def test_the_future_changes_nothing_that_was_said_before(make_sample, few):
    sample = make_sample(edge=1.0)
    whole = learn(sample, few, last(sample))
    cut = whole.chapters[1].valid_from_ms
    later = sample.known_ms > cut
    turned = {target: np.where(later, 1 - values, values) for target, values in sample.y.items()}
    other = replace(sample, y=turned, r=np.where(later, -sample.r, sample.r))
    other = replace(other, x=np.where((sample.closed_ms > cut)[:, None], -sample.x, sample.x))
    again = learn(other, few, last(other))
    before = sample.closed_ms <= cut
    for target in Target:
        np.testing.assert_array_equal(
            whole.forecasts.said[target][before], again.forecasts.said[target][before]
        )
    for ours, theirs in zip(whole.chapters[:2], again.chapters[:2], strict=True):
        assert ours.earned == theirs.earned
        assert ours.candidates == theirs.candidates


def test_a_shorter_sample_gives_the_beginning_of_the_same_book(make_sample, few):
    sample = make_sample(edge=1.0)
    whole = learn(sample, few, last(sample))
    cut = whole.chapters[1].valid_from_ms - HOUR_MS
    seen = sample.only(sample.closed_ms <= cut)
    # what is still open at the cut is not known, as a bot would have it
    seen = replace(
        seen,
        ended_ms=np.full(len(seen), cut),
        known_ms=np.where(seen.known_ms <= cut, seen.known_ms, np.iinfo(np.int64).max),
    )
    short = learn(seen, few, cut)
    assert len(short.chapters) == 1
    ours, theirs = whole.chapters[0], short.chapters[0]
    assert ours.valid_from_ms == theirs.valid_from_ms
    np.testing.assert_array_equal(
        ours.blends[Target.R].value(sample.x[:50]), theirs.blends[Target.R].value(sample.x[:50])
    )


def test_the_past_ends_where_the_oldest_open_candidate_begins(make_sample):
    sample = make_sample(n=100)
    known = sample.known_ms.copy()
    known[40] = last(sample)  # a winner that is held for long
    slow = replace(sample, known_ms=known)
    at = int(sample.closed_ms[80])
    assert settled(sample, at)[41:70].all()
    assert settled(slow, at)[:40].all()
    assert not settled(slow, at)[40:].any()


def test_a_candidate_whose_candles_ended_does_not_hold_up_the_others(make_sample):
    sample = make_sample(n=100)
    known, ended = sample.known_ms.copy(), sample.ended_ms.copy()
    known[40], ended[40] = np.iinfo(np.int64).max, sample.closed_ms[45]  # its coin is listed no more
    gone = replace(sample, known_ms=known, ended_ms=ended)
    usable = settled(gone, int(sample.closed_ms[80]))
    assert usable[41:70].all()
    assert not usable[40]


def test_nothing_to_learn_from_is_said(make_sample, few):
    with pytest.raises(DataError, match="nothing to learn from"):
        learn(make_sample(n=10).only(np.zeros(10, bool)), few, 0)
    assert learn(make_sample(n=150), few, last(make_sample(n=150))).chapters == ()


def test_candidates_that_all_won_train_nothing(make_sample, few):
    sample = make_sample(n=800)
    ones = replace(sample, y={**sample.y, Target.WIN: np.ones(800)})
    assert learn(ones, few, last(ones)).chapters == ()


@given(
    waits=st.lists(st.integers(1, 60), min_size=1, max_size=40),
    gone=st.lists(st.booleans(), min_size=40, max_size=40),
    at=st.integers(0, 80),
)
def test_whatever_is_settled_is_known_and_older_than_all_that_is_open(waits, gone, at):
    n = len(waits)
    closed = np.arange(n)
    known = closed + np.array(waits)
    ended = np.where(gone[:n], closed + 1, 1000)  # some coins are listed no more
    sample = Sample(np.zeros((n, 1)), {}, np.zeros(n), closed, known, ended, np.zeros(n, int))
    usable = settled(sample, at)
    still_open = (closed <= at) & (known > at) & (ended > at)
    assert (known[usable] <= at).all()
    if still_open.any() and usable.any():
        assert closed[usable].max() < closed[still_open].min()
    if not still_open.any():
        np.testing.assert_array_equal(usable, known <= at)
