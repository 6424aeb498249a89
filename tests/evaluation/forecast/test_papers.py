from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.forecast import papers
from adaptive_pkg.evaluation.forecast.papers import PAPERS, Paper, reading, run, show
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.settings.forecast import ForecastSettings
from adaptive_pkg.simulator.candles import write_candles

PAPER = Paper(
    "Somebody 2020", "a journal", "2018-01-01", "2019-12-31", False, {"BTC": {"GRU": 9.0, "LSTM": 0.1}}
)
TINY = ForecastSettings(window=8, units=(4,), dense_units=4, chunk_candles=32, batch_chunks=8, epochs=1)


@pytest.fixture(scope="module")
def daily(tmp_path_factory):
    """A random walk of three years."""
    rng, n = np.random.default_rng(4), 1095
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, n)))
    frame = pd.DataFrame({"date": pd.date_range("2017-01-01", periods=n, tz="UTC"), "close": close})
    frame["open"] = np.append(100.0, close[:-1])
    frame["high"] = frame[["open", "close"]].max(axis=1) * 1.01
    frame["low"] = frame[["open", "close"]].min(axis=1) * 0.99
    frame["volume"] = rng.lognormal(3, 0.5, n)
    folder = tmp_path_factory.mktemp("daily")
    write_candles({"BTC/USD": frame}, folder, "1d")
    return folder, frame


@pytest.fixture(scope="module")
def result(daily):
    settings = {"forecaster": TINY, "indicators": IndicatorSettings(reference_period=60)}
    return run(daily[0], Console(quiet=True), papers=[PAPER], seeds=2, workers=1, **settings)


def test_persistence_is_the_mean_move_of_the_last_fifth(result, daily):
    entry, frame = result["windows"][0], daily[1]
    window = frame[frame["date"] >= "2018-01-01"]
    test = window.iloc[round(0.8 * len(window)) :]["close"].to_numpy()
    assert entry["persistence_mape_pct"] == pytest.approx(100 * np.mean(np.abs(test[:-1] / test[1:] - 1)))
    assert entry["test_days"] == len(test) - 1
    older = entry["persistence_of_older_price_mape_pct"]
    assert entry["persistence_mape_pct"] < older["2"] < older["5"]


def test_our_networks_stay_beside_persistence_on_a_random_walk(result):
    for cell in ("gru", "lstm"):
        ours = result["windows"][0]["ours"][cell]
        assert len(ours["mape_pct_by_seed"]) == 2
        assert 0.98 < ours["over_persistence"] < 1.02


def test_the_reading_names_what_persistence_beats_and_what_is_too_good(result):
    first, second, *_ = reading(result["windows"])
    assert first.startswith("1 of 2 published errors are larger") and "GRU BTC 9 %" in first
    assert second.startswith("1 are below half") and "LSTM BTC 0.1 %" in second
    text = io.StringIO()
    show(result, Console(file=text, width=200))
    assert "Somebody 2020" in text.getvalue() and "our LSTM" in text.getvalue()


def test_no_test_day_is_seen_in_training(daily, monkeypatch):
    seen = []
    honest = papers.TrainingSpan.from_frames.__func__

    def watch(cls, features, labels, dates, *rest):
        known = labels.notna().all(axis=1)
        seen.append((dates[known].max(), dates.max()))
        return honest(cls, features, labels, dates, *rest)

    monkeypatch.setattr(papers.TrainingSpan, "from_frames", classmethod(watch))
    settings = IndicatorSettings(reference_period=60)
    result = run(
        daily[0],
        Console(quiet=True),
        papers=[PAPER],
        seeds=1,
        workers=1,
        forecaster=TINY,
        indicators=settings,
    )
    test_first = pd.Timestamp(result["windows"][0]["test_first"], tz="UTC")
    for newest_label, newest_candle in seen:
        assert newest_label + pd.Timedelta("1D") < test_first
        assert newest_candle < test_first


def test_a_window_outside_the_data_is_refused(daily):
    early = Paper("Early", "x", "2010-01-01", "2011-12-31", False, {"BTC": {"GRU": 1.0}})
    with pytest.raises(DataError, match="BTC: 0 daily candles between 2010-01-01"):
        run(daily[0], Console(quiet=True), papers=[early], seeds=1, workers=1)


@pytest.mark.real_data
def test_persistence_on_the_published_days_is_what_is_known(real_datadir):
    store = papers.CandleStore(real_datadir.parent / "daily")
    got = {}
    for coin in ("BTC", "ETH", "LTC"):
        candles = store.load(f"{coin}/USD", "1d")
        window = papers._window(PAPERS[0], coin, candles, papers.INDICATORS)
        got[coin] = window.persistence()["persistence_mape_pct"]
    assert got == pytest.approx({"BTC": 3.33, "ETH": 4.54, "LTC": 5.16}, abs=0.02)
