"""A telephone that does not ring all night: one message a topic in its time, so many an hour."""

from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.adapter.throttle import HOUR_SECONDS, Throttle


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def make(per_hour=100):
    clock = Clock()
    return Throttle(per_hour, clock), clock


def test_a_topic_waits_for_its_time_and_others_do_not():
    throttle, clock = make()
    assert throttle.admits("BTC", 60.0)
    clock.now += 59.9
    assert not throttle.admits("BTC", 60.0)
    assert throttle.admits("ETH", 60.0)
    clock.now += 0.1
    assert throttle.admits("BTC", 60.0)


def test_what_was_held_back_does_not_put_the_next_one_off():
    throttle, clock = make()
    throttle.admits("BTC", 60.0)
    for _ in range(6):
        clock.now += 9.9
        assert not throttle.admits("BTC", 60.0)
    clock.now += 0.6
    assert throttle.admits("BTC", 60.0)


def test_the_count_of_those_held_back_is_told_once():
    throttle, clock = make(per_hour=2)
    assert [throttle.admits(n, 0.0) for n in range(5)] == [True, True, False, False, False]
    assert throttle.held_back() == 3
    assert throttle.held_back() == 0
    clock.now += HOUR_SECONDS
    assert throttle.admits(9, 0.0)


def test_an_urgent_one_always_passes_and_counts():
    throttle, _ = make(per_hour=1)
    assert throttle.admits("breaker", 0.0, urgent=True)
    assert throttle.admits("breaker", 3600.0, urgent=True)
    assert not throttle.admits("BTC", 0.0)


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.floats(0, 2000), st.sampled_from("abc"), st.floats(0, 5000)), max_size=60),
)
def test_no_hour_holds_more_than_the_limit_and_no_topic_comes_too_soon(per_hour, asked):
    throttle, clock = make(per_hour)
    sent = []
    for pause, topic, seconds in asked:
        clock.now += pause
        if throttle.admits(topic, seconds):
            last = [when for when, other in sent if other == topic]
            assert not last or clock.now - last[-1] >= seconds
            sent.append((clock.now, topic))
    for start, _ in sent:
        assert sum(start <= when < start + HOUR_SECONDS for when, _ in sent) <= per_hour
    assert len(sent) + throttle.held_back() == len(asked)
