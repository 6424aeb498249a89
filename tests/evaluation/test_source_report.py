"""The report says which correlations look back and which ahead, and what earns a weight."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation import source_skill
from adaptive_pkg.evaluation.source_panel import CONTROLS, SENTIMENT, build_panel
from adaptive_pkg.evaluation.source_report import (
    FORWARD,
    FamilySkill,
    evaluate_sources,
    sentiment_correlations,
)
from adaptive_pkg.evaluation.source_skill import IncrementalIC, Interval
from adaptive_pkg.settings.sources import SourcesSettings


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(source_skill, "RESAMPLES", 100)


def mirror(days=900):
    """An index that is made of the day that has just ended, and so knows nothing of the next."""
    rng = np.random.default_rng(1)
    date = pd.date_range("2020-01-01", periods=days)
    returns = rng.normal(0, 0.03, days)
    closes = pd.Series(100 * np.exp(np.cumsum(returns)), date)
    # stamped with the day that begins as the other ends
    index = pd.DataFrame({"date": date[1:], "value": np.clip(50 + 800 * returns[:-1], 0, 100)})
    return index, closes


def test_an_index_made_of_past_returns_is_seen_through():
    found = sentiment_correlations(*mirror())
    assert found.rows["level ~ return of the same day"].low > 0.9
    assert all(found.rows[name].sign == 0 for name in FORWARD)
    assert found.granger_index_to_returns > 0.05


def test_stamping_it_a_day_early_would_be_clairvoyance():
    index, closes = mirror()
    early = index.assign(date=index["date"] - pd.Timedelta(days=1))
    assert sentiment_correlations(early, closes).rows[FORWARD[0]].low > 0.9


@pytest.mark.parametrize(
    ("ic", "p", "gain", "earns"),
    [
        ((0.1, 0.02, 0.2), 0.01, (0.05, 0.01, 0.1), True),
        ((0.1, -0.02, 0.2), 0.01, (0.05, 0.01, 0.1), False),
        ((0.1, 0.02, 0.2), 0.06, (0.05, 0.01, 0.1), False),
        ((0.1, 0.02, 0.2), 0.01, (0.05, -0.01, 0.1), False),
    ],
)
def test_a_weight_is_earned_by_all_three_or_not(ic, p, gain, earns):
    none = Interval(0.0, 0.0, 0.0)
    skill = IncrementalIC(Interval(*ic), none, none, Interval(*gain), 0.001, 900, 900, "", "")
    assert FamilySkill("f", "return", 1, skill, p).earns is earns


def test_a_folder_without_the_data_is_named(tmp_path):
    with pytest.raises(DataError, match=r"fear_greed_daily\.csv: no such file"):
        evaluate_sources(tmp_path, None, Console(quiet=True), SourcesSettings())
    with pytest.raises(DataError, match="no binance"):
        build_panel(tmp_path, SourcesSettings(), 12)


@pytest.fixture(scope="module")
def sources_dir(real_datadir) -> Path:
    folder = real_datadir.parent
    if not (folder / "sentiment").is_dir() or not (folder / "onchain").is_dir():
        pytest.skip(f"no sentiment/ and onchain/ in {folder}")
    return folder


@pytest.mark.real_data
def test_the_panel_holds_at_noon_what_was_known_at_noon(sources_dir):
    panel = build_panel(sources_dir, SourcesSettings(), 12).set_index(["coin", "date"])
    row = panel.loc["BTC", pd.Timestamp("2022-06-14 12:00")]
    index = pd.read_csv(sources_dir / "sentiment" / "fear_greed_daily.csv").set_index("date")["value"]
    chain = pd.read_csv(sources_dir / "onchain" / "btc_daily.csv").set_index("date")
    candles = pd.read_feather(sources_dir / "binance" / "BTC_USDT-1h.feather").set_index("date")["close"]
    assert row["fear_greed"] == index["2022-06-14"]
    assert row["fear_greed_7d"] == index["2022-06-14"] - index["2022-06-07"]
    # the 13th is published at noon of the 14th, half a day after it has ended
    assert row["log_mvrv"] == pytest.approx(np.log(chain["MVRV_ratio"]["2022-06-13"]))
    assert np.exp(row["log_price"]) == pytest.approx(candles[pd.Timestamp("2022-06-14 11:00", tz="UTC")])
    one_day = np.log(candles[pd.Timestamp("2022-06-15 11:00", tz="UTC")]) - row["log_price"]
    hourly = np.log(candles[: pd.Timestamp("2022-06-14 11:00", tz="UTC")]).diff()[-720:].std()
    assert row["forward_return_1d"] == pytest.approx(one_day / (hourly * np.sqrt(24)))
    assert panel.loc["ETH"]["log_mvrv"].isna().all() and panel.loc["SOL"]["funding_z"].isna().all()
    assert panel[[*CONTROLS, *SENTIMENT]].notna().all(axis=1).mean() > 0.9


@pytest.mark.real_data
def test_the_whole_report_on_the_real_data(sources_dir, tmp_path, capsys, monkeypatch):
    from adaptive_pkg.evaluation import source_report

    monkeypatch.setattr(source_skill, "REFIT_DAYS", 180)
    monkeypatch.setattr(source_report, "HORIZONS", (1,))
    console = Console(width=120)
    assert evaluate_sources(sources_dir, tmp_path / "r.json", console, SourcesSettings()) == 0
    said = capsys.readouterr().out
    assert "Is sentiment correlated with price above 0.6?" in said and "default weight stays 0" in said
    written = json.loads((tmp_path / "r.json").read_text())
    assert len(written["skills"]) == 2 * 4
    assert written["sentiment"]["rows"][FORWARD[0]]["value"] < 0.2
