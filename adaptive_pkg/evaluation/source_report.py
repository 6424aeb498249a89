"""The report `adaptive evaluate sources`: what outside data say about prices, and what they add to them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.source_panel import (
    CONTROLS,
    FUNDING,
    HORIZONS,
    INTEREST,
    ONCHAIN,
    SENTIMENT,
    build_panel,
)
from adaptive_pkg.evaluation.source_skill import (
    BLOCK_DAYS,
    IncrementalIC,
    Interval,
    correlation,
    granger_p,
    holm,
    incremental_ic,
)
from adaptive_pkg.settings.sources import SourcesSettings
from adaptive_pkg.store.history import read_csv

CLAIM = 0.6  # "sentiment correlation > 0.6 with price movements"
FAMILIES = {
    "sentiment (Fear & Greed)": SENTIMENT,
    "on-chain (BTC)": ONCHAIN,
    "funding": FUNDING,
    "open interest (BTC)": INTEREST,
}
OUTCOMES = {"return": "forward_return", "volatility": "forward_volatility"}
FORWARD = (
    "level ~ return of the next day",
    "change ~ return of the next day",
    "level ~ return of the next 7 days",
)
_LAGS = 5
_SEED = 7


@dataclass(frozen=True, slots=True)
class SentimentCorrelations:
    """BTC's daily Fear & Greed index beside its daily returns.

    Attributes:
        rows: what is correlated with what, by name; the interval of each.
        granger_returns_to_index, granger_index_to_returns: p-values, 5 lags, of the changes.
    """

    days: int
    rows: dict[str, Interval]
    granger_returns_to_index: float
    granger_index_to_returns: float


@dataclass(frozen=True, slots=True)
class FamilySkill:
    """One family judged on one outcome and horizon; `p_holm` for all that were tried on that outcome."""

    family: str
    outcome: str
    horizon_days: int
    skill: IncrementalIC
    p_holm: float

    @property
    def earns(self) -> bool:
        """Whether it adds to past prices beyond chance: its interval, its p, the whole forecast's gain."""
        return self.skill.ic.sign > 0 and self.p_holm < 0.05 and self.skill.gain.sign > 0


def evaluate_sources(
    datadir: Path, json_path: Path | None, console: Console, settings: SourcesSettings, hour: int = 12
) -> int:
    """Print both tables and their reading, and write them as JSON if asked. Returns 0.

    Args:
        datadir: holds sentiment/fear_greed_daily.csv, onchain/btc_daily.csv, binance/*-1h.feather and
            binance/futures/*-funding_rate.feather.
        hour: of the day, UTC, at which outside data are read and the forecast begins.

    Raises:
        DataError: a file is missing, cannot be read, or is too short.
    """
    index_file = datadir / "sentiment" / "fear_greed_daily.csv"
    correlations = sentiment_correlations(read_csv(index_file), _daily_closes(datadir))
    skills = family_skills(build_panel(datadir, settings, hour), console)
    _print_correlations(correlations, console)
    _print_skills(skills, hour, console)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(_as_json(correlations, skills, hour), indent=2) + "\n", "utf-8")
        console.print(f"written: {json_path}")
    return 0


