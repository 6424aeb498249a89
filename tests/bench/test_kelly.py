"""`adaptive bench kelly` prints and stores every figure, the same ones each time."""

import json

import pytest

from adaptive_pkg.bench import kelly as bench
from adaptive_pkg.bench.kelly_simulation import Edges
from adaptive_pkg.settings import KellySettings


def test_a_small_run_prints_and_stores_every_figure(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench, "HISTORIES", (15, 60))
    monkeypatch.setattr(bench, "LEDGER_SIZES", (50, 500))
    out = tmp_path / "out" / "kelly.json"
    assert bench.bench_kelly(20, out) == 0
    first = json.loads(out.read_text(), parse_constant=pytest.fail)
    rows = first["comparisons"]
    assert len(rows) == 2 * 2 * 2
    assert {row["history_trades_per_regime"] for row in rows} == {15, 60}
    for row in rows:
        assert 0 < row["plain_median_drawdown_pct"] < row["plain_p95_drawdown_pct"] < 100
        assert len(row["median_change_pct_ci95"]) == 2
        if row["median_change_pct"] is not None:
            change = row["our_median_drawdown_pct"] / row["plain_median_drawdown_pct"] - 1
            assert row["median_change_pct"] == pytest.approx(100 * change)
    assert any(row["median_change_pct"] is not None for row in rows)
    assert len(first["bounds"]) == 2 * 2
    for row in first["bounds"]:
        assert 0 < row["shipped_median_drawdown_pct"] < row["shipped_p95_drawdown_pct"] < 100
        assert row["shipped_fraction_of_kelly"] == KellySettings().fraction
    assert first["ledger_time_ratio_to_smallest"]["50"] == 1.0
    printed = capsys.readouterr().out
    assert "missed" in printed and "ledger" in printed
    assert "informed" in printed and "sd 0.03" in printed
    bench.bench_kelly(20, out)
    assert json.loads(out.read_text())["comparisons"] == rows  # seeded


def test_other_edges_change_the_outcome_and_are_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench, "HISTORIES", (15,))
    monkeypatch.setattr(bench, "LEDGER_SIZES", (50,))
    out, growth = tmp_path / "kelly.json", []
    for mean in (0.0, 0.08):
        bench.bench_kelly(10, out, Edges(mean=mean))
        figures = json.loads(out.read_text())
        assert figures["edges"]["mean"] == mean
        growth.append(figures["bounds"][0]["plain_growth_bp_per_trade"])
    assert growth[1] > growth[0] + 10.0
    assert "mean 0.08" in capsys.readouterr().out
