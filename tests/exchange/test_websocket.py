"""The stream against a real server that misbehaves: it comes back, and no candle is missing or doubled."""

import asyncio
import json
import logging
import random
from dataclasses import replace
from pathlib import Path

import pytest

from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.backoff import ConnectBudget
from adaptive_pkg.exchange.dialer import tcp_probe
from adaptive_pkg.exchange.limiter import AdaptiveRateLimiter
from adaptive_pkg.exchange.link import LinkState
from adaptive_pkg.exchange.websocket import ResilientWebSocket

STREAM, STEP_MS = "btcusdt@kline_1s", 1000


class Desk:
    """A stream with a consumer that writes down what it gets."""

    def __init__(self, venue, settings, streams=(STREAM,), **kwargs):
        self.changes, self.losses, self.events = [], [], []
        kwargs.setdefault("backfill", venue.backfill)
        kwargs.setdefault("on_state", self.changes.append)
        self.stream = ResilientWebSocket(
            venue.url,
            streams,
            settings=settings,
            on_loss=self.losses.append,
            rng=random.Random(3),
            now_ms=venue.now_ms,
            **kwargs,
        )
        self.pace = 0.0

    async def __aenter__(self):
        await self.stream.start()
        self._task = asyncio.create_task(self._consume())
        return self

    async def __aexit__(self, *exception):
        await self.stream.close()
        self.pace = 0.0
        await asyncio.wait_for(self._task, 5)

    async def _consume(self):
        async for event in self.stream:
            self.events.append(event)
            if self.pace:
                await asyncio.sleep(self.pace)

    @property
    def closed(self):
        return [event.key // STEP_MS for event in self.events if event.final and event.stream == STREAM]

    @property
    def reasons(self):
        return [change.reason for change in self.changes if change.new is LinkState.WAITING]

    async def until(self, condition, seconds=5.0):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.002)

    async def live(self):
        await self.until(lambda: self.stream.state is LinkState.LIVE)

    async def more(self, candles=5):
        """Until so many more candles have closed and arrived."""
        goal = len(self.closed) + candles
        await self.until(lambda: len(self.closed) >= goal)

    def assert_whole(self):
        closed = self.closed
        assert closed == list(range(closed[0], closed[0] + len(closed)))


def play(scenario, *arguments):
    """Run a scenario on a loop of its own; nothing may be left behind."""

    async def whole():
        before = open_files()
        async with asyncio.timeout(30):
            await scenario(*arguments)
        await asyncio.sleep(0.01)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        assert open_files() <= before

    asyncio.run(whole())


