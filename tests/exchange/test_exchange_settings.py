"""The exchange room's settings: the documented values, and what they refuse."""

import pytest

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.exchange.backoff import Pace
from adaptive_pkg.settings.exchange import ExchangeSettings, LimiterSettings, StreamSettings
from adaptive_pkg.settings.schema import parse


def test_the_values_are_those_that_were_asked_for():
    settings = ExchangeSettings()
    limiter, stream = settings.limiter, settings.stream
    assert (limiter.reduction, limiter.quiet_minutes, limiter.recovery_per_minute) == (0.8, 5.0, 0.1)
    assert (stream.backoff_start_seconds, stream.backoff_factor, stream.backoff_top_seconds) == (
        2.0,
        2.0,
        60.0,
    )
    assert (stream.buffer_messages, stream.connects, stream.connects_window_seconds) == (1000, 300, 300.0)
    assert stream.life_seconds < 86_400


def test_with_the_pings_of_both_sides_no_second_sees_more_than_five_messages():
    pace, now, sent = Pace(StreamSettings().messages_per_second), 0.0, []
    for _ in range(50):
        now = pace.ready_at(now)
        pace.note(now)
        sent.append(now)
    pings = 2  # ours, and the answer to the venue's
    assert max(sum(end - 1 <= at <= end for at in sent) for end in sent) + pings <= 5


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"limiter": {"floor_share": 0.9}}, "floor_share: 0.9 must not exceed reduction"),
        ({"limiter": {"share": 0}}, r"adaptive\.exchange\.limiter\.share: 0"),
        ({"stream": {"backoff_start_seconds": 30, "backoff_top_seconds": 10}}, "backoff_start_seconds: 30"),
        ({"stream": {"backfill_retry_seconds": 50.0}}, "backfill_retry_seconds: 50"),
        ({"state": {"lock_timeout": 5}}, "Did you mean 'lock_timeout_seconds'"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(block, message):
    with pytest.raises(SettingsError, match=message):
        parse(ExchangeSettings, block, "adaptive.exchange")


def test_a_bot_that_shares_an_address_says_how_much_is_its():
    parsed = parse(ExchangeSettings, {"limiter": {"share": 0.5}}, "adaptive.exchange")
    assert parsed.limiter == LimiterSettings(share=0.5)
    assert parsed.stream == StreamSettings()
