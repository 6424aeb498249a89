"""The life of FreqAI's models in a live bot: trained, used, trained anew, found again after a restart."""

from __future__ import annotations

import json
import pickle
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.rehearsal.busy import merged
from adaptive_pkg.rehearsal.live_bot import Rehearsal
from adaptive_pkg.rehearsal.played import LIVE_ONLY_OFF, QUICK

CONFIG = ("user_data/config.json",)
IDENTIFIER = "rehearsal"
SMALL = {  # a network that trains in about a second
    "window": 24,
    "units": [12],
    "dense_units": 8,
    "chunk_candles": 72,
    "epochs": 3,
}
_TRAINED = re.compile(r"^Trained (\S+):")
_WORDS_OF_A_FAILED_TRAINING = "raised exception"


@dataclass(frozen=True)
class ModelLifeReport:
    """What became of the models.

    Attributes:
        candles: that the bot lived, over both of its runs.
        trainings: finished ones before the restart, by pair. after_restart: those after it.
        usable_before, usable_after: predictions with do_predict 1 that the bot wrote down, by pair.
        first_after: the first candle with a usable prediction after the restart, by pair; None: never.
        restarted: when the bot was started again.
        anew: trainings after the restart and before that pair's first prediction; 0: found on disk.
        kept: whether every prediction written before the restart was still there, unchanged.
        models_on_disk: folders of models at the end, by pair.
        failed: trainings that raised. errors: lines of the log at that level, before the bot was stopped.
    """

    pairs: tuple[str, ...]
    timeframe: str
    retrain_hours: float
    candles: int
    trainings: Mapping[str, int]
    after_restart: Mapping[str, int]
    usable_before: Mapping[str, int]
    usable_after: Mapping[str, int]
    first_after: Mapping[str, datetime | None]
    restarted: datetime
    anew: int
    kept: bool
    models_on_disk: Mapping[str, int]
    failed: int
    errors: int
    real_seconds: float

    @property
    def holds(self) -> bool:
        """Trained and retrained every pair, restarted from disk, and went on predicting."""
        return (
            all(self.trainings.get(pair, 0) >= 2 for pair in self.pairs)
            and all(self.usable_before.get(pair, 0) for pair in self.pairs)
            and all(self.usable_after.get(pair, 0) for pair in self.pairs)
            and all(self.after_restart.get(pair, 0) for pair in self.pairs)
            and self.kept
            and not (self.anew or self.failed or self.errors)
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        first = {pair: at and at.isoformat() for pair, at in self.first_after.items()}
        own = {"restarted": self.restarted.isoformat(), "first_after": first, "holds": self.holds}
        return asdict(self) | own

    def table(self) -> str:
        """For people."""
        rows = [
            f"{self.candles} candles of {self.timeframe} in {self.real_seconds:.0f} s, a model every "
            f"{self.retrain_hours:g} h; restarted {self.restarted:%F %H:%M}"
        ]
        for pair in self.pairs:
            first = self.first_after.get(pair)
            rows.append(
                f"  {pair}: trained {self.trainings.get(pair, 0)} times, "
                f"{self.usable_before.get(pair, 0)} predictions; after the restart first used on the candle "
                f"of {f'{first:%F %H:%M}' if first else 'never'}, trained "
                f"{self.after_restart.get(pair, 0)} times, {self.usable_after.get(pair, 0)} predictions; "
                f"{self.models_on_disk.get(pair, 0)} models on disk"
            )
        rows.append(
            f"trained anew before the first use: {self.anew}; earlier predictions kept: {self.kept}; failed "
            f"trainings: {self.failed}; errors logged: {self.errors}"
        )
        return "\n".join([*rows, "the models live on" if self.holds else "SOMETHING IS WRONG"])


def run_model_life(
    folder: Path,
    datadir: Path,
    start: datetime,
    pairs: Sequence[str],
    timeframe: str = "1h",
    *,
    retrain_hours: int = 6,
    train_days: int = 30,
    rounds: int = 2,
    live: bool = False,
    config: Iterable[str | Path] = CONFIG,
    config_extra: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    project: Path = Path(),
    real_seconds: float = 900.0,
) -> ModelLifeReport:
    """Let a bot with FreqAI train every pair `rounds` times, restart it, and let it train once more.

    Args:
        training: FreqAI's model_training_parameters; None: a small network.

    Raises:
        RehearsalError: the bot ends, or something takes longer than `real_seconds`.
    """
    length, began = timedelta(hours=timeframe_hours(timeframe)), time.monotonic()
    freqai = {
        "enabled": True,
        "identifier": IDENTIFIER,
        "train_period_days": train_days,
        "live_retrain_hours": retrain_hours,
        "feature_parameters": {"include_timeframes": [timeframe]},
        "model_training_parameters": dict(SMALL if training is None else training),
    }
    extra = merged(LIVE_ONLY_OFF, {**QUICK, "freqai": freqai}, dict(config_extra or {}))
    run = Rehearsal(
        folder,
        datadir,
        start,
        pairs,
        timeframe,
        throttle_seconds=round(length.total_seconds() / 4),
        longest_leap=length.total_seconds() / 4,
        live=live,
        config=config,
        config_extra=extra,
        as_backtested=True,
        project=project,
    )
    models = run.folder / "user_data/models" / IDENTIFIER

    def used(since: datetime) -> dict[str, pd.DataFrame]:
        return {pair: rows[rows["date_pred"] >= since] for pair, rows in _predictions(models).items()}

    with run:
        bot = run.start_bot()
        run.wait_until(
            lambda: _least(_trained(run.log("INFO")), pairs) >= rounds, real_seconds, poll_seconds=0.2
        )
        # a full round of predictions by the new models; the next training is some hours away
        run.wait_until(run.now() + 2.4 * length, real_seconds, poll_seconds=0.1)
        stopped = run.now()
        bot.stop()
        before, trained = _predictions(models), _trained(run.log("INFO"))
        restarted = run.start_bot().started
        run.wait_until(
            lambda: _least(_trained(run.log("INFO")) - trained, pairs) >= 1, real_seconds, poll_seconds=0.2
        )
        ended = run.wait_until(run.now() + 2.4 * length, real_seconds, poll_seconds=0.1)
        run.bots[-1].stop()
        log, analysed = run.log(), run.analysed()
    after = used(restarted - length)
    first_analysis = {
        pair: min((at for name, _, at in analysed if name == pair and at > restarted), default=None)
        for pair in pairs
    }
    renewed = [
        (match[1], line.at) for line in log if line.at > restarted and (match := _TRAINED.match(line.message))
    ]
    return ModelLifeReport(
        tuple(pairs),
        timeframe,
        retrain_hours,
        len({opened for _, opened, _ in analysed}),
        dict(trained),
        dict(_trained(log) - trained),
        {pair: len(_usable(before, pair)) for pair in pairs},
        {pair: len(_usable(after, pair)) for pair in pairs},
        {pair: _first(_usable(after, pair)) for pair in pairs},
        restarted,
        sum(first_analysis[pair] is None or at < first_analysis[pair] for pair, at in renewed),
        _kept(before, _predictions(models), stopped - length),
        {pair: len(list(models.glob(f"sub-train-{pair.partition('/')[0]}_*"))) for pair in pairs},
        sum(_WORDS_OF_A_FAILED_TRAINING in line.message for line in log),
        sum(
            line.level in ("ERROR", "CRITICAL") and not stopped <= line.at <= restarted and line.at < ended
            for line in log
        ),
        time.monotonic() - began,
    )


def _trained(log: Iterable[Any]) -> Counter[str]:
    """Finished trainings by pair, as FreqAI's model tells them."""
    return Counter(match[1] for line in log if (match := _TRAINED.match(line.message)))


def _least(counts: Mapping[str, int], pairs: Sequence[str]) -> int:
    return min(counts.get(pair, 0) for pair in pairs)


def _predictions(models: Path) -> dict[str, pd.DataFrame]:
    """What FreqAI has written down of its predictions, by pair; dates in UTC."""
    path = models / "historic_predictions.pkl"
    if not path.exists():
        return {}
    frames = pickle.loads(path.read_bytes())
    for frame in frames.values():
        frame["date_pred"] = pd.to_datetime(frame["date_pred"], utc=True)
    return frames


def _usable(frames: Mapping[str, pd.DataFrame], pair: str) -> pd.DataFrame:
    frame = frames.get(pair)
    return pd.DataFrame() if frame is None else frame[frame["do_predict"] == 1]


def _first(frame: pd.DataFrame) -> datetime | None:
    return frame["date_pred"].min().to_pydatetime() if len(frame) else None


def _kept(before: Mapping[str, pd.DataFrame], after: Mapping[str, pd.DataFrame], until: datetime) -> bool:
    """Whether what was predicted before is what is remembered after."""
    for pair, frame in before.items():
        labels = [column for column in frame if column.startswith("&")]
        old = frame[frame["do_predict"] == 1].set_index("date_pred")[labels]
        new = after.get(pair, frame.head(0)).drop_duplicates("date_pred").set_index("date_pred")[labels]
        if not old.index.isin(new.index).all() or not new.loc[old.index].equals(old):
            return False
    return bool(before)


def trained_at(models: Path) -> dict[str, datetime]:
    """When each pair's present model was trained, from FreqAI's pair_dictionary.json."""
    entries = json.loads((models / "pair_dictionary.json").read_text())
    return {pair: datetime.fromtimestamp(entry["trained_timestamp"], UTC) for pair, entry in entries.items()}
