"""How old the candles, the backup and the last sign of life are."""

import os
from dataclasses import replace

import pandas as pd
import pytest

from adaptive_pkg.upkeep.backup import make_backup
from adaptive_pkg.upkeep.findings import Verdict
from adaptive_pkg.upkeep.freshness import (
    PREDICTIONS,
    check_backup,
    check_candles,
    check_signs_of_life,
    check_sources,
    words,
)

from .conftest import NOW, Row


def test_fresh_candles_are_fine_and_old_or_missing_ones_are_named(seen, datadir):
    fresh = seen(datadir=datadir)
    found = check_candles(fresh)
    assert found.verdict is Verdict.OK and found.told == "2 pairs, none older than 0 min"
    old = replace(fresh, now=NOW + pd.Timedelta(days=5))
    found = check_candles(old)
    assert found.verdict is Verdict.LOOK and found.told == "BTC/USDT 5 days old; SOL/USDT 5 days old"
    more = seen(datadir=datadir, exchange={"pair_whitelist": ["BTC/USDT", "ADA/USDT"]})
    assert check_candles(more).told == "ADA/USDT: none"


def test_outside_data_that_nobody_asked_for_is_not_measured(seen, tmp_path):
    found = check_sources(seen())
    assert (found.measured, found.verdict) == (False, Verdict.OK)
    asked = {"sources": {"enabled": True, "path": str(tmp_path / "none.sqlite")}}
    assert check_sources(seen(adaptive=asked)).verdict is Verdict.LOOK


def test_old_outside_data_is_named(seen, tmp_path):
    from adaptive_pkg.store.observations import ObservationStore

    path = tmp_path / "sources.sqlite"
    about = int((NOW - pd.Timedelta(days=9)).timestamp() * 1000)
    history = pd.DataFrame({"about": [about], "known": [about], "value": [50.0]})
    with ObservationStore(path) as store:
        store.append("fear_greed", history)
    asked = {"sources": {"enabled": True, "path": str(path)}}
    found = check_sources(seen(adaptive=asked))
    assert found.verdict is Verdict.LOOK and "fear_greed 9 days old" in found.told
    early = replace(seen(adaptive=asked), now=NOW - pd.Timedelta(days=8))
    assert check_sources(early).verdict is Verdict.OK


def test_a_backup_is_wanted_every_week_and_with_real_money_at_once(seen, book, tmp_path):
    folder = tmp_path / "backups"
    assert check_backup(seen(), folder).verdict is Verdict.LOOK
    live = check_backup(seen(dry_run=False), folder)
    assert live.verdict is Verdict.ACT and live.remedy == f"adaptive backup {folder}/2024-06-03.tar.gz"
    for days, name in ((9, "old"), (3, "new")):
        made = NOW - pd.Timedelta(days=days)
        make_backup(folder / f"{name}.tar.gz", [], {}, made, database=book([Row(5, 1.0)]))
        (folder / "someone else's.tar.gz").write_bytes(b"no backup of ours")
        found = check_backup(seen(), folder)
        assert found.told == f"{folder}/{name}.tar.gz is {days} days old"
        assert found.verdict is (Verdict.LOOK if days == 9 else Verdict.OK)


def test_predictions_that_stopped_while_trades_are_open_are_looked_at(seen, tmp_path):
    folder = tmp_path / "user_data" / "models" / "mine"
    folder.mkdir(parents=True)
    written = folder / PREDICTIONS
    written.write_bytes(b"x")
    freqai = {"enabled": True, "identifier": "mine"}
    for hours, verdict in ((2, Verdict.OK), (9, Verdict.LOOK)):
        at = (NOW - pd.Timedelta(hours=hours)).timestamp()
        os.utime(written, (at, at))
        assert check_signs_of_life(seen([Row(20, open=True)], freqai=freqai)).verdict is verdict
        assert check_signs_of_life(seen([Row(20, 1.0)], freqai=freqai)).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("age", "told"), [("20min", "20 min"), ("3h", "3 h"), ("47h", "47 h"), ("4d", "4 days")]
)
def test_ages_are_told_as_a_person_would(age, told):
    assert words(pd.Timedelta(age)) == told
