"""The evaluation `adaptive evaluate strategy`: what to run, in which order, and where it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from adaptive_pkg.enums import Approach
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy.ablation import FULL, Variant, alternatives, approach_name, variants
from adaptive_pkg.evaluation.strategy.allocation import MULTIPLES, Account, simulate
from adaptive_pkg.evaluation.strategy.baselines import baselines
from adaptive_pkg.evaluation.strategy.cache import JobCache
from adaptive_pkg.evaluation.strategy.conditions import FEE, SAMPLE, SLIPPAGE, Conditions, read_conditions
from adaptive_pkg.evaluation.strategy.jobs import JobResult, StrategyJob
from adaptive_pkg.evaluation.strategy.panel import make_panel
from adaptive_pkg.evaluation.strategy.runner import Runner
from adaptive_pkg.evaluation.strategy.stop_comparison import DISTANCES, fixed_stops, name_of
from adaptive_pkg.evaluation.strategy.walk_forward import Walk, WalkPlan, walk_forward
from adaptive_pkg.settings import load_settings
from adaptive_pkg.simulator.candles import CandleStore

YEARS = 3  # where no start is given
BASELINE_TIMEFRAME = "4h"
FORECAST_OFF = "Not measured: FreqAI is off in this config, so there is no forecast to judge."


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Args:
        config: the merged configuration files. pairs: None: the configuration's whitelist.
        start, end: days judged, [start, end), UTC; None: the last three years that all pairs have.
        hyperopt: settings tried in each training span; 0: the configuration's own, everywhere.
        ablation: run each component off and alone as well. workers, scheduler: see `Runner`.
        train_days, test_days: see `WalkPlan`. trials: tries made elsewhere that luck must count: a file of
            them, which the ledger takes in for good, or a bare number, which counts for this evaluation.
    """

    datadir: Path
    config: Mapping[str, Any]
    out: Path
    pairs: Sequence[str] | None = None
    start: str | None = None
    end: str | None = None
    hyperopt: int = 0
    ablation: bool = True
    workers: int | None = None
    scheduler: str = ""
    fee: float = FEE
    slippage: float = SLIPPAGE
    train_days: int = 365
    test_days: int = 182
    seed: int = 1
    user_data: Path = Path("user_data")
    trials: str = ""


@dataclass(frozen=True)
class Evaluation:
    """Everything that was run.

    runs: by variant, FULL among them, over the whole span with fixed settings. stressed: cost multiple → the
    strategy as it walks. baselines: cost multiple → their accounts. sample: freqtrade's SampleStrategy.
    fixed_stops: distance → the same rules with stops that never move. made: jobs run now; the others were
    there.
    """

    request: Request
    conditions: Conditions
    plan: WalkPlan
    pairs: tuple[str, ...]
    walk: Walk
    runs: Mapping[str, JobResult]
    stressed: Mapping[float, Walk]
    sample: JobResult
    baselines: Mapping[float, list[Account]]
    fixed_stops: Mapping[float, JobResult] = field(default_factory=dict)
    made: int = 0
    jobs: int = 0
    notes: list[str] = field(default_factory=list)


def evaluate(request: Request, console: Console) -> Evaluation:
    """Run what the cache does not have. Interrupt it at any time; the same request goes on from there.

    Raises:
        DataError: candles are missing, or too few of them; a file cannot be written.
        SettingsError: a date, length or setting makes no sense.
    """
    store = CandleStore(request.datadir)
    pairs = _pairs(request, store)
    plan = _plan(request, store, pairs)
    conditions = read_conditions(
        request.datadir,
        request.config,
        pairs,
        shelf=request.out / "candles",
        user_data=request.user_data,
        fee=request.fee,
        slippage=request.slippage,
    )
    cache = JobCache(request.out / "jobs")
    runner = Runner(conditions, cache, console, request.workers, request.scheduler)
    jobs = plan_jobs(request, conditions, plan, pairs)
    results = runner.run(jobs)
    walks = {
        multiple: walk_forward(runner, plan, pairs, request.hyperopt, None, multiple, request.seed)
        for multiple in MULTIPLES
    }
    return Evaluation(
        request,
        conditions,
        plan,
        pairs,
        walks[1.0],
        {variant.name: results[variant.name] for variant in _variants(request, conditions)},
        walks,
        results[SAMPLE],
        _baselines(conditions, pairs, plan),
        {at: results[name_of(at)] for at in DISTANCES if name_of(at) in results},
        len(runner.ran),
        len(cache),
        _notes(request, conditions, plan, pairs),
    )


