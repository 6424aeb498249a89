"""FreqAI in a live bot: models are trained, used, trained anew, and found on disk after a restart."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adaptive_pkg.rehearsal.market import BEGIN, PAIRS, TIMEFRAME
from adaptive_pkg.rehearsal.model_life import ModelLifeReport, run_model_life

pytestmark = pytest.mark.timeout(600)  # a busy machine; nothing here depends on its speed

AT = datetime(2023, 1, 1, tzinfo=UTC)
SOUND = ModelLifeReport(
    ("BTC/USDT",),
    "1h",
    6,
    20,
    {"BTC/USDT": 2},
    {"BTC/USDT": 1},
    {"BTC/USDT": 8},
    {"BTC/USDT": 5},
    {"BTC/USDT": AT},
    AT,
    0,
    True,
    {"BTC/USDT": 2},
    0,
    0,
    1.0,
)


def test_models_live_on_over_a_restart(tmp_path, market, project_root):
    report = run_model_life(
        tmp_path / "run",
        market,
        BEGIN,
        PAIRS[:2],
        TIMEFRAME,
        retrain_hours=4,
        train_days=20,
        project=project_root,
        real_seconds=120,
    )
    assert report.holds, report.table()
    assert all(count <= 2 for count in report.models_on_disk.values()), "purge_old_models keeps two"
    assert json.loads(json.dumps(report.to_dict()))["holds"] is True


def test_a_sound_life_holds():
    assert SOUND.holds
    assert "live on" in SOUND.table()


@pytest.mark.parametrize(
    "broken",
    [
        {"trainings": {"BTC/USDT": 1}},  # never trained anew
        {"usable_before": {}},
        {"usable_after": {"BTC/USDT": 0}},
        {"after_restart": {}},
        {"anew": 1},  # trained from nothing although there was a model
        {"kept": False},
        {"failed": 1},
        {"errors": 1},
    ],
)
def test_whatever_is_missing_breaks_it(broken):
    report = replace(SOUND, **broken)
    assert not report.holds
    assert "WRONG" in report.table()
