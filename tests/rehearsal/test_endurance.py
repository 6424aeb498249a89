"""The long rehearsals' commands: on which candles, what they print and write, and when they fail."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pandas as pd
import pytest

from adaptive_pkg.rehearsal import endurance


def report(holds=True):
    return SimpleNamespace(holds=holds, table=lambda: "the table", to_dict=lambda: {"holds": holds})


@pytest.fixture
def asked(monkeypatch):
    """What `rehearse_storm` and `rehearse_soak` are asked; both hold unless told otherwise."""
    seen = SimpleNamespace(calls=[], holds=True)

    def rehearse(folder, datadir, start, pairs, **values):
        files = sorted(path.name for path in datadir.rglob("*.feather"))
        seen.calls.append((files, start, tuple(pairs), values))
        return report(seen.holds)

    monkeypatch.setattr(endurance, "rehearse_storm", rehearse)
    monkeypatch.setattr(endurance, "rehearse_soak", rehearse)
    return seen


def test_without_candles_a_synthetic_market_is_made_around_the_start(asked, tmp_path, capsys):
    assert endurance.storm(candles=12, pairs=("BTC/USDT",), workdir=tmp_path) == 0
    files, start, pairs, values = asked.calls[0]
    assert files == ["BTC_USDT-5m.feather"] and start == endurance.BEGIN and pairs == ("BTC/USDT",)
    assert values["candles"] == 12
    frame = pd.read_feather(tmp_path / "market" / files[0])
    assert frame["date"].iloc[0] < start - pd.Timedelta(days=39)
    assert frame["date"].iloc[-1] > start + 12 * pd.Timedelta(minutes=5)
    assert capsys.readouterr().out == "the table\n"


def test_real_candles_are_read_where_they_lie(asked, tmp_path):
    begin = datetime(2022, 9, 15, tzinfo=UTC)
    endurance.soak(tmp_path, days=2.0, start=begin)
    files, start, _, values = asked.calls[0]
    assert (files, start) == ([], begin)
    assert (values["days"], values["looks"]) == (2.0, 120)


def test_what_does_not_hold_fails_and_is_written_all_the_same(asked, tmp_path):
    asked.holds = False
    target = tmp_path / "report.json"
    assert endurance.storm(tmp_path, json_path=target) == 1
    assert json.loads(target.read_text()) == {"storm": {"holds": False}}


def test_a_crash_rehearsal_is_two_one_among_orders_and_one_among_models(monkeypatch, tmp_path):
    made = []

    class Rehearsal:
        def __init__(self, folder, *_, **values):
            made.append([folder.name, values.get("models"), 0])

        def play(self, kills):
            made[-1][2] = kills
            return report()

    monkeypatch.setattr(endurance, "CrashRehearsal", Rehearsal)
    assert endurance.crash(tmp_path, kills=30, workdir=tmp_path) == 0
    assert made == [["orders", None, 24], ["models", endurance.MODELS, 6]]
