"""The store keeps what was known when, whoever reads and writes beside it, and says what is wrong with it."""

import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.store.observations import ObservationStore
from adaptive_pkg.store.series import Reading, SeriesSpec, milliseconds

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
SPEC = SeriesSpec("fear_greed", HOUR, 2 * DAY)
WATCH = timedelta(minutes=75)


@pytest.fixture
def store(tmp_path):
    with ObservationStore(tmp_path / "new" / "s.sqlite") as store:
        yield store


def history(*rows):
    """(about, known, value): days after the start."""
    about, known, value = zip(*rows, strict=True)
    first = milliseconds(START)
    return pd.DataFrame(
        {
            "about": first + (np.array(about) * 86_400_000).astype(np.int64),
            "known": first + (np.array(known) * 86_400_000).astype(np.int64),
            "value": np.array(value, float),
        }
    )


def record(store, received, *values, source="fear_greed"):
    """Values of days after the start."""
    readings = [Reading(SPEC.name, START + day * DAY, value) for day, value in values]
    return store.record(source, [SPEC], readings, received, WATCH)


def known(store):
    """Hours after the start at which each value became known, by its day."""
    frame = store.history(SPEC.name)
    hours = (frame["known"] - milliseconds(START)) / 3_600_000
    days = (frame["about"] - milliseconds(START)) / 86_400_000
    return dict(zip(days, hours, strict=True))


def test_what_is_appended_is_read_again_and_appending_it_twice_adds_nothing(store):
    rows = history((0, 0.5, 40), (1, 1.5, 45), (1, 3, 46))
    assert store.append("mvrv/BTC", rows) == 3
    assert store.append("mvrv/BTC", rows) == 0
    pd.testing.assert_frame_equal(store.history("mvrv/BTC"), rows)
    assert store.history("mvrv/ETH").empty


def test_history_until_a_time_is_what_was_known_then(store):
    store.append("mvrv/BTC", history((0, 0.5, 40), (1, 1.5, 45)))
    assert store.history("mvrv/BTC", START + DAY)["value"].tolist() == [40.0]


def test_history_is_never_overwritten(store):
    store.append("mvrv/BTC", history((0, 0.5, 40)))
    with pytest.raises(DataError, match=r"mvrv/BTC of 2024-01-01.* is 40\.0 there and 41\.0 here"):
        store.append("mvrv/BTC", history((0, 0.5, 41), (5, 6, 1)))
    assert len(store.history("mvrv/BTC")) == 1  # and nothing of that import stays


def test_a_first_poll_dates_history_by_its_delay_and_what_just_came_out_by_its_arrival(store):
    received = START + 2 * DAY + timedelta(hours=1, minutes=30)
    assert record(store, received, (0, 40), (1, 45), (2, 50)) == 3
    assert known(store) == {0: 1.0, 1: 25.0, 2: 49.5}


def test_a_value_that_a_watching_bot_had_not_seen_before_is_known_when_it_arrives(store):
    record(store, START + 5 * HOUR, (0, 40))
    record(store, START + DAY + 5.5 * HOUR)  # it was late: this poll did not find day 1
    record(store, START + DAY + 6 * HOUR, (0, 40), (1, 45))
    assert known(store)[1] == 30.0


def test_a_poll_in_vain_after_its_usual_time_proves_that_it_was_not_out_yet(store):
    record(store, START + 5 * HOUR, (0, 40))
    record(store, START + DAY + 2 * HOUR)
    record(store, START + DAY + 9 * HOUR, (1, 45))  # the bot was down in between
    assert known(store)[1] == 33.0


def test_after_an_outage_values_are_dated_by_when_they_were_to_be_had(store):
    record(store, START + 5 * HOUR, (0, 40))
    record(store, START + 3 * DAY + 5 * HOUR, (1, 45), (2, 50), (3, 55))
    assert known(store) == {0: 1.0, 1: 25.0, 2: 49.0, 3: 73.0}


def test_a_service_that_was_down_when_we_asked_had_not_told_us(store):
    record(store, START + 5 * HOUR, (0, 40))
    for hours in range(24, 34):
        store.note_failure("fear_greed", START + hours * HOUR, "HTTP 500")
    record(store, START + 34 * HOUR, (1, 45))
    assert known(store)[1] == 34.0


def test_history_is_history_even_when_the_first_poll_had_failed_or_a_coin_comes_later(store):
    store.note_failure("fear_greed", START + 9 * DAY, "HTTP 500")
    record(store, START + 9 * DAY + HOUR / 2, (0, 40), (1, 45))
    assert known(store) == {0: 1.0, 1: 25.0}
    other = SeriesSpec("mvrv/ETH", HOUR, 2 * DAY)
    readings = [Reading("mvrv/ETH", START + day * DAY, 1.0 + day) for day in range(3)]
    store.record("fear_greed", [SPEC, other], readings, START + 9 * DAY + HOUR, WATCH)
    hours = (store.history("mvrv/ETH")["known"] - milliseconds(START)) / 3_600_000
    assert hours.tolist() == [1.0, 25.0, 49.0]


def test_a_correction_is_known_when_it_arrives_and_the_first_value_stays(store):
    record(store, START + 5 * HOUR, (0, 40))
    assert record(store, START + 9 * DAY, (0, 41)) == 1
    assert record(store, START + 9 * DAY, (0, 41)) == 0
    frame = store.history(SPEC.name)
    assert frame["value"].tolist() == [40.0, 41.0]
    assert store.history(SPEC.name, START + 8 * DAY)["value"].tolist() == [40.0]


