"""A source that keeps failing is left alone for a while, then asked once."""

from adaptive_pkg.polling.breaker import PollBreaker


def test_it_rests_after_the_last_failure_it_allows_and_one_more_makes_it_rest_again():
    breaker = PollBreaker(failures=3, pause_seconds=60.0)
    for now in (0.0, 1.0):
        breaker.failed(now)
        assert breaker.resting_seconds(now) == 0
    breaker.failed(2.0)
    assert (breaker.resting_seconds(2.0), breaker.resting_seconds(32.0)) == (60.0, 30.0)
    assert breaker.resting_seconds(62.0) == 0
    breaker.failed(62.0)
    assert breaker.resting_seconds(63.0) == 59.0


def test_one_success_makes_it_new():
    breaker = PollBreaker(failures=2, pause_seconds=60.0)
    breaker.failed(0.0)
    breaker.succeeded()
    breaker.failed(1.0)
    assert breaker.resting_seconds(1.0) == 0 and breaker.failures == 1
