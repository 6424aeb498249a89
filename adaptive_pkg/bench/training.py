"""CPU seconds and validation loss of a retrain beside the usual Keras recipe, memory, prediction speed."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich import box
from rich.progress import Progress
from rich.table import Table

from adaptive_pkg.bench import training_measures as measures
from adaptive_pkg.bench.figures import write_figures
from adaptive_pkg.bench.training_backtest import backtest_seconds
from adaptive_pkg.forecast import RecurrentForecaster, TrainingSpan
from adaptive_pkg.forecast.forecaster import network_shape, training_parts
from adaptive_pkg.forecast.graph import keras_engine
from adaptive_pkg.forecast.inference import predict_windows
from adaptive_pkg.forecast.network import Weights
from adaptive_pkg.forecast.reference import fit_reference
from adaptive_pkg.forecast.scaling import fit_features, fit_labels
from adaptive_pkg.forecast.trainer import train
from adaptive_pkg.reports import report_console
from adaptive_pkg.settings import ForecastSettings

PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
STOPS = ("2021-07-01", "2022-04-01", "2023-01-01", "2023-10-01")  # where the training windows end
KERAS_GRAPH_FITS = 3
GOALS = {
    "cpu_seconds_ratio_reference_to_ours": ("at least", 20.0),
    "validation_loss_ours_minus_reference_in_seed_sd": ("at most", 1.0),
    "memory_growth_mb": ("at most", 20.0),
    "live_prediction_ms_median": ("at most", 5.0),
    "backtest_windows_per_second": ("at least", 10_000.0),
    "backtest_wall_seconds_GRURegressor": ("at most", 360.0),
}


def run(
    datadir: Path,
    pairs: tuple[str, ...] = PAIRS,
    windows: int = len(STOPS),
    seeds: int = 3,
    reference_fits: int = 18,
    retrains: int = 200,
    live_predictions: int = 5_000,
    backtest: bool = False,
    settings: ForecastSettings | None = None,
) -> dict[str, Any]:
    """Measure everything in one process and run.

    Args:
        datadir: folder of real candle files.
        windows: training windows per pair, up to 4, ending 9 months apart.
        seeds: trainings per window.
        reference_fits: how many of the pairs × windows × seeds fits the reference recipe makes as well,
            window by window with all seeds; at half a minute each they are most of the bench.
        retrains, live_predictions: how many before memory is read again.
        backtest: also time a year's backtest beside FreqAI's LightGBM, minutes more.

    Returns:
        Figures with their units in the names, ready for JSON.

    Raises:
        DataError: candles are missing or too few.
    """
    base = settings or ForecastSettings()
    frames = {pair: measures.load(datadir, pair) for pair in pairs}
    windows_of = [(pair, stop) for stop, pair in product(STOPS[:windows], pairs)]
    spans = {key: measures.span_of(frames[key[0]], key[1], base) for key in windows_of}
    jobs = [(key, seed) for key in windows_of for seed in range(base.seed, base.seed + seeds)]
    compared = jobs[: min(reference_fits, len(jobs))]
    with Progress(console=report_console()) as progress:
        bar = progress.add_task("training", total=len(jobs) + len(compared) + KERAS_GRAPH_FITS)

        def fits(fit: Callable, chosen: list) -> Iterator[Fit]:
            for key, seed in chosen:
                yield _timed_fit(fit, spans[key], replace(base, seed=seed), key)
                progress.advance(bar)

        ours = list(fits(_fit_ours, jobs))
        graph = list(fits(_fit_keras_graph, jobs[: KERAS_GRAPH_FITS + 1]))
        reference = list(fits(_fit_reference, compared))
    forecaster = RecurrentForecaster.fit(spans[windows_of[0]], base)
    first = frames[pairs[0]]
    frame = first.until(measures.row_of(first, STOPS[0]) + measures.WEEK)
    same = ours[: len(reference)]
    seed_sd = _seed_sd(reference)
    ours_loss, reference_loss = (statistics.fmean(fit.loss for fit in part) for part in (same, reference))
    ours_cpu = statistics.fmean(fit.cpu_seconds for fit in ours[1:])
    reference_cpu = statistics.fmean(fit.cpu_seconds for fit in reference[1:] or reference)
    sgemm = measures.sgemm_gflops()
    training = measures.training_gflops(base, len(spans[windows_of[0]].feature_names))
    cores = psutil.cpu_count() or 1
    one, one_cpu = measures.prediction_rates(forecaster, frame, 1)
    several, _ = measures.prediction_rates(forecaster, frame, cores)
    live = measures.live_milliseconds(forecaster, frame, 200)
    growth = measures.memory_growth(first, base, forecaster, STOPS[0], retrains, live_predictions)
    figures: dict[str, Any] = {
        "pairs": list(pairs),
        "training_windows_per_pair": windows,
        "seeds": seeds,
        "candles_per_window": measures.CANDLES,
        "ours_fits": len(ours),
        "reference_fits": len(reference),
        "cpu_seconds_per_retrain_reference_mean": reference_cpu,
        "cpu_seconds_per_retrain_ours_mean": ours_cpu,
        "cpu_seconds_first_fit_ours": ours[0].cpu_seconds,
        "cpu_seconds_per_retrain_keras_graph_mean": statistics.fmean(f.cpu_seconds for f in graph[1:]),
        "cpu_seconds_ratio_reference_to_ours": reference_cpu / ours_cpu,
        "epochs_reference_mean": statistics.fmean(fit.epochs for fit in reference),
        "epochs_ours_mean": statistics.fmean(fit.epochs for fit in ours),
        "validation_loss_reference_mean": reference_loss,
        "validation_loss_reference_seed_sd": seed_sd,
        "validation_loss_ours_mean": ours_loss,
        "validation_loss_ours_seed_sd": _seed_sd(same),
        "validation_loss_training_mean_forecast": statistics.fmean(fit.mean_loss for fit in same),
        "validation_loss_ours_minus_reference_in_seed_sd": (
            (ours_loss - reference_loss) / seed_sd if seed_sd else None
        ),
        "sgemm_gflops_one_thread": sgemm,
        "training_gflops_one_thread": training,
        "training_share_of_sgemm_rate": training / sgemm,
        "prediction_gflops_per_cpu_second": one_cpu * forecaster.shape.flops(forecaster.window) / 1e9,
        "backtest_windows_per_cpu_second": one_cpu,
        "backtest_windows_per_second_one_thread": one,
        f"backtest_windows_per_second_{cores}_threads": several,
        "backtest_windows_per_second": max(one, several),
        "live_prediction_ms_median": live,
        **growth,
        **(backtest_seconds(datadir, pairs) if backtest else {}),
    }
    figures["goals_met"] = {name: _met(name, figures[name]) for name in GOALS if name in figures}
    figures["fits"] = {
        name: [vars(fit) for fit in part]
        for name, part in (("ours", ours), ("reference", reference), ("keras_graph", graph))
    }
    return figures


def show(figures: dict[str, Any]) -> None:
    """Print the figures of `run`."""
    table = Table(
        title=f"{figures['ours_fits']} retrains of ours, {figures['reference_fits']} of the reference; "
        f"{', '.join(figures['pairs'])}, {figures['candles_per_window']} candles each",
        box=box.SIMPLE,
        caption="validation loss: mean squared error in scaled labels, true windows, of the fits both made",
    )
    for heading in ("figure", "value", "goal", ""):
        table.add_column(heading, justify="left" if heading in ("figure", "") else "right")
    for name, value in figures.items():
        if name in GOALS or isinstance(value, int | float):
            goal = f"{GOALS[name][0]} {GOALS[name][1]:g}" if name in GOALS else ""
            met = {True: "met", False: "missed", None: ""}[figures["goals_met"].get(name)]
            table.add_row(name, _number(value), goal, met)
    report_console().print(table)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"


def bench_training(
    datadir: Path, pairs: tuple[str, ...], json_path: Path | None = None, **options: Any
) -> int:
    """Run, print and store."""
    figures = run(datadir, pairs, **options)
    show(figures)
    write_figures(figures, json_path)
    return 0


@dataclass(frozen=True)
class Fit:
    """One training and its loss on the validation rows."""

    pair: str
    stop: str
    seed: int
    cpu_seconds: float
    wall_seconds: float
    epochs: int
    loss: float
    mean_loss: float  # of the training labels' mean


def _fit_ours(span: TrainingSpan, settings: ForecastSettings) -> tuple[Weights, int]:
    forecaster = RecurrentForecaster.fit(span, settings)
    return forecaster.weights, forecaster.epochs


def _fit_reference(span: TrainingSpan, settings: ForecastSettings) -> tuple[Weights, int]:
    fit = fit_reference(span, settings)
    return fit.weights, fit.epochs


def _fit_keras_graph(span: TrainingSpan, settings: ForecastSettings) -> tuple[Weights, int]:
    """Our training with the network in one compiled Keras graph."""
    parts = training_parts(span, fit_features(span).features(span.features), fit_labels(span))
    result = train(*parts, network_shape(span, settings), settings, engine=keras_engine)
    return result.weights, len(result.epochs)


def _timed_fit(fit: Callable, span: TrainingSpan, settings: ForecastSettings, key: tuple[str, str]) -> Fit:
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    weights, epochs = fit(span, settings)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    scaling, rows = fit_labels(span), np.flatnonzero(span.validation)
    x, actual = fit_features(span).features(span.features), scaling.apply(span.labels[rows])
    forecast = predict_windows(weights, network_shape(span, settings), x, rows, span.window)
    return Fit(
        *key, settings.seed, cpu, wall, epochs,
        float(((forecast - actual) ** 2).mean()), float((actual**2).mean()),
    )  # fmt: skip


def _seed_sd(fits: list[Fit]) -> float | None:
    """Standard deviation of the loss between seeds of one window, pooled over windows; None: one seed."""
    groups: dict[tuple[str, str], list[float]] = {}
    for fit in fits:
        groups.setdefault((fit.pair, fit.stop), []).append(fit.loss)
    variances = [statistics.variance(losses) for losses in groups.values() if len(losses) > 1]
    return statistics.fmean(variances) ** 0.5 if variances else None


def _met(name: str, value: float | None) -> bool | None:
    """None where nothing was measured."""
    kind, bound = GOALS[name]
    if value is None:
        return None
    return value >= bound if kind == "at least" else value <= bound