def test_a_correction_under_a_clock_set_back_still_comes_after_what_it_corrects(store):
    store.append(SPEC.name, history((0, 5, 40)))
    record(store, START + 2 * DAY, (0, 41))
    assert store.history(SPEC.name)["value"].tolist() == [40.0, 41.0]


def test_values_from_the_future_and_of_unnamed_series_are_refused(store):
    with pytest.raises(DataError, match="set this machine's clock"):
        record(store, START, (1, 45))
    with pytest.raises(DataError, match=r"unexpected series 'mvrv/BTC'"):
        store.record("x", [SPEC], [Reading("mvrv/BTC", START, 1.0)], START, WATCH)
    assert store.states() == [] and store.polls() == []


def test_polls_are_remembered_with_their_failures(store):
    record(store, START, (0, 40))
    for hours in (1, 2):
        store.note_failure("fear_greed", START + hours * HOUR, "HTTP 500")
    (state,) = store.polls()
    assert (state.succeeded, state.tried, state.failures) == (START, START + 2 * HOUR, 2)
    assert state.message == "HTTP 500"
    record(store, START + 3 * HOUR)
    assert (store.polls()[0].failures, store.polls()[0].message) == (0, "")


def test_a_series_state_is_its_newest_period_by_its_latest_correction(store):
    store.append("mvrv/BTC", history((0, 0.5, 40), (1, 1.5, 45), (1, 3, 46), (0, 9, 39)))
    (state,) = store.states()
    assert (state.values, state.last_value) == (4, 46.0)
    assert state.last_about == START + DAY == store.last_about("mvrv/BTC")
    assert state.last_known == START + 3 * DAY
    assert store.last_about("mvrv/ETH") is None


def test_a_reader_sees_what_another_has_written_since(store):
    store.append("mvrv/BTC", history((0, 0.5, 40)))
    assert len(store.history("mvrv/BTC")) == 1
    with ObservationStore(store.path) as other:
        other.append("mvrv/BTC", history((1, 1.5, 45)))
    assert len(store.history("mvrv/BTC")) == 2


def test_a_frame_that_was_read_can_be_changed_without_harm(store):
    store.append("mvrv/BTC", history((0, 0.5, 40)))
    frame = store.history("mvrv/BTC")
    frame.loc[:, "value"] = -1.0
    assert store.history("mvrv/BTC")["value"].tolist() == [40.0]


def test_threads_and_processes_write_and_read_at_once_and_nothing_is_lost(store):
    script = """
import sys
from datetime import UTC, datetime, timedelta
from adaptive_pkg.store.observations import ObservationStore
from adaptive_pkg.store.series import Reading, SeriesSpec

start, hour, name = datetime(2024, 1, 1, tzinfo=UTC), timedelta(hours=1), "p" + sys.argv[2]
spec = SeriesSpec(name, hour, 9 * hour)
with ObservationStore(sys.argv[1]) as store:
    for i in range(40):
        reading = Reading(name, start + i * hour, float(i))
        store.record(name, [spec], [reading], start + (i + 9) * hour, hour)
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(store.path), str(n)], stderr=subprocess.PIPE)
        for n in range(1)
    ]
    errors = []

    def work(name):
        try:
            spec = SeriesSpec(name, HOUR, DAY)
            for i in range(40):
                reading = Reading(name, START + i * HOUR, float(i))
                store.record(name, [spec], [reading], START + (i + 9) * HOUR, HOUR)
                assert store.history(name)["value"].is_monotonic_increasing
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        assert process.wait(60) == 0, process.stderr.read()
        process.stderr.close()
    assert errors == []
    assert {state.series: state.values for state in store.states()} == dict.fromkeys(
        ["p0", "t0", "t1", "t2"], 40
    )


def test_a_file_that_is_no_database_or_a_damaged_one_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "s.sqlite"
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(DataError, match=r"s\.sqlite: cannot be used .* put a backup in its place"):
        ObservationStore(path)

    path.unlink()
    with ObservationStore(path) as store:
        store.append("mvrv/BTC", history(*((day, day + 0.5, day) for day in range(2000))))
    whole = bytearray(path.read_bytes())
    whole[4096:-4096] = b"\xff" * (len(whole) - 8192)
    path.write_bytes(whole)
    for leftover in tmp_path.glob("s.sqlite-*"):
        leftover.unlink()
    with pytest.raises(DataError, match="cannot be used"):
        ObservationStore(path)


def test_another_programs_database_and_another_versions_are_left_alone(tmp_path):
    path = tmp_path / "s.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trades (id INTEGER)")
    connection.close()
    with pytest.raises(DataError, match="another program's database"):
        ObservationStore(path)
    path.unlink()
    ObservationStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(DataError, match="tables 9, here 1"):
        ObservationStore(path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="folder cannot be made"):
        ObservationStore(tmp_path / "file" / "s.sqlite")


@pytest.mark.parametrize("name", ["", "Fear", "fear greed", "mvrv/btc", "a/B/C"])
def test_a_series_needs_a_proper_name(name):
    with pytest.raises(DataError, match="write it like"):
        SeriesSpec(name, HOUR, DAY)


def test_a_value_must_outlive_its_delay():
    with pytest.raises(DataError, match="no value would ever count"):
        SeriesSpec("mvrv/BTC", DAY, DAY)


def test_a_reading_needs_a_zone_and_a_number():
    with pytest.raises(DataError, match="no zone"):
        Reading("fear_greed", datetime(2024, 1, 1), 1.0)
    with pytest.raises(DataError, match="no number"):
        Reading("fear_greed", START, float("nan"))
