"""Polls go on for as long as the bot lives; a source that fails harms neither it nor the others."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from adaptive_pkg.polling.keeper import Poller, SourceKeeper, poll_once
from adaptive_pkg.polling.source import Failure, SourceError
from adaptive_pkg.settings.sources import PollingSettings
from adaptive_pkg.store.observations import ObservationStore
from adaptive_pkg.store.series import Reading, SeriesSpec

HOUR = timedelta(hours=1)
NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)


class FakeSource:
    def __init__(self, name="mood", errors=(), every=HOUR):
        self.name, self.every = name, every
        self.specs = (SeriesSpec(name, timedelta(0), 10 * HOUR),)
        self.errors = list(errors)
        self.asked = 0

    async def fetch(self, last_about, now):
        self.asked += 1
        if self.errors and (error := self.errors.pop(0)):
            raise error
        return [Reading(self.name, now, float(self.asked))]


@pytest.fixture
def store(tmp_path):
    with ObservationStore(tmp_path / "s.sqlite") as store:
        yield store


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def test_a_poll_keeps_what_is_new(store):
    poller = Poller(FakeSource(), store, PollingSettings(), wall=NOW.timestamp)
    result = asyncio.run(poller.poll())
    assert (result.added, result.failure) == (1, None)
    assert store.last_about("mood") == NOW


def test_a_failing_source_rests_and_is_then_tried_once(store):
    clock = [0.0]
    down = SourceError(Failure.DOWN, "no answer")
    source = FakeSource(errors=[down] * 3)
    settings = PollingSettings(failures=2, pause_minutes=1)
    poller = Poller(source, store, settings, wall=NOW.timestamp, monotonic=lambda: clock[0])

    def poll(at):
        clock[0] = at
        return asyncio.run(poller.poll()).failure

    assert [poll(0), poll(1)] == [Failure.DOWN] * 2
    assert poll(2) is Failure.RESTING and source.asked == 2
    assert poll(61) is Failure.DOWN and poll(62) is Failure.RESTING
    assert store.polls()[0].failures == 3 and store.polls()[0].message == "no answer"
    assert poll(121) is None and store.polls()[0].failures == 0


def test_a_defect_of_one_source_is_logged_and_the_others_go_on(store, caplog):
    sources = [FakeSource("bad", [ZeroDivisionError("x")]), FakeSource("good")]
    results = asyncio.run(poll_once(lambda session: sources, store, PollingSettings()))
    assert [result.failure for result in results] == [Failure.MALFORMED, None]
    assert store.last_about("good") is not None and "bad has a defect" in caplog.text


def test_a_value_the_store_refuses_is_a_failure_of_the_poll(store):
    class Future(FakeSource):
        async def fetch(self, last_about, now):
            return [Reading(self.name, now + HOUR, 1.0)]

    result = asyncio.run(Poller(Future(), store, PollingSettings()).poll())
    assert "set this machine's clock" in result.message and store.states() == []


def test_the_keeper_polls_until_it_is_stopped(store):
    source = FakeSource(every=timedelta(seconds=0.02))
    keeper = SourceKeeper(lambda session: [source], store, PollingSettings(lease_seconds=60))
    keeper.beat()
    wait_for(lambda: source.asked >= 3)
    keeper.stop()
    asked = source.asked
    assert not keeper.alive and asked == source.asked
    assert not [thread for thread in threading.enumerate() if thread.name == "source-keeper"]


def test_the_keeper_ends_when_the_bot_is_silent_and_begins_again_with_it(store):
    source = FakeSource(every=timedelta(seconds=0.02))
    keeper = SourceKeeper(lambda session: [source], store, PollingSettings(lease_seconds=0.2))
    keeper.beat()
    wait_for(lambda: not keeper.alive)
    asked = source.asked
    assert asked >= 1
    keeper.beat()
    wait_for(lambda: source.asked > asked)
    keeper.stop()


def test_sources_that_cannot_be_made_end_the_keeper_not_the_bot(store, caplog):
    def broken(session):
        raise SourceError(Failure.REFUSED, "texts cannot be read")

    keeper = SourceKeeper(broken, store, PollingSettings())
    keeper.beat()
    wait_for(lambda: not keeper.alive)
    assert "count as missing" in caplog.text
    keeper.beat()  # the bot's next loop, seconds later
    assert not keeper.alive
