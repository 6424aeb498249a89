"""The report `adaptive evaluate papers`: published daily price errors beside "tomorrow is like today"."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.forecast.panel import fill_gaps
from adaptive_pkg.forecast.dataset import TrainingSpan
from adaptive_pkg.forecast.forecaster import RecurrentForecaster
from adaptive_pkg.forecast.skill import price_mape
from adaptive_pkg.forecast.targets import RETURN_SIGMA, forecast_price, future_return_sigma
from adaptive_pkg.market.features import forecast_features
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.settings.forecast import Cell, ForecastSettings
from adaptive_pkg.simulator.candles import CandleStore

TRAIN_PART = 0.8  # of all three papers
# A month of context, and a year in the place of the hourly reference of a month.
FORECASTER = ForecastSettings(window=30, chunk_candles=90)
INDICATORS = IndicatorSettings(reference_period=365)


@dataclass(frozen=True)
class Paper:
    """One study's window and the test MAPE it printed, in percent: coin → model → figure."""

    name: str
    source: str
    first: str
    last: str
    exact_window: bool  # False: the dates are assumed
    mape_pct: dict[str, dict[str, float]] = field(default_factory=dict)


PAPERS = (
    Paper(
        "Hamayel & Owda 2021",
        "AI 2(4):477, doi 10.3390/ai2040030",
        "2018-01-22",
        "2021-06-30",
        False,
        {
            "BTC": {"GRU": 0.2454, "bi-LSTM": 5.990},
            "ETH": {"GRU": 0.8267, "bi-LSTM": 6.85},
            "LTC": {"GRU": 0.2116, "bi-LSTM": 2.332},
        },
    ),
    Paper(
        "Seabe et al. 2023",
        "repository.up.ac.za/handle/2263/96455",
        "2018-01-01",
        "2023-06-30",
        False,
        {
            "BTC": {"GRU": 5.72, "LSTM": 3.94, "bi-LSTM": 3.56},
            "ETH": {"bi-LSTM": 12.43},
            "LTC": {"bi-LSTM": 4.11},
        },
    ),
    Paper(
        "Kaur et al. 2025",
        "PeerJ CS 11:e2675",
        "2018-05-15",
        "2024-03-31",
        False,
        {"BTC": {"GRU": 3.540}, "ETH": {"GRU": 4.415}, "LTC": {"GRU": 8.703}},
    ),
)


def evaluate_papers(
    datadir: Path, json_path: Path | None, console: Console, seeds: int = 5, workers: int | None = None
) -> int:
    """Run, print and write the comparison. Returns 0. Raises DataError, ForecastError."""
    result = run(datadir, console, seeds=seeds, workers=workers)
    show(result, console)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        console.print(f"written: {json_path}", highlight=False)
    return 0


def run(
    datadir: Path,
    console: Console,
    *,
    papers: Sequence[Paper] = PAPERS,
    quote: str = "USD",
    seeds: int = 5,
    workers: int | None = None,
    forecaster: ForecastSettings = FORECASTER,
    indicators: IndicatorSettings = INDICATORS,
) -> dict[str, Any]:
    """Score persistence and our networks on each paper's last 20 %, one day ahead.

    Args:
        datadir: daily candles, COIN/`quote`. seeds: runs of each network.

    Returns:
        `windows`: one entry per paper and coin; `reading`: sentences.

    Raises:
        DataError: no daily candles of a coin.
    """
    store = CandleStore(datadir)
    windows = [
        _window(paper, coin, store.load(f"{coin}/{quote}", "1d"), indicators)
        for paper in papers
        for coin in paper.mape_pct
    ]
    calls = [
        (number, cell, seed)
        for number in range(len(windows))
        for cell in Cell
        for seed in range(1, seeds + 1)
    ]
    jobs = (
        delayed(_mape)(windows[number], replace(forecaster, cell=cell, seed=seed))
        for number, cell, seed in calls
    )
    pool = Parallel(n_jobs=workers or os.cpu_count() or 1, return_as="generator")
    scores = list(track(pool(jobs), "training on daily candles", len(calls), console=console, transient=True))
    entries = []
    for number, window in enumerate(windows):
        entry = window.persistence()
        for cell in Cell:
            runs = [s for (n, c, _), s in zip(calls, scores, strict=True) if (n, c) == (number, cell)]
            entry["ours"][cell.value] = {
                "mape_pct": float(np.mean(runs)),
                "mape_pct_by_seed": runs,
                "over_persistence": float(np.mean(runs)) / entry["persistence_mape_pct"],
            }
        entries.append(entry)
    result = {"train_part": TRAIN_PART, "seeds": seeds, "horizon_days": 1, "windows": entries}
    return {**result, "reading": reading(entries)}


