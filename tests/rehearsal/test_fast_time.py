"""Clocks: an even pace for all processes under it, and one that leaps while the bot sleeps."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from adaptive_pkg.rehearsal import fast_time
from adaptive_pkg.rehearsal.fast_time import FastTime, RehearsalError, wait_for
from adaptive_pkg.rehearsal.leap_time import LeapTime, leap_clock_ms, on_leap_time, read_offset

START = datetime(2023, 5, 1, 12, tzinfo=UTC)

WAITS = """
import json, os, queue, sys, threading, time
from adaptive_pkg.rehearsal.fast_time import mend_waits
mend_waits(float(os.environ["REHEARSAL_SPEED"]))
def took(wait):
    began = time.time()
    wait()
    return time.time() - began
def empty():
    try:
        queue.Queue().get(timeout=600)
    except queue.Empty:
        pass
began = time.time()
print(json.dumps({
    "began": began,
    "event": took(lambda: threading.Event().wait(600)),
    "queue": took(empty),
    "join": took(lambda: threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
                 or threading.enumerate()[-1].join(600)),
    "sleep": took(lambda: time.sleep(600)),
}), flush=True)
os._exit(0)
"""


def test_waits_of_every_kind_end_in_fast_time(tmp_path):
    # libfaketime leaves waits on locks alone: unmended, the first of them would never end
    clock = FastTime(START, 3600)
    ran = subprocess.run(
        clock.command([sys.executable, "-c", WAITS]),
        env=clock.environment(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    seen = json.loads(ran.stdout)
    assert seen["began"] >= START.timestamp()
    for kind in ("event", "queue", "join", "sleep"):
        assert seen[kind] >= 600, kind


def test_a_process_started_later_goes_on_with_the_same_clock():
    clock = FastTime(START, 3600)
    code = (
        "import subprocess, sys, time\n"
        "time.sleep(7200)\n"
        "before = time.time()\n"
        "child = subprocess.run([sys.executable, '-c', 'import time; print(time.time())'],"
        " capture_output=True, text=True).stdout\n"
        "print(before, child, time.time())"
    )
    ran = subprocess.run(
        clock.command([sys.executable, "-c", code]),
        env=clock.environment(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    before, child, after = map(float, ran.stdout.split())
    assert START.timestamp() + 7200 <= before <= child <= after


LEAPS = """
import json, os, threading, time
from adaptive_pkg.rehearsal.leap_time import leap_instead_of_sleeping
leap_instead_of_sleeping(os.environ)
woken = []
def other():
    time.sleep(1800)
    woken.append(time.time())
began, real = time.time(), time.perf_counter
thread = threading.Thread(target=other)
thread.start()
time.sleep(86_400)
ended = time.time()
thread.join(60)
print(json.dumps({"began": began, "ended": ended, "woken": woken[0]}))
"""


def test_the_main_threads_sleep_is_a_leap_that_wakes_other_threads(tmp_path):
    clock = LeapTime(START, tmp_path / "clock", longest_leap=900)
    clock.begin()
    environment = on_leap_time(clock.environment(os.environ))
    ran = subprocess.run(
        [sys.executable, "-c", LEAPS],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,  # a day asleep
        check=True,
    )
    seen = json.loads(ran.stdout)
    assert START.timestamp() <= seen["began"]
    assert seen["began"] + 86_400 <= seen["ended"]
    assert seen["began"] + 1800 <= seen["woken"]
    assert clock.now() >= START + timedelta(days=1), "the file knows what the process did"


def test_time_passes_without_a_bot_and_never_runs_back(tmp_path):
    clock = LeapTime(START, tmp_path / "clock", longest_leap=60, pause=0.0)
    clock.begin()
    before, offset = leap_clock_ms(clock.file), read_offset(clock.file)
    clock.leap(3600)
    assert read_offset(clock.file) == pytest.approx(offset + 3600)
    assert leap_clock_ms(clock.file) >= before + 3_600_000


def test_a_wait_ends_early_where_it_came_true_and_survives_a_misread_clock(monkeypatch):
    assert wait_for(lambda: True, 10, 0.001)
    readings = iter([1e9])  # once, a clock years ahead
    real = time.monotonic
    monkeypatch.setattr(fast_time.time, "monotonic", lambda: next(readings, None) or real())
    assert not wait_for(lambda: False, 0.01, 0.001)


def test_without_faketime_one_is_told_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RehearsalError, match="apt-get install faketime"):
        FastTime(START, 60).command(["true"])
    with pytest.raises(RehearsalError, match="apt-get install faketime"):
        LeapTime(START, tmp_path / "clock").environment({})


@pytest.mark.parametrize("speed", [0, 0.5, float("nan")])
def test_a_clock_that_is_slower_than_life_is_refused(speed):
    with pytest.raises(RehearsalError, match="speed"):
        FastTime(START, speed)


def test_a_start_needs_a_time_zone():
    with pytest.raises(RehearsalError, match="time zone"):
        FastTime(datetime(2023, 1, 1), 60)
