"""When a connection that still looks open is given up."""

from types import SimpleNamespace

from adaptive_pkg.exchange.watchdog import RENEW, Watchdog
from adaptive_pkg.settings.exchange import StreamSettings

SETTINGS = StreamSettings(
    quiet_seconds=3.0, quiet_pong_seconds=2.0, silence_seconds=30.0, life_seconds=1000.0
)


def pong(answered):
    return SimpleNamespace(done=lambda: answered)


def test_quiet_leads_to_a_ping_and_a_missing_answer_to_the_end():
    watch = Watchdog(SETTINGS, 100.0, draw=0.0)
    assert watch.next_at(True) == 103.0 and not watch.wants_ping(102.9) and watch.wants_ping(103.0)
    watch.pinged(pong(False), 103.0)
    assert watch.next_at(True) == 105.0
    assert watch.look(104.9, True) is None
    assert watch.look(105.0, True) == "half open: no answer to a ping in 2.0 s"


def test_an_answered_ping_or_a_message_starts_the_quiet_anew():
    watch = Watchdog(SETTINGS, 100.0, draw=0.0)
    watch.pinged(pong(True), 103.0)
    assert watch.look(105.0, True) is None
    assert watch.next_at(True) == 108.0
    watch.pinged(pong(False), 108.0)
    watch.heard(109.0)
    assert watch.look(111.0, True) is None and watch.next_at(True) == 112.0
    assert watch.age == 9.0


def test_pongs_alone_do_not_make_a_market_stream():
    watch = Watchdog(SETTINGS, 100.0, draw=0.0)
    now = 100.0
    while (reason := watch.look(now, True)) is None:
        if watch.wants_ping(now):
            watch.pinged(pong(True), now)
        now = watch.next_at(True)
    assert (now, reason) == (130.0, "silent for 30.0 s")


def test_a_users_own_stream_may_be_silent_until_it_is_renewed():
    watch = Watchdog(SETTINGS, 100.0, draw=1.0)
    assert watch.next_at(False) == 1050.0  # up to a twentieth earlier, so that not all come at once
    assert watch.look(1049.0, False) is None
    assert watch.look(1050.0, False) == RENEW