@dataclass(frozen=True)
class Window:
    """A paper's days of one coin, with a year of history before them for the indicators."""

    paper: Paper
    coin: str
    frame: pd.DataFrame  # date, close, sigma, label and the features
    first: int
    split: int  # first test row
    end: int

    @property
    def cut(self) -> bool:
        """The data end before the paper's window does."""
        return self.frame["date"].iloc[self.end - 1] < pd.Timestamp(self.paper.last, tz="UTC")

    def prices(self) -> tuple[np.ndarray, np.ndarray]:
        """Close of the test days and of the days after them."""
        close = self.frame["close"].to_numpy()
        return close[self.split : self.end - 1], close[self.split + 1 : self.end]

    def persistence(self) -> dict[str, Any]:
        today, tomorrow = self.prices()
        persistence = price_mape(tomorrow, today)
        close = self.frame["close"].to_numpy()
        lagged = {
            str(lag): price_mape(tomorrow, close[self.split + 1 - lag : self.end - lag]) for lag in (2, 3, 5)
        }
        published = self.paper.mape_pct[self.coin]
        return {
            "paper": self.paper.name,
            "source": self.paper.source,
            "coin": self.coin,
            "first": self._day(self.first),
            "test_first": self._day(self.split),
            "last": self._day(self.end - 1),
            "window": "assumed" if not self.paper.exact_window else "as published",
            "cut_to_data": bool(self.cut),
            "test_days": len(today),
            "persistence_mape_pct": persistence,
            "persistence_of_older_price_mape_pct": lagged,
            "persistence_r2": float(1 - np.mean((tomorrow - today) ** 2) / np.var(tomorrow)),
            "published_mape_pct": published,
            "published_over_persistence": {name: value / persistence for name, value in published.items()},
            "ours": {},
        }

    def _day(self, row: int) -> str:
        return f"{self.frame['date'].iloc[row]:%Y-%m-%d}"


def _window(paper: Paper, coin: str, candles: pd.DataFrame, indicators: IndicatorSettings) -> Window:
    grid = fill_gaps(candles)
    known = compute_indicators(grid, indicators)
    features = forecast_features(grid, indicators).add_prefix("%-")
    frame = pd.concat([known[["date", "close", "sigma"]], features], axis=1)
    frame[RETURN_SIGMA] = future_return_sigma(known["close"], known["sigma"], 1, known["volume"])
    dates = frame["date"]
    first = int(dates.searchsorted(pd.Timestamp(paper.first, tz="UTC")))
    end = int(dates.searchsorted(pd.Timestamp(paper.last, tz="UTC"), side="right"))
    if end - first < 365:
        raise DataError(
            f"{coin}: {end - first} daily candles between {paper.first} and {paper.last}; download more"
        )
    return Window(paper, coin, frame, first, first + round(TRAIN_PART * (end - first)), end)


def _mape(window: Window, settings: ForecastSettings) -> float:
    """Test MAPE, in percent, of one network trained on the first 80 %; where it is silent, persistence."""
    seen, test = slice(window.first, window.split), slice(window.split, window.end - 1)
    frame = window.frame
    columns = [name for name in frame if name.startswith("%-")]
    labels = frame[[RETURN_SIGMA]].iloc[seen].copy()
    labels.iloc[-1:] = np.nan  # reaches the first test day
    span = TrainingSpan.from_frames(frame[columns].iloc[seen], labels, frame["date"].iloc[seen], settings, 1)
    model = RecurrentForecaster.fit(span, settings)
    forecast = model.predict(frame[columns].iloc[test], frame["date"].iloc[test])
    today, tomorrow = window.prices()
    sigma = frame["sigma"].to_numpy()[test]
    return price_mape(tomorrow, forecast_price(today, forecast.values[:, 0], sigma, 1))


def reading(entries: list[dict[str, Any]]) -> list[str]:
    """What the comparison says."""
    claims = [
        (entry, model, value) for entry in entries for model, value in entry["published_mape_pct"].items()
    ]
    beaten = [c for c in claims if c[2] > c[0]["persistence_mape_pct"]]
    far = [c for c in claims if c[2] < 0.5 * c[0]["persistence_mape_pct"]]
    lines = [
        f"{len(beaten)} of {len(claims)} published errors are larger than those of 'tomorrow's price is "
        "today's', which learns nothing: "
        + "; ".join(
            f"{e['paper']} {model} {e['coin']} {value:g} % against {e['persistence_mape_pct']:.2f} %"
            for e, model, value in beaten
        )
        + "."
    ]
    if far:
        lines.append(
            f"{len(far)} are below half of persistence's, which no honest forecast one day ahead comes near; "
            "same-day inputs, another scale or a leak would explain them: "
            + "; ".join(
                f"{e['paper']} {model} {e['coin']} {value:g} % against {e['persistence_mape_pct']:.2f} %"
                for e, model, value in far
            )
            + "."
        )
    for cell in entries[0]["ours"]:
        ratios = [entry["ours"][cell]["over_persistence"] for entry in entries]
        lines.append(
            f"Our {cell.upper()} makes {min(ratios):.3f} to {max(ratios):.3f} times persistence's error: "
            "the level of the price is carried by today's price, not by the network."
        )
    lines.append(
        "The papers' exact dates are not known here, so windows are assumed"
        + (
            ", and those that end after the data are cut to them."
            if any(entry["cut_to_data"] for entry in entries)
            else "."
        )
    )
    return lines


def show(result: dict[str, Any], console: Console) -> None:
    """Print the table and the reading."""
    table = Table(
        title=f"price one day ahead, last {100 * (1 - TRAIN_PART):.0f} % of each window: MAPE in %",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    cells = list(result["windows"][0]["ours"])
    for name in ("paper", "coin", "test days"):
        table.add_column(name, no_wrap=True)
    for name in ("persistence", *(f"our {cell.upper()}" for cell in cells), "published"):
        table.add_column(name, justify="right")
    for entry in result["windows"]:
        published = ", ".join(
            f"{model} {value:g} (× {entry['published_over_persistence'][model]:.2f})"
            for model, value in entry["published_mape_pct"].items()
        )
        table.add_row(
            entry["paper"],
            entry["coin"],
            f"{entry['test_first']} – {entry['last']}",
            f"{entry['persistence_mape_pct']:.3f}",
            *(
                f"{entry['ours'][cell]['mape_pct']:.3f} (× {entry['ours'][cell]['over_persistence']:.3f})"
                for cell in cells
            ),
            published,
        )
    console.print(table)
    for line in result["reading"]:
        console.print(line, highlight=False)
