"""Every figure of an evaluation as one JSON file, from which tables, page and comparisons are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg import __version__
from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.cache import told, write_whole
from adaptive_pkg.evaluation.strategy.chart_data import trade_charts
from adaptive_pkg.evaluation.strategy.conditions import STRATEGY
from adaptive_pkg.evaluation.strategy.evaluate import Evaluation
from adaptive_pkg.evaluation.strategy.findings import Findings
from adaptive_pkg.evaluation.strategy.jobs import TRADE_COLUMNS
from adaptive_pkg.evaluation.strategy.performance import measure

KIND, FORMAT = "adaptive strategy evaluation", 1


def report_data(evaluation: Evaluation, findings: Findings, at: datetime) -> dict[str, Any]:
    """All figures. Numbers that do not exist (NaN, infinite) are null.

    Args:
        at: when it was made; the caller's clock.

    Returns:
        kind, format, package, made_at, conditions, spans, days (UTC, of every returns list), accounts (ours
        first; returns, performance, intervals), beside (our account less each other one), costs, runs and
        ablation, trades (figures and table), charts of a few, luck, attribution, drawdowns, forecast (null
        where FreqAI is off), claims, notes, verdict.
    """
    plan, request = evaluation.plan, evaluation.request
    walk = evaluation.walk
    return plain(
        {
            "kind": KIND,
            "format": FORMAT,
            "package": __version__,
            "made_at": at.isoformat(timespec="seconds"),
            "conditions": {
                "pairs": evaluation.pairs,
                "timeframe": evaluation.conditions.timeframe,
                "start": plan.start.date(),
                "end": plan.end.date(),
                "train_days": plan.train_days if request.hyperopt else None,
                "test_days": plan.test_days,
                "purge_days": plan.purge_days,
                "burn_in_days": plan.burn_in_days if request.hyperopt else None,
                "hyperopt": request.hyperopt,
                "fee": request.fee,
                "slippage": request.slippage,
                "starting_balance": findings.starting_balance,
                "forecast": evaluation.conditions.uses_forecast,
                "digest": evaluation.conditions.digest,
            },
            "spans": [
                {
                    "test": [span.test_start.date(), span.test_end.date()],
                    "train": [span.train_start.date(), span.train_end.date()] if request.hyperopt else None,
                    "settings": settings,
                    "performance": measure(walk.returns[span.test_start : span.test_end][: _days(span)]),
                }
                for span, settings in zip(walk.spans, walk.settings, strict=True)
            ],
            "days": [day.date() for day in walk.returns.index],
            "accounts": {
                name: {
                    "returns": account.returns.to_numpy(),
                    "performance": account.performance,
                    "sharpe": account.sharpe,
                    "return_a_year": account.mean,
                }
                for name, account in findings.accounts.items()
            },
            "exposure": findings.exposure.to_numpy(),
            "beside": findings.beside,
            "costs": findings.costs,
            "runs": {
                name: {
                    "performance": measure(result.returns),
                    "trades": len(result.trades),
                    "warnings": result.counts.get("warnings", {}),
                }
                for name, result in evaluation.runs.items()
            },
            "ablation": [
                {**_asdict(effect), "verdict": effect.verdict, "answer": effect.answer}
                for effect in findings.ablation
            ],
            "trades": {
                "figures": findings.trade_figures,
                "table": {name: walk.trades[name] for name in (*TRADE_COLUMNS, "span")},
                "excursions": findings.excursions,
                "entry_quality": findings.entry_quality,
                "stops": findings.stops,
            },
            "charts": trade_charts(walk.trades, evaluation.conditions),
            "luck": findings.luck,
            "attribution": findings.attribution,
            "drawdowns": findings.drawdowns,
            "forecast": findings.forecast,
            "claims": findings.claims,
            "notes": [*evaluation.notes, *findings.notes],
            "verdict": findings.verdict,
        }
    )


def write_report_data(data: Mapping[str, Any], path: Path) -> None:
    """Write it whole. Raises DataError where it cannot be written."""
    with told(path):
        write_whole(path, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


def read_report_data(path: Path) -> dict[str, Any]:
    """Read an evaluation back: its JSON file, or the folder that holds it.

    Raises:
        DataError: no such file, not an evaluation, or one of another format.
    """
    file = Path(path) / "strategy.json" if Path(path).is_dir() else Path(path)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; `adaptive evaluate strategy` writes one") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}); make it again") from None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise DataError(f"{file}: not an evaluation of a strategy; `adaptive evaluate strategy` writes one")
    if found.get("format") != FORMAT:
        raise DataError(
            f"{file}: format {found.get('format')!r} of release {found.get('package')}, this release "
            f"({__version__}) reads {FORMAT}; evaluate again, finished backtests are kept while they hold"
        )
    return found


def returns_of(data: Mapping[str, Any], account: str = STRATEGY) -> pd.Series:
    """Daily returns of one account of an evaluation that was read back. Raises DataError."""
    if account not in data["accounts"]:
        raise DataError(f"account {account!r}: the evaluation has {', '.join(data['accounts'])}")
    index = pd.DatetimeIndex(pd.to_datetime(data["days"], utc=True), name="date")
    return pd.Series(data["accounts"][account]["returns"], index=index, dtype=float, name=account)


def plain(value: Any) -> Any:
    """The same as what JSON holds: no NaN, no NumPy, moments as ISO text."""
    if is_dataclass(value) and not isinstance(value, type):
        found = _asdict(value)
        if isinstance(answer := getattr(value, "answer", None), str):
            found["answer"] = answer
        return plain(found)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, pd.Series):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, (datetime, pd.Timestamp)):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int)) else str(value)


def _asdict(value: Any) -> dict[str, Any]:
    # one level: nested dataclasses keep their `answer`
    return {name: getattr(value, name) for name in asdict(value)}


def _days(span: Any) -> int:
    return (span.test_end - span.test_start).days