def _daily_closes(datadir: Path) -> pd.Series:
    """BTC's last price of each day, by date."""
    path = datadir / "binance" / "BTC_USDT-1h.feather"
    try:
        candles = pd.read_feather(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no candles ({error})") from error
    return candles.groupby(candles["date"].dt.tz_convert(None).dt.floor("D"))["close"].last()


def sentiment_correlations(index: pd.DataFrame, closes: pd.Series) -> SentimentCorrelations:
    """Correlate the index with prices in every way that the claim may mean.

    The index of day D comes out as D begins: its same day is the one that has just ended.

    Args:
        index: columns date and value. closes: last price of each day.
    """
    values = pd.Series(index["value"].to_numpy(float), pd.to_datetime(index["date"]))
    days = pd.date_range(values.index[0], min(values.index[-1], closes.index[-1]), freq="D")
    level, price = values.reindex(days), np.log(closes.reindex(days))
    change, day_return = level.diff(), price.diff()
    ended = day_return.shift(1)  # of the day that ended as the index came out
    rng = np.random.default_rng(_SEED)

    def row(x: pd.Series, y: pd.Series) -> Interval:
        return correlation(x.to_numpy(), y.to_numpy(), rng)

    week, month = price.diff(7), price.diff(30)
    rows = {
        "level ~ log price level, same day": row(level, price.shift(1)),
        "level ~ return of the 30 days before": row(level, month.shift(1)),
        "level ~ return of the same day": row(level, ended),
        "change ~ return of the same day": row(change, ended),
        FORWARD[0]: row(level, day_return),
        FORWARD[1]: row(change, day_return),
        FORWARD[2]: row(level, week.shift(-6)),
        "return of a day ~ the index's change a day later": row(ended, change.shift(-1)),
    }
    return SentimentCorrelations(
        days=len(days),
        rows=rows,
        granger_returns_to_index=granger_p(ended.to_numpy(), change.to_numpy(), _LAGS),
        # the day that begins as the index comes out is the first it could speak of
        granger_index_to_returns=granger_p(change.to_numpy(), ended.to_numpy(), _LAGS),
    )


def family_skills(panel: pd.DataFrame, console: Console) -> list[FamilySkill]:
    """Judge every family on every outcome and horizon."""
    rng = np.random.default_rng(_SEED)
    tried = [
        (family, outcome, horizon) for outcome in OUTCOMES for family in FAMILIES for horizon in HORIZONS
    ]
    skills = [
        incremental_ic(panel, f"{OUTCOMES[outcome]}_{horizon}d", FAMILIES[family], CONTROLS, horizon, rng)
        for family, outcome, horizon in track(tried, "judging", console=console, transient=True)
    ]
    adjusted: list[float] = []
    for outcome in OUTCOMES:
        adjusted += holm(
            [skill.p for skill, (_, kind, _) in zip(skills, tried, strict=True) if kind == outcome]
        )
    return [FamilySkill(*what, skill, p) for what, skill, p in zip(tried, skills, adjusted, strict=True)]


def _print_correlations(found: SentimentCorrelations, console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Fear & Greed and BTC")
    for column in ("correlation", "95 % interval", f"above {CLAIM}?"):
        table.add_column(column, justify="right")
    for name, value in found.rows.items():
        above = "yes" if value.low > CLAIM else "perhaps" if value.high > CLAIM else "no"
        table.add_row(name, f"{value.value:+.3f}", f"{value.low:+.3f} … {value.high:+.3f}", above)
    console.print(
        f"\n[bold]Is sentiment correlated with price above {CLAIM}?[/bold]  {found.days:,} days; Pearson, "
        f"intervals by a block bootstrap of {BLOCK_DAYS} days",
        highlight=False,
    )
    console.print(table)
    console.print(
        f"Granger, {_LAGS} lags: returns → index p = {found.granger_returns_to_index:.2g}; "
        f"index → returns p = {found.granger_index_to_returns:.2g}\n" + _reading(found),
        highlight=False,
    )


def _reading(found: SentimentCorrelations) -> str:
    best = max(FORWARD, key=lambda name: abs(found.rows[name].value))
    signs = sum(found.rows[name].sign != 0 for name in FORWARD)
    claim = [name for name, value in found.rows.items() if value.value > CLAIM]
    met = f"Above {CLAIM} only: {'; '.join(claim)}." if claim else f"Nothing is above {CLAIM}."
    return (
        f"{met} Looking ahead the largest is {found.rows[best].value:+.3f} ({best}); "
        f"{signs} of {len(FORWARD)} forward intervals exclude 0. A correlation with what has already "
        "happened is no forecast: the index is made of past returns and volatility."
    )


def _print_skills(skills: list[FamilySkill], hour: int, console: Console) -> None:
    console.print(
        "\n[bold]Do outside data add to past prices?[/bold]  Rank correlations out of sample, walk-forward, "
        f"read at {hour:02d}:00 UTC as known then.\nPast prices: returns of 1, 7, 30 days and volatility of "
        "7, 30. p: one-sided, corrected for all that was tried on the outcome (Holm).",
        highlight=False,
    )
    for outcome in OUTCOMES:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column(f"forward {outcome}", no_wrap=True)
        for column in ("days\nahead", "adds (IC)", "95 % interval", "p", "prices\nalone", "with\nit"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("gain, 95 % interval", justify="right", no_wrap=True)
        table.add_column("days judged", justify="right", no_wrap=True)
        for item in skills:
            if item.outcome != outcome:
                continue
            skill = item.skill
            table.add_row(
                item.family,
                str(item.horizon_days),
                f"{skill.ic.value:+.3f}",
                f"{skill.ic.low:+.3f} … {skill.ic.high:+.3f}",
                f"{item.p_holm:.3f}",
                f"{skill.ic_prices.value:+.3f}",
                f"{skill.ic_with.value:+.3f}",
                f"{skill.gain.low:+.3f} … {skill.gain.high:+.3f}",
                f"{skill.days:,}",
            )
        console.print(table)
        mine = [
            f"{item.family} at {item.horizon_days} d"
            for item in skills
            if item.outcome == outcome and item.earns
        ]
        console.print(
            f"Earns a weight on {outcome}: {', '.join(mine) or 'none; the default weight stays 0'}.",
            highlight=False,
        )


def _as_json(correlations: SentimentCorrelations, skills: list[FamilySkill], hour: int) -> dict[str, Any]:
    return {
        "claim_correlation_above": CLAIM,
        "sentiment": asdict(correlations),
        "hour_utc": hour,
        "controls": list(CONTROLS),
        "families": {name: list(columns) for name, columns in FAMILIES.items()},
        "skills": [{**asdict(item), "earns": item.earns} for item in skills],
    }