def open_files():
    """How many files and sockets this process has open, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_candles_arrive_in_order_and_closing_leaves_nothing_behind(make_venue, fast_settings):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.more(5)
            assert desk.stream.is_current(STREAM, 1.0)
        desk.assert_whole()
        states = [change.new for change in desk.changes]
        assert states == [LinkState.CONNECTING, LinkState.LIVE, LinkState.CLOSED]
        assert any(not event.final for event in desk.events)
        assert desk.losses == []
        with pytest.raises(ExchangeError, match="used once"):
            await desk.stream.start()

    play(scenario)


@pytest.mark.parametrize("fault", ["reset", "1001", "1006", "1011", "1012", "4000", "down"])
def test_after_a_lost_connection_it_subscribes_again_and_fetches_what_it_missed(
    make_venue, fast_settings, fault
):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.more(2)
            if fault in ("reset", "1006"):
                venue.reset()
            elif fault == "down":
                await venue.down()
                await asyncio.sleep(0.15)
                assert not desk.stream.is_current(STREAM, 60.0)
                await venue.up()
            else:
                await venue.close(int(fault))
            await desk.until(lambda: desk.stream.state is not LinkState.LIVE)
            await desk.live()
            await desk.more(4)
        desk.assert_whole()
        assert desk.stream.stats.connections == 2
        assert sum("SUBSCRIBE" in text for text in venue.heard) == 2
        if fault == "down":
            assert any(event.backfilled for event in desk.events)
            assert desk.stream.stats.failures >= 1
        if fault.startswith("4"):
            assert fault in desk.reasons[0]

    play(scenario)


def test_a_half_open_connection_is_noticed_by_a_ping_nobody_answers(make_venue, fast_settings):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.more(2)
            venue.stall()
            await desk.until(lambda: desk.stream.stats.connections == 2)
            await desk.more(3)
        desk.assert_whole()
        assert desk.reasons == ["half open: no answer to a ping in 0.15 s"]

    play(scenario)


def test_a_venue_that_answers_pings_but_says_nothing_is_left_too(make_venue, fast_settings):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.more(2)
            venue.silent = True
            await desk.until(lambda: desk.reasons)
            venue.silent = False
            await desk.more(3)
        desk.assert_whole()
        assert desk.reasons[0] == "silent for 0.6 s"

    play(scenario)


def test_one_stream_that_falls_silent_while_another_speaks_loses_no_candle(make_venue, fast_settings):
    async def scenario():
        streams = (STREAM, "ethusdt@bookTicker")
        async with make_venue() as venue, Desk(venue, fast_settings, streams=streams) as desk:
            await desk.more(2)
            venue.silent = True
            count, number = len(desk.closed), 0
            async with asyncio.timeout(5):
                while len(desk.closed) < count + 30:
                    number += 1
                    await venue.say(json.dumps({"u": number, "s": "ETHUSDT", "b": "1", "a": "2"}))
                    await asyncio.sleep(0.01)
            assert desk.reasons == []  # the connection itself is well
        desk.assert_whole()
        assert sum(event.backfilled for event in desk.events) >= 29

    play(scenario)


def test_an_outage_is_told_once_and_its_end_once(make_venue, fast_settings, caplog):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.more(1)
            for _ in range(2):
                venue.rest_fails = 5
                await venue.down()
                await asyncio.sleep(0.1)
                await venue.up()
                await desk.until(lambda: not venue.rest_fails and not desk.stream.feed.open_gaps)
            assert desk.stream.stats.backfill_failures == 10

    with caplog.at_level(logging.INFO):
        play(scenario)
    told = [record.levelname for record in caplog.records if "backfill" in record.getMessage()]
    assert told == ["WARNING", "INFO"] * 2


def test_nothing_piles_up_over_many_connections(make_venue, fast_settings):
    """The classic defect: a heartbeat loop per connection, of which none ever ends."""

    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            tasks = set()
            for _ in range(8):
                await desk.live()
                await desk.more(1)
                tasks.add(len(asyncio.all_tasks()))
                venue.reset()
                await desk.until(lambda: desk.stream.state is not LinkState.LIVE)
            assert desk.stream.stats.connections >= 8
            assert max(tasks) - min(tasks) <= 2  # a goodbye or a backfill under way

    play(scenario)


def test_unreadable_messages_are_counted_and_a_stream_of_them_ends_the_connection(
    make_venue, fast_settings, caplog
):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.more(1)
            await venue.say('{"e":"kline","E":')
            await desk.more(1)
            assert desk.stream.stats.malformed == 1 and desk.stream.state is LinkState.LIVE
            venue.silent = True
            for _ in range(20):
                await venue.say("not json")
            await desk.until(lambda: desk.reasons)
            venue.silent = False
            await desk.more(2)
        desk.assert_whole()
        assert desk.reasons[0] == "too many unreadable messages"

    with caplog.at_level(logging.WARNING):
        play(scenario)
    assert "cannot be read" in caplog.text


def test_lost_doubled_and_swapped_messages_change_nothing_for_the_consumer(make_venue, fast_settings):
    async def scenario():
        async with make_venue(seed=5) as venue, Desk(venue, fast_settings) as desk:
            venue.lose, venue.double, venue.swap, venue.break_text = 0.3, 0.3, 0.2, 0.1
            await desk.more(30)
        desk.assert_whole()
        assert desk.stream.feed.duplicates > 0 and desk.stream.feed.gaps_filled > 0
        assert any(event.backfilled for event in desk.events)

    play(scenario)


def test_a_rest_that_fails_is_asked_again_until_the_gap_is_filled(make_venue, fast_settings):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.more(1)
            venue.rest_fails = 3
            await venue.down()
            await asyncio.sleep(0.1)
            await venue.up()
            await desk.until(lambda: desk.stream.stats.backfill_failures == 3)
            assert not desk.stream.is_current(STREAM, 60.0)  # live, but with a hole
            await desk.until(lambda: not desk.stream.feed.open_gaps)
            await desk.more(2)
        desk.assert_whole()

    play(scenario)


def test_the_venues_announced_shutdown_and_the_connections_age_lead_to_a_new_one_at_once(
    make_venue, fast_settings
):
    async def scenario():
        settings = replace(fast_settings, life_seconds=1.0, backoff_start_seconds=0.6)
        async with make_venue() as venue, Desk(venue, settings) as desk:
            await desk.more(6)
            await venue.say('{"e":"serverShutdown","E":1}')
            await desk.until(lambda: desk.stream.stats.connections == 2, seconds=0.4)
            await desk.until(lambda: desk.stream.stats.connections == 3, seconds=3.0)
            await desk.more(2)
        desk.assert_whole()
        assert desk.reasons == ["server shutdown", "renewed before the venue ends it"]

    play(scenario)


def test_a_slow_consumer_loses_no_candle_and_is_told_nothing_false(make_venue, fast_settings):
    async def scenario():
        settings = replace(fast_settings, buffer_messages=5)
        async with make_venue() as venue, Desk(venue, settings) as desk:
            desk.pace = 0.05  # 20 a second, while the venue sends 100
            await asyncio.sleep(1.0)
            desk.pace = 0.0
            goal = venue.now_ms() // STEP_MS - 1
            await desk.until(lambda: desk.closed and desk.closed[-1] >= goal)
        desk.assert_whole()
        assert desk.losses == []
        assert sum(event.backfilled for event in desk.events) > 10

    play(scenario)


def test_what_cannot_be_fetched_again_is_never_dropped_silently(make_venue, fast_settings):
    async def scenario():
        settings = replace(fast_settings, buffer_messages=2)
        async with make_venue() as venue, Desk(venue, settings, streams=["user"]) as desk:
            await desk.live()
            desk.pace = 0.2
            venue.silent = True
            for number in range(9):
                await venue.say(json.dumps({"e": "executionReport", "E": 1, "I": number}))
            await desk.until(lambda: desk.losses)
            await asyncio.sleep(0.05)
        kept = [event.data["I"] for event in desk.events if "I" in event.data]
        lost = [loss.what.data["I"] for loss in desk.losses]
        assert sorted(kept + lost) == list(range(9))
        assert "buffer full" in desk.losses[0].reason

    play(scenario)


def test_our_messages_wait_for_the_connection_but_not_for_ever(make_venue, fast_settings):
    async def scenario():
        settings = replace(fast_settings, buffer_messages=2, outgoing_seconds=0.05)
        async with make_venue() as venue:
            venue.refuse_with = (503, {})
            async with Desk(venue, settings) as desk:
                desk.stream.send({"ask": "stale"})
                await asyncio.sleep(0.1)
                desk.stream.send({"ask": "fresh"})
                with pytest.raises(ExchangeError, match="refused: 2 wait"):
                    desk.stream.send({"ask": "too many"})
                venue.refuse_with = None
                desk.stream.nudge()
                await desk.until(lambda: any("fresh" in text for text in venue.heard))
            assert not any("stale" in text for text in venue.heard)
            assert [loss.what for loss in desk.losses] == ['{"ask": "stale"}']

    play(scenario)


def test_a_message_that_may_have_left_is_never_sent_twice(make_venue, fast_settings):
    """The classic defect: a buffered order is replayed on the next connection."""

    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.live()
            connection = next(iter(venue.connections))
            connection.transport.pause_reading()
            big = random.Random(1).randbytes(6_000_000).hex()  # more than the buffers between us take
            desk.stream.send({"order": big})
            await asyncio.sleep(0.05)
            venue.reset()
            await desk.until(lambda: desk.losses)
            await desk.live()
            await desk.more(3)
            assert not any("order" in text for text in venue.heard)
        assert [loss.reason for loss in desk.losses] == ["the connection ended while it was sent"]
        desk.assert_whole()

    play(scenario)


def test_a_venue_that_shuts_down_every_connection_at_once_is_given_pauses(make_venue, fast_settings):
    async def scenario():
        settings = replace(fast_settings, healthy_seconds=10.0)
        async with make_venue() as venue, Desk(venue, settings) as desk:
            for number in range(1, 5):
                await desk.until(lambda number=number: len(venue.heard) >= number)
                await venue.say('{"e":"serverShutdown"}')
            await desk.until(lambda: len(desk.reasons) >= 4)
            assert desk.stream._dialer.backoff.failures >= 4

    play(scenario)


def test_streams_can_be_added_and_removed_while_it_runs(make_venue, fast_settings):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.live()
            desk.stream.subscribe("ethusdt@bookTicker")
            desk.stream.subscribe("ethusdt@bookTicker")
            desk.stream.unsubscribe(STREAM)
            await desk.until(lambda: len(venue.heard) == 3)
            venue.reset()
            await desk.until(lambda: len(venue.heard) == 4)
        bodies = [json.loads(text) for text in venue.heard]
        assert [(body["method"], body["params"]) for body in bodies] == [
            ("SUBSCRIBE", [STREAM]),
            ("SUBSCRIBE", ["ethusdt@bookTicker"]),
            ("UNSUBSCRIBE", [STREAM]),
            ("SUBSCRIBE", ["ethusdt@bookTicker"]),
        ]
        with pytest.raises(ExchangeError, match="no fixed length"):
            desk.stream.subscribe("btcusdt@kline_1M")

    play(scenario)


def test_a_subscription_nobody_answers_ends_the_connection(make_venue, fast_settings):
    async def scenario():
        async with make_venue() as venue:
            venue.answers = False
            async with Desk(venue, fast_settings) as desk:
                await desk.until(lambda: desk.reasons)
                assert desk.stream.state is not LinkState.LIVE
                venue.answers = True
                await desk.live()
            assert desk.reasons[0] == "no answer to a subscription"

    play(scenario)


def test_a_refused_subscription_is_told(make_venue, fast_settings):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.live()
            await venue.say('{"error":{"code":2,"msg":"Invalid request: unknown stream"},"id":99}')
            await desk.until(lambda: desk.losses)
            assert "unknown stream" in desk.losses[0].what

    play(scenario)


def test_a_restart_resumes_after_the_last_candle_that_is_here(make_venue, fast_settings):
    async def scenario():
        async with make_venue() as venue:
            await asyncio.sleep(0.5)
            have = venue.now_ms() // STEP_MS - 9
            desk = Desk(venue, fast_settings, streams=())
            desk.stream.subscribe(STREAM, resume=have * STEP_MS)
            async with desk:
                await desk.more(12)
            desk.assert_whole()
            assert desk.closed[0] == have + 1

    play(scenario)


def test_a_flapping_venue_is_not_connected_to_more_often_than_allowed(make_venue, fast_settings):
    async def scenario():
        settings = replace(fast_settings, connects=6, connects_window_seconds=0.5, healthy_seconds=10)
        async with make_venue() as venue:
            async with Desk(venue, settings):
                for _ in range(150):
                    await asyncio.sleep(0.01)
                    venue.reset()
            times = venue.connects
            assert len(times) > 10
            # the server sees an attempt a little after it was made
            assert max(sum(0 <= end - at < 0.48 for at in times) for end in times) <= 6

    play(scenario)


def test_pauses_start_anew_only_after_a_healthy_connection(make_venue, fast_settings):
    async def scenario():
        settings = replace(fast_settings, healthy_seconds=0.15)
        async with make_venue() as venue, Desk(venue, settings) as desk:
            backoff = desk.stream._dialer.backoff
            for failures in (1, 2, 3):
                await desk.live()
                venue.reset()
                await desk.until(lambda failures=failures: backoff.failures == failures)
            await desk.live()
            await desk.until(lambda: backoff.failures == 0)

    play(scenario)


def test_a_refused_handshake_is_retried_and_its_retry_after_honoured(make_venue, fast_settings):
    async def scenario():
        async with make_venue() as venue:
            venue.refuse_with = (429, {"Retry-After": "1"})
            async with Desk(venue, fast_settings) as desk:
                await desk.until(lambda: venue.connects)
                venue.refuse_with = None
                for _ in range(10):
                    await asyncio.sleep(0.05)
                    desk.stream.nudge()  # nobody can talk it into coming sooner
                await desk.live()
            assert venue.connects[1] - venue.connects[0] >= 1.0
            assert "429" in desk.reasons[0]

    play(scenario)


def test_a_ban_of_the_addresss_rest_requests_holds_for_connections_too(make_venue, fast_settings):
    async def scenario():
        limiter = AdaptiveRateLimiter()
        async with make_venue() as venue, Desk(venue, fast_settings, limiter=limiter) as desk:
            await desk.more(1)
            assert limiter.status().granted == 1  # a handshake has weight as well
            limiter.answered(await limiter.acquire(), 418, {"Retry-After": "1"})
            banned = asyncio.get_running_loop().time()
            venue.reset()
            await desk.until(lambda: desk.stream.state is LinkState.WAITING)
            for _ in range(10):
                await asyncio.sleep(0.05)
                desk.stream.nudge()
            assert len(venue.connects) == 1
            await desk.live()
            assert venue.connects[1] - banned >= 1.0
            await desk.more(2)
        desk.assert_whole()

    play(scenario)


def test_a_ban_met_at_the_handshake_holds_for_rest_requests_too(make_venue, fast_settings):
    async def scenario():
        limiter = AdaptiveRateLimiter()
        async with make_venue() as venue:
            venue.refuse_with = (418, {"Retry-After": "60"})
            async with Desk(venue, fast_settings, limiter=limiter) as desk:
                await desk.until(lambda: desk.reasons)
                status = limiter.status()
                assert status.bans == 1 and 59 < status.blocked_seconds <= 60
                assert limiter.try_acquire() is None

    play(scenario)


def test_with_a_closed_limiter_the_stream_ends_instead_of_waiting_for_ever(make_venue, fast_settings):
    async def scenario():
        limiter = AdaptiveRateLimiter()
        async with make_venue() as venue:
            limiter.close()
            async with Desk(venue, fast_settings, limiter=limiter) as desk:
                await desk.until(lambda: desk.stream.state is LinkState.CLOSED)
                await asyncio.wait_for(asyncio.shield(desk._task), 1)  # its consumer is told as well
            assert "closed" in desk.changes[-1].reason and venue.connects == []

    play(scenario)


def test_sockets_of_one_address_share_their_budget(make_venue, fast_settings):
    async def scenario():
        budget = ConnectBudget(1, 0.3)
        async with make_venue() as venue:
            async with Desk(venue, fast_settings, budget=budget) as one:
                await one.live()
                async with Desk(venue, fast_settings, budget=budget) as two:
                    await two.live()
            assert venue.connects[1] - venue.connects[0] >= 0.29

    play(scenario)


def test_a_callback_that_fails_does_not_end_the_stream(make_venue, fast_settings, caplog):
    async def scenario():
        def fail(change):
            raise ZeroDivisionError

        async with make_venue() as venue, Desk(venue, fast_settings, on_state=fail) as desk:
            await desk.more(2)

    play(scenario)
    assert "a callback failed" in caplog.text


def test_an_unexpected_failure_is_told_and_followed_by_a_pause_not_by_a_spin(
    make_venue, fast_settings, monkeypatch
):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.more(1)
            monkeypatch.setattr(desk.stream.feed, "offer", lambda *args: 1 / 0)
            await desk.until(lambda: len(desk.reasons) >= 3)
            assert "ZeroDivisionError" in desk.reasons[0]
            assert len(venue.connects) < 10
            monkeypatch.undo()
            await desk.more(3)
        desk.assert_whole()

    play(scenario)


def test_uptime_stands_still_while_the_connection_is_down(make_venue, fast_settings):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings) as desk:
            await desk.more(1)
            now = asyncio.get_running_loop().time
            await venue.down()
            await desk.until(lambda: desk.stream.stats.failures >= 2)
            stats = desk.stream.stats
            up = stats.uptime_seconds(now())
            assert up > 0
            await asyncio.sleep(0.05)
            assert stats.uptime_seconds(now()) == up
            assert stats.success_share == stats.connections / stats.attempts < 1
            await venue.up()
            await desk.live()
            await asyncio.sleep(0.02)
            assert stats.uptime_seconds(now()) > up

    play(scenario)


def test_without_a_backfill_a_hole_is_never_papered_over(make_venue, fast_settings):
    async def scenario():
        async with make_venue() as venue, Desk(venue, fast_settings, backfill=None) as desk:
            await desk.more(2)
            await venue.down()
            await asyncio.sleep(0.15)
            await venue.up()
            await desk.live()
            count = len(desk.closed)
            await desk.until(lambda: desk.stream.feed.open_gaps)
            await asyncio.sleep(0.1)
            assert len(desk.closed) == count
            assert not desk.stream.is_current(STREAM, 60.0)

    play(scenario)


@pytest.mark.parametrize("moment", [0.0, 0.005, 0.02, 0.06, 0.15])
def test_it_can_be_closed_at_any_moment(make_venue, fast_settings, moment):
    async def scenario():
        async with make_venue() as venue:
            venue.answers = moment != 0.06
            async with Desk(venue, fast_settings) as desk:
                await asyncio.sleep(moment)
                if moment == 0.15:
                    venue.stall()
            assert desk.stream.state is LinkState.CLOSED

    play(scenario)


def test_the_probe_sees_whether_the_port_answers(make_venue):
    async def scenario():
        async with make_venue() as venue:
            assert await tcp_probe(venue.url, 0.5)
            await venue.down()
            assert not await tcp_probe(venue.url, 0.5)
            await venue.up()

    play(scenario)


@pytest.mark.parametrize("seed", [1, 2])
def test_through_a_storm_of_everything_no_candle_is_missing_or_doubled(make_venue, fast_settings, seed):
    async def scenario():
        rng = random.Random(seed)
        async with make_venue(seed) as venue, Desk(venue, fast_settings) as desk:
            venue.lose = venue.double = venue.swap = venue.break_text = 0.1
            await desk.more(1)
            for _ in range(12):
                await asyncio.sleep(rng.uniform(0.02, 0.2))
                fault = rng.choice(["reset", "stall", "close", "down", "rest", "shutdown", "503"])
                if fault == "reset":
                    venue.reset()
                elif fault == "stall":
                    venue.stall()
                elif fault == "close":
                    await venue.close(rng.choice([1001, 1011, 1012]))
                elif fault == "rest":
                    venue.rest_fails = rng.randint(1, 3)
                elif fault == "shutdown":
                    await venue.say('{"e":"serverShutdown"}')
                elif fault == "503":
                    venue.refuse_with = (503, {})
                    venue.reset()
                    await asyncio.sleep(0.05)
                    venue.refuse_with = None
                else:
                    await venue.down()
                    await asyncio.sleep(rng.uniform(0.0, 0.2))
                    await venue.up()
            venue.rest_fails = 0
            venue.lose = venue.swap = venue.break_text = 0.0
            goal = venue.now_ms() // STEP_MS
            await desk.until(lambda: desk.closed[-1] >= goal)
        desk.assert_whole()
        assert len(desk.closed) > 30 and desk.stream.stats.connections > 3
        assert desk.losses == []

    play(scenario)
