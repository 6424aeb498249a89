"""`adaptive journal fill` and `learn`: candidates of candle files into the journal, it into the book."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table

from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.journal import DecisionJournal, Run
from adaptive_pkg.journal.rules import rules_fingerprint
from adaptive_pkg.learning.book import ModelBook
from adaptive_pkg.learning.earned import DAY_MS
from adaptive_pkg.learning.labels import label_candidates
from adaptive_pkg.learning.rehearsed import rehearse
from adaptive_pkg.learning.training import Sample, sample_of
from adaptive_pkg.learning.walk_forward import WEIGHED, Learned, learn
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.reports.judged_pairs import timerange_bounds
from adaptive_pkg.reports.regimes import find_candle_files, read_candles
from adaptive_pkg.settings import AdaptiveSettings

FILLED = "candles"  # mode of rows that no bot has met
# of rows of several runs about one candidate the first counts
_BEST_FIRST = ("live", "dry_run", "backtest", FILLED)


def fill_journal(
    journal_path: Path,
    datadir: Path,
    pairs: list[str] | None,
    timeframe: str,
    settings: AdaptiveSettings,
    console: Console,
    *,
    timerange: str | None = None,
    can_short: bool = False,
) -> int:
    """Write the candidates of the candles on disk, without a forecast; those there already stay. Returns 0.

    Raises:
        DataError: no candles, unusable ones, or the journal cannot be written.
    """
    start, stop = timerange_bounds(timerange)
    seconds = round(timeframe_hours(timeframe) * 3600)
    rules = rules_fingerprint(settings)
    run = Run(f"{FILLED}:{rules}", FILLED, rules)
    files = find_candle_files(datadir, pairs, timeframe)
    with DecisionJournal(journal_path) as journal:
        added = 0
        for pair, source in track(list(files.items()), "judging candles", console=console, transient=True):
            rows = rehearse(
                pair,
                timeframe,
                seconds,
                read_candles(source),
                settings,
                start=start,
                stop=stop,
                can_short=can_short,
            )
            added += journal.write(run, rows)
    console.print(f"{journal_path}: {added:,} new candidates of {len(files)} pairs", highlight=False)
    return 0


def learn_journal(
    journal_path: Path,
    book_path: Path,
    datadir: Path,
    pairs: list[str] | None,
    timeframe: str,
    settings: AdaptiveSettings,
    console: Console,
    *,
    timerange: str | None = None,
    force: bool = False,
) -> int:
    """Learn from the journal's candidates of these settings' rules, and write the book of models. Returns 0.

    Every training due since the first candidate is done anew, each on what was known then, so a book can be
    made at any time and is the same. Nothing is done before the next training is due.

    Args:
        datadir: the candles that say what became of the candidates.

    Raises:
        DataError: no candidates of these rules, no candles of their pairs, or too few of them.
    """
    rules = rules_fingerprint(settings)
    files = find_candle_files(datadir, pairs, timeframe)
    candles = {pair: read_candles(source) for pair, source in files.items()}
    seconds = round(timeframe_hours(timeframe) * 3600)
    newest = (
        max(int(frame["date"].iloc[-1].timestamp()) for frame in candles.values()) * 1000 + seconds * 1000
    )
    if not force and (due := _due_ms(book_path, rules, timeframe, settings)) > newest:
        console.print(f"{book_path}: the next training is due on {_day(due)}", highlight=False)
        return 0
    labelled = _labelled(
        _rows(journal_path, rules, timeframe, list(files), timerange), candles, settings, seconds
    )
    sample, learned = learn_shown(labelled, settings, console)
    if not learned.chapters:
        raise DataError(
            f"{len(sample)} candidates since {_day(sample.closed_ms[0])}: too few or too young for a first "
            "training; see journal.learning.first_days and least_candidates"
        )
    ModelBook(learned.chapters, rules, timeframe).save(book_path)
    _show(learned, console)
    console.print(f"written: {book_path}", highlight=False)
    return 0


def learn_shown(
    labelled: pd.DataFrame, settings: AdaptiveSettings, console: Console
) -> tuple[Sample, Learned]:
    """Learn walk-forward, with a progress bar. `labelled` in order of time."""
    sample = sample_of(labelled)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("learning", total=1.0)
        learned = learn(
            sample,
            settings.journal.learning,
            int(sample.ended_ms.max()),
            done=lambda part: progress.update(task, completed=part),
        )
    return sample, learned


def one_each(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a candidate, in order of time: a bot's own before a backtest's before one of candles."""
    rank = rows["mode"].map({mode: i for i, mode in enumerate(_BEST_FIRST)}).fillna(len(_BEST_FIRST))
    ordered = rows.assign(_rank=rank).sort_values(["closed_ms", "_rank"], kind="stable")
    return ordered.drop_duplicates(["pair", "closed_ms", "side"]).drop(columns="_rank")


def _rows(path: Path, rules: str, timeframe: str, pairs: list[str], timerange: str | None) -> pd.DataFrame:
    start, stop = (value.astype("datetime64[ms]").astype(np.int64) for value in timerange_bounds(timerange))
    with DecisionJournal(path) as journal:
        rows = journal.rows(rules=rules, timeframe=timeframe, pairs=pairs)
        held = {summary.run.rules for summary in journal.runs()}
    rows = one_each(rows[(rows["closed_ms"] >= start) & (rows["closed_ms"] < stop)])
    if rows.empty:
        raise DataError(
            f"{path}: no {timeframe} candidates of these settings' rules ({rules}; the journal holds those "
            f"of {', '.join(sorted(held)) or 'none'}); `adaptive journal fill` finds them in candles"
        )
    return rows


def _labelled(
    rows: pd.DataFrame, candles: dict[str, pd.DataFrame], settings: AdaptiveSettings, seconds: int
) -> pd.DataFrame:
    parts = [label_candidates(part, candles[pair], seconds, settings) for pair, part in rows.groupby("pair")]
    return pd.concat(parts, ignore_index=True).sort_values("closed_ms", kind="stable", ignore_index=True)


def _due_ms(path: Path, rules: str, timeframe: str, settings: AdaptiveSettings) -> int:
    """When the next training is due; 0 where there is no book of these rules."""
    try:
        book = ModelBook.load(path)
    except DataError:
        return 0
    if (book.rules, book.timeframe) != (rules, timeframe) or not book.chapters:
        return 0
    return book.chapters[-1].valid_from_ms + settings.journal.learning.retrain_days * DAY_MS


def _show(learned: Learned, console: Console) -> None:
    table = Table(title="trainings", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("from", "candidates", *(f"weight of {target}" for target in WEIGHED)):
        table.add_column(heading, justify="right")
    for chapter in learned.chapters:
        weights = [f"{chapter.earned[target]:.2f}" for target in WEIGHED]
        table.add_row(_day(chapter.valid_from_ms), str(chapter.candidates), *weights)
    console.print(table)


def _day(ms: int) -> str:
    return str(np.datetime64(int(ms), "ms"))[:10]
