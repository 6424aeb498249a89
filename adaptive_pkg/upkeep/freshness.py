"""Check: how old are the candles, the outside data and the newest backup?"""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from adaptive_pkg.doctor.findings import block, has_freqai, is_live
from adaptive_pkg.errors import AdaptiveError, DataError
from adaptive_pkg.upkeep.findings import Finding, Verdict, unmeasured
from adaptive_pkg.upkeep.inspection import Inspection

STALE_CANDLES = pd.Timedelta(days=1)
STALE_BACKUP = pd.Timedelta(days=8)  # a week, and a day's grace
PREDICTIONS = "historic_predictions.pkl"  # FreqAI rewrites it while a bot runs


def check_candles(seen: Inspection) -> Finding:
    """Age of the newest candle of each pair on disk, which the reports here read; a bot keeps its own."""
    name = "candles on disk"
    remedy = f"freqtrade download-data --timeframes {seen.timeframe} 4h 1d (the bot itself does not need it)"
    try:
        candles, missing = seen.all_candles()
    except DataError as error:
        return unmeasured(name, str(error), "name the folder with --datadir, or download candles")
    ages = {pair: seen.now - frame["date"].iloc[-1] - seen.candle for pair, frame in candles.items()}
    late = {pair: age for pair, age in ages.items() if age > STALE_CANDLES}
    figures = {"age_hours": {pair: age / pd.Timedelta(hours=1) for pair, age in ages.items()}}
    figures["missing"] = list(missing)
    told = [f"{pair} {words(age)} old" for pair, age in late.items()]
    told += [f"{pair}: none" for pair in missing]
    if told:
        return Finding(name, Verdict.LOOK, "; ".join(told), remedy, figures)
    return Finding(
        name, Verdict.OK, f"{len(ages)} pairs, none older than {words(max(ages.values()))}", "", figures
    )


def check_sources(seen: Inspection) -> Finding:
    """Age of the newest value of each series of outside data, where the config asks for any."""
    from adaptive_pkg.settings.schema import parse
    from adaptive_pkg.settings.sources import SourcesSettings
    from adaptive_pkg.sources.update import spec_of
    from adaptive_pkg.store.observations import ObservationStore

    name = "outside data"
    written = block(seen.config, "adaptive", "sources")
    settings = parse(SourcesSettings, written, "adaptive.sources")
    if not settings.enabled:
        return unmeasured(name, "adaptive.sources.enabled is false")
    if not Path(settings.path).is_file():
        return unmeasured(name, f"{settings.path} is not there yet", "adaptive sources update")
    with ObservationStore(settings.path) as store:
        states, polls = store.states(), store.polls()
    stale = []
    for state in states:
        spec = spec_of(state.series, settings)
        age = seen.now.to_pydatetime() - state.last_about
        if spec is not None and age > spec.max_age:
            stale.append(f"{state.series} {words(pd.Timedelta(age))} old")
    stale += [f"{poll.source} has failed {poll.failures} times" for poll in polls if poll.failures]
    figures = {"series": len(states), "stale": stale}
    if stale:
        return Finding(
            name, Verdict.LOOK, "; ".join(stale), "adaptive sources update; adaptive sources show", figures
        )
    return Finding(name, Verdict.OK, f"{len(states)} series, all fresh", "", figures)


def check_signs_of_life(seen: Inspection) -> Finding:
    """When the database, and with FreqAI on the predictions, were last written."""
    name = "signs of life"
    age = seen.now - seen.book.changed
    when = f"last written {words(age)} ago" if age >= pd.Timedelta(0) else "written since"
    told = f"{seen.book.file} {when} (a bot writes it when it trades)"
    figures: dict[str, Any] = {"database_age_hours": age / pd.Timedelta(hours=1)}
    folder = models_folder(seen.config, seen.user_data)
    predictions = folder / PREDICTIONS if folder else None
    if predictions is not None and predictions.is_file():
        made = pd.Timestamp(predictions.stat().st_mtime, unit="s", tz="UTC")
        silent = max(seen.now - made, pd.Timedelta(0))
        figures["predictions_age_hours"] = silent / pd.Timedelta(hours=1)
        told += f"; last prediction {words(silent)} ago"
        if silent > 3 * seen.candle and len(seen.open):
            return Finding(
                name,
                Verdict.LOOK,
                f"{told}, and trades are open",
                "if the bot is meant to run, see that it does (systemctl status, its log)",
                figures,
            )
    return Finding(name, Verdict.OK, told, "", figures)


def check_backup(seen: Inspection, folder: Path) -> Finding:
    """Age of the newest of our archives in a folder."""
    name = "backup"
    newest = newest_backup(folder)
    target = folder / f"{seen.now:%Y-%m-%d}.tar.gz"
    verdict = Verdict.ACT if is_live(seen.config) else Verdict.LOOK
    if newest is None:
        return Finding(name, verdict, f"there is none in {folder}", f"adaptive backup {target}")
    path, made = newest
    age = max(seen.now - made, pd.Timedelta(0))
    figures = {"newest": str(path), "age_days": age / pd.Timedelta(days=1)}
    told = f"{path} is {words(age)} old"
    if age > STALE_BACKUP:
        return Finding(name, verdict, told, f"adaptive backup {target}", figures)
    return Finding(name, Verdict.OK, told, "", figures)


def newest_backup(folder: Path) -> tuple[Path, pd.Timestamp] | None:
    """The newest archive of ours, and when it was made; other files are passed over."""
    from adaptive_pkg.upkeep.archive import read_manifest

    found = []
    for path in folder.glob("*.tar.gz"):
        try:
            found.append((path, pd.Timestamp(read_manifest(path).made)))
        except (AdaptiveError, OSError, tarfile.TarError, KeyError, ValueError):
            continue
    return max(found, key=lambda item: item[1]) if found else None


def models_folder(config: Mapping[str, Any], user_data: Path) -> Path | None:
    """FreqAI's folder of this config; None where FreqAI is off."""
    identifier = block(config, "freqai").get("identifier")
    if not has_freqai(config) or not isinstance(identifier, str) or not identifier:
        return None
    return user_data / "models" / identifier


def words(age: pd.Timedelta) -> str:
    """An age as a person says it."""
    hours = age / pd.Timedelta(hours=1)
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