def plan_jobs(
    request: Request, conditions: Conditions, plan: WalkPlan, pairs: tuple[str, ...]
) -> dict[str, StrategyJob]:
    """Every run with fixed settings over the whole span, by name: none of them waits for another."""
    settings = load_settings(conditions.config)
    jobs = {
        variant.name: StrategyJob(pairs, plan.start, plan.end, variant.adaptive)
        for variant in _variants(request, conditions)
    }
    if request.ablation and settings.components.dynamic_stops:
        jobs |= {
            name: StrategyJob(pairs, plan.start, plan.end, adaptive)
            for name, adaptive in fixed_stops().items()
        }
    jobs[SAMPLE] = StrategyJob(pairs, plan.start, plan.end, strategy=SAMPLE)
    if not request.hyperopt:
        stressed = [multiple for multiple in MULTIPLES if multiple != 1.0]
        jobs |= {
            f"cost {multiple:g}": StrategyJob(pairs, plan.start, plan.end, {}, multiple)
            for multiple in stressed
        }
    return jobs


def _variants(request: Request, conditions: Conditions) -> list[Variant]:
    """What is run over the whole span with fixed settings: ours first, then what its parts are judged by."""
    own = variants(load_settings(conditions.config).components, conditions.uses_forecast)
    asked = [*own, *alternatives(conditions.config.get("adaptive", {}))]
    return [variant for variant in asked if request.ablation or variant.name == FULL]


def _pairs(request: Request, store: CandleStore) -> tuple[str, ...]:
    named = request.pairs or request.config.get("exchange", {}).get("pair_whitelist") or ()
    if not named:
        raise SettingsError("pairs: none; name some with --pairs, or in the configuration's pair_whitelist")
    timeframe = str(request.config.get("timeframe", "1h"))
    for pair in named:
        store.require(pair, timeframe)
    return tuple(dict.fromkeys(named))


def _plan(request: Request, store: CandleStore, pairs: tuple[str, ...]) -> WalkPlan:
    timeframe = str(request.config.get("timeframe", "1h"))
    if request.end:
        end = _day("end", request.end)
    else:
        last = {pair: store.load(pair, timeframe)["date"] for pair in pairs}
        if empty := [pair for pair, dates in last.items() if dates.empty]:
            raise DataError(f"{', '.join(empty)}: no candles in the file; download them, or drop the pair")
        end = (min(dates.iloc[-1] for dates in last.values()) + pd.Timedelta(timeframe)).floor("D")
    start = _day("start", request.start) if request.start else end - pd.DateOffset(years=YEARS)
    if end <= start:
        raise SettingsError(f"end: {end:%Y-%m-%d} is not after start ({start:%Y-%m-%d})")
    return WalkPlan(start, end, request.train_days, request.test_days)


def _day(name: str, text: str) -> pd.Timestamp:
    try:
        moment = pd.Timestamp(text)
    except ValueError:
        raise SettingsError(f"{name}: {text!r} is no date; write 2021-01-01") from None
    return (moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")).normalize()


def _baselines(conditions: Conditions, pairs: tuple[str, ...], plan: WalkPlan) -> dict[float, list[Account]]:
    """The rules to beat over the same days, pairs and costs."""
    candles = {
        pair: conditions.store.load(pair, BASELINE_TIMEFRAME, end=plan.end)[
            ["date", "open", "high", "low", "close"]
        ]
        for pair in pairs
    }
    panel = make_panel(candles)
    costs = [conditions.cost(multiple) for multiple in MULTIPLES]
    found: dict[float, list[Account]] = {multiple: [] for multiple in MULTIPLES}
    for rule in baselines(panel, plan.start):
        for multiple, account in zip(
            MULTIPLES, simulate(panel, rule, costs, start=plan.start, end=plan.end), strict=True
        ):
            found[multiple].append(account)
    return found


def _notes(request: Request, conditions: Conditions, plan: WalkPlan, pairs: tuple[str, ...]) -> list[str]:
    """What a reader has to know and the figures do not say."""
    notes = []
    if not conditions.uses_forecast:
        notes.append(FORECAST_OFF)
    own = load_settings(conditions.config).approach
    run = {variant.name for variant in _variants(request, conditions)}
    for other in Approach:
        if request.ablation and other is not own and approach_name(other) not in run:
            notes.append(
                f"The approach {other} is not judged: this configuration cannot be run with it, its presets "
                f"have styles of {own}."
            )
    for pair in pairs:
        first = conditions.store.load(pair, conditions.timeframe, end=plan.end)["date"].iloc[0]
        if first > plan.start - pd.Timedelta(days=60):
            notes.append(f"{pair} has candles since {first:%Y-%m-%d} only and joins once it has warmed up.")
    return notes
