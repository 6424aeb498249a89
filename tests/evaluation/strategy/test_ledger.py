"""The ledger counts every try once, survives a crash and a crowd, and trusts nothing that is damaged."""

from __future__ import annotations

import fcntl
import json
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.ledger import (
    Trial,
    TrialLedger,
    make_trial,
    read_trials,
    settings_fingerprint,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def trial(number=0, **changes):
    first = Trial(
        "backtest", "AdaptiveGRU", f"{number:016x}", "2021-01-01", "2021-12-31", 0.5, 365, NOW.isoformat()
    )
    return replace(first, **changes)


@pytest.fixture
def ledger(tmp_path):
    return TrialLedger(tmp_path / "made" / "trials.jsonl")


def test_a_try_is_counted_once_however_often_it_is_run(ledger):
    assert ledger.add([trial(1), trial(2)]) == 2
    assert ledger.add([trial(1, at="2027-01-01T00:00:00+00:00"), trial(3), trial(3)]) == 1
    assert ledger.add([trial(1, start="2022-01-01")]) == 1  # another span is another try
    assert [t.settings[-1] for t in ledger.trials()] == ["1", "2", "3", "1"]


def test_an_empty_ledger_has_no_tries(ledger):
    assert ledger.trials() == []
    assert len(ledger.sharpes()) == 0


def test_the_sharpe_ratios_of_tries_whose_span_meets_the_one_judged(ledger):
    ledger.add([trial(1, sharpe=1.0), trial(2, start="2023-01-01", end="2023-06-30", sharpe=2.0)])
    assert ledger.sharpes().tolist() == [1.0, 2.0]
    assert ledger.sharpes("2022-01-01", "2024-01-01").tolist() == [2.0]
    assert ledger.sharpes("2021-06-01", "2022-01-01").tolist() == [1.0]


def test_a_trial_is_made_from_daily_returns():
    x = pd.Series(
        np.random.default_rng(1).normal(0.001, 0.02, 365), pd.date_range("2021-01-01", periods=365, tz="UTC")
    )
    made = make_trial("hyperopt", "AdaptiveGRU", {"b": 1, "a": [2]}, x, NOW, "epoch 3")
    assert made.sharpe == pytest.approx(x.mean() / x.std() * np.sqrt(365))
    assert (made.start, made.end, made.days, made.note) == ("2021-01-01", "2021-12-31", 365, "epoch 3")
    assert made.settings == settings_fingerprint({"a": [2], "b": 1})
    assert made.settings != settings_fingerprint({"a": [2], "b": 2})
    assert make_trial("backtest", "flat", {}, x * 0, NOW).sharpe == 0.0


def test_a_line_cut_short_by_a_crash_is_left_out_and_written_over(ledger):
    ledger.add([trial(1), trial(2)])
    whole = ledger.path.read_bytes()
    for cut in range(len(whole) // 2 + 1, len(whole)):
        ledger.path.write_bytes(whole[:cut])
        assert len(ledger.trials()) == 1
    assert ledger.add([trial(3)]) == 1
    assert [t.settings[-1] for t in ledger.trials()] == ["1", "3"]


def test_a_damaged_or_foreign_line_is_not_trusted(ledger):
    ledger.add([trial(1), trial(2)])
    good = ledger.path.read_text()
    ledger.path.write_text(good.replace('"kind"', '"kin"', 1))
    with pytest.raises(DataError, match=r"line 1: not a trial"):
        ledger.trials()
    ledger.path.write_text(good + '{"some": "other"}\n')
    with pytest.raises(DataError, match=r"line 3: not a trial"):
        ledger.add([trial(4)])
    ledger.path.write_text(good.replace('"format": 1', '"format": 9'))
    with pytest.raises(DataError, match="format 9, this release reads 1"):
        ledger.trials()


def test_nonsense_is_never_written(ledger):
    for bad, message in (
        (trial(kind="guess"), "'guess' is none of"),
        (trial(sharpe=float("nan")), "is not a record"),
        (trial(days=0), "is not a record"),
    ):
        with pytest.raises(DataError, match=message):
            ledger.add([trial(1), bad])
    assert not ledger.path.exists()
    with pytest.raises(DataError, match="cannot be fingerprinted"):
        settings_fingerprint({"x": object()})
    with pytest.raises(DataError, match="cannot be fingerprinted"):
        settings_fingerprint({"x": float("nan")})


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="name another ledger"):
        TrialLedger(tmp_path / "file" / "trials.jsonl").add([trial()])


def add_one_by_one(path):
    return sum(TrialLedger(path).add([trial(i)]) for i in range(30))


def test_several_processes_add_the_same_tries_at_once_and_each_is_counted_once(ledger):
    with ProcessPoolExecutor(4) as pool:
        new = list(pool.map(add_one_by_one, [ledger.path] * 4))
    assert sum(new) == 30
    assert len({t.identity for t in ledger.trials()}) == len(ledger.trials()) == 30
    assert all(json.loads(line)["format"] == 1 for line in ledger.path.read_text().splitlines())


def test_whoever_adds_waits_for_whoever_is_adding(ledger):
    ledger.add([trial(1)])
    other = threading.Thread(target=ledger.add, args=([trial(2)],))
    with ledger.path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        other.start()
        other.join(0.3)
        assert other.is_alive()
        assert len(ledger.trials()) == 1
    other.join()
    assert len(ledger.trials()) == 2


# --- tries made elsewhere -----------------------------------------------------------------------------


def as_line(one, **changes):
    return json.dumps({"format": 1, **asdict(one), **changes})


def test_a_file_of_tries_is_read_as_a_ledger_writes_it_or_as_a_hand_does(ledger, tmp_path):
    ledger.add([trial(1), trial(2)])
    assert read_trials(ledger.path) == [trial(1), trial(2)]
    hand = tmp_path / "hand.jsonl"
    hand.write_text(f"\n{as_line(trial(1))}\r\n\n{as_line(trial(3), sharpe=2)}")  # no end of line
    found = read_trials(hand)
    assert [one.sharpe for one in found] == [0.5, 2]
    assert ledger.add(found) == 1  # the other is known


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "holds no trial"),
        ("1.2\n0.7\n", "line 1: not a trial"),
        (as_line(trial(1)) + "\n{", "line 2: not a trial"),
        (as_line(trial(1), sharpe="high"), "line 1: not a trial .sharpe is 'high'"),
        (as_line(trial(1), days=True), "days is True"),
        (as_line(trial(1), start="soon"), "line 1: not a trial"),
        (as_line(trial(1), kind="guess"), "line 1: trial 'AdaptiveGRU': kind 'guess'"),
        (as_line(trial(1), sharpe=float("nan")), "line 1: trial 'AdaptiveGRU': Sharpe ratio nan"),
        (as_line(trial(1), format=2), "line 1: format 2, this release reads 1"),
    ],
)
def test_a_file_that_is_no_list_of_tries_is_told_with_the_line(tmp_path, content, word):
    (tmp_path / "tries").write_text(content)
    with pytest.raises(DataError, match=word):
        read_trials(tmp_path / "tries")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"tries\.jsonl: cannot be read"):
        read_trials(tmp_path / "tries.jsonl")
