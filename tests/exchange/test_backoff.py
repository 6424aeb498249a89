"""Pauses, connect budget and pace."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.exchange.backoff import Backoff, ConnectBudget, Pace
from adaptive_pkg.settings.exchange import StreamSettings


class Top:
    """An rng that draws 0: no jitter."""

    def random(self):
        return 0.0


def test_the_pauses_are_2_4_8_up_to_60_and_start_anew_after_a_reset():
    backoff = Backoff(StreamSettings(), Top())
    assert [backoff.next_pause() for _ in range(8)] == [2, 4, 8, 16, 32, 60, 60, 60]
    backoff.failures = 10**6
    assert backoff.next_pause() == 60
    backoff.reset()
    assert backoff.next_pause() == 2


def test_jitter_only_shortens_and_differs_between_bots():
    settings = StreamSettings(jitter=0.25)
    pauses = [Backoff(settings, random.Random(seed)).next_pause() for seed in range(200)]
    assert 1.5 <= min(pauses) < 1.55 and 1.95 < max(pauses) <= 2.0
    assert len(set(pauses)) == 200


@given(st.lists(st.floats(0, 50), max_size=60), st.integers(1, 10))
def test_no_stretch_ever_sees_more_attempts_than_allowed(pauses, connects):
    budget, now, made = ConnectBudget(connects, 60.0), 0.0, []
    for pause in pauses:
        now = budget.ready_at(now + pause)
        budget.note(now)
        made.append(now)
    for end in made:
        assert sum(0 <= end - at < 60 - 1e-9 for at in made) <= connects


def test_messages_are_spaced():
    pace, now, sent = Pace(4.0), 100.0, []
    for _ in range(9):
        now = pace.ready_at(now)
        pace.note(now)
        sent.append(now)
    assert sent == pytest.approx([100 + number / 4 for number in range(9)])
    assert max(sum(end - 1 < at <= end for at in sent) for end in sent) <= 5
