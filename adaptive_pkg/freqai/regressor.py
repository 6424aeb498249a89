"""The FreqAI model all our forecasters share: trains and serves them behind FreqAI's contract."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from time import time
from typing import Any, ClassVar

import cloudpickle
import numpy as np
import numpy.typing as npt
from datasieve.pipeline import Pipeline
from freqtrade.exceptions import ConfigurationError
from freqtrade.freqai.base_models.BaseRegressionModel import BaseRegressionModel
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from pandas import DataFrame

from adaptive_pkg.errors import AdaptiveError, ForecastError
from adaptive_pkg.forecast import RecurrentForecaster, TrainingSpan, changes, fingerprint
from adaptive_pkg.forecast.contract import (
    EXTRA_RETURNS,
    check_base_coins,
    check_cell,
    check_freqai,
    extra_returns,
    prediction_inputs,
)
from adaptive_pkg.forecast.fingerprint import FINGERPRINT_FILE
from adaptive_pkg.settings import load_forecast_settings
from adaptive_pkg.settings.forecast import Cell

logger = logging.getLogger(__name__)

MODEL_FILE = "_model.joblib"  # how FreqAI ends the name of a stored model


class SequenceRegressor(BaseRegressionModel):
    """Trains and serves forecasters. Scaling and windows are theirs; FreqAI's pipelines do nothing.

    A subclass names its `forecaster` (anything with `fit`, `predict` and the attributes of
    `RecurrentForecaster`) and, if the settings may not choose it, its `cell`.
    """

    forecaster: ClassVar[type] = RecurrentForecaster
    cell: ClassVar[Cell | None] = None

    def __init__(self, config: dict[str, Any]) -> None:
        try:
            self.settings = load_forecast_settings(config)
            if self.cell is not None:
                check_cell(config, self.cell, type(self).__name__)
                self.settings = replace(self.settings, cell=self.cell)
            self.horizon = check_freqai(config, self.settings)
        except AdaptiveError as error:
            raise ConfigurationError(str(error)) from error
        super().__init__(config)
        self._newest: dict[str, Any] = {}  # pair → forecaster trained last, for continual learning
        # FreqAI fixes a live bot's columns at the first prediction: announce ours before any training.
        announced = self.freqai_info.get("extra_returns_per_train", {})
        self.freqai_info["extra_returns_per_train"] = {**dict.fromkeys(EXTRA_RETURNS, 0.0), **announced}
        self._refuse_stale_predictions()

    def _refuse_stale_predictions(self) -> None:
        """FreqAI reuses an identifier's models and predictions whatever settings made them; refuse that."""
        inputs = prediction_inputs(self.config, asdict(self.settings))
        inputs = json.loads(json.dumps({"freqaimodel": type(self).__name__, **inputs}, default=str))
        folder = Path(self.full_path)
        mark = folder / FINGERPRINT_FILE
        problem = ""
        if mark.is_file():
            try:
                stored = json.loads(mark.read_text())
                if stored["fingerprint"] != fingerprint(inputs):
                    problem = (
                        f"was trained with other settings ({'; '.join(changes(stored['inputs'], inputs))})"
                    )
            except (ValueError, KeyError, TypeError):
                problem = f"holds an unreadable {FINGERPRINT_FILE}, so nobody knows what its models are"
        elif any(folder.glob("sub-train-*")):
            problem = "holds models of another FreqAI model class"
        if problem:
            raise ConfigurationError(
                f"freqai.identifier: {self.identifier!r} {problem}; change identifier, or delete {folder}"
            )
        mark.write_text(json.dumps({"fingerprint": fingerprint(inputs), "inputs": inputs}, indent=2))

    def define_data_pipeline(self, threads: int = -1) -> Pipeline:
        return Pipeline([])

    def define_label_pipeline(self, threads: int = -1) -> Pipeline:
        return Pipeline([])

    def train(self, unfiltered_df: DataFrame, pair: str, dk: FreqaiDataKitchen, **kwargs: Any) -> Any:
        """Train a forecaster on one span of candles.

        A ForecastError says why it could not. FreqAI logs it and goes on: a live pair keeps the forecaster
        it has, a backtest's slice has no forecast.
        """
        started = time()
        check_base_coins([*self.dd.pair_dict, pair])
        # FreqAI's filter reports dropped candles; the windows need every candle, also the dropped ones.
        dk.filter_features(unfiltered_df, dk.training_features_list, dk.label_list, training_filter=True)
        features, labels = self._features(unfiltered_df, dk), unfiltered_df[dk.label_list]
        factor = self.ft_params.get("weight_factor", 0)
        weights = np.asarray(dk.set_weights_higher_recent(len(features))) if factor > 0 else None
        span = TrainingSpan.from_frames(
            features, labels, unfiltered_df["date"], self.settings, self.horizon, weights
        )
        train, test = span.train, span.validation
        dk.train_dates = unfiltered_df["date"][train]
        dk.build_data_dictionary(
            features[train],
            features[test],
            labels[train],
            labels[test],
            span.weights[train],
            span.weights[test],
        )
        dk.feature_pipeline, dk.label_pipeline = self.define_data_pipeline(), self.define_label_pipeline()
        dk.fit_labels()
        model = self.fit({"span": span}, dk)
        self._newest[pair] = model
        self._report(model, dk)
        logger.info(
            f"Trained {pair}: {train.sum()} candles, {model.epochs} epochs, {time() - started:.1f} s; on "
            f"{test.sum()} later candles error {model.validation.loss:.4f}, "
            f"forecast of 0 {model.validation.zero_loss:.4f}"
        )
        return model

    def fit(self, data_dictionary: dict[str, Any], dk: FreqaiDataKitchen, **kwargs: Any) -> Any:
        """Fit a forecaster to `data_dictionary["span"]`; `continual_learning` starts from the last one."""
        return self.forecaster.fit(data_dictionary["span"], self.settings, self.get_init_model(dk.pair))

    def get_init_model(self, pair: str) -> Any:
        """The pair's last forecaster, if `continual_learning` is on.

        FreqAI knows only models it has saved, which a backtest without `save_backtest_models` never does.
        """
        if not self.continual_learning:
            return None
        return self._newest.get(pair) or self.dd.model_dictionary.get(pair)

    def predict(
        self, unfiltered_df: DataFrame, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> tuple[DataFrame, npt.NDArray[np.int_]]:
        """Forecast every row; do_predict is 1 only where a complete window without a gap ends."""
        dk.find_features(unfiltered_df)
        model = self.model
        features = self._features(unfiltered_df, dk)
        forecast = model.predict(features, unfiltered_df["date"])
        dk.data_dictionary["prediction_features"] = features
        # FreqAI's drawer may hand over the metadata of another training; the model knows its own.
        self._report(model, dk)
        dk.do_predict = forecast.valid.astype(np.int_)
        dk.DI_values = np.zeros(len(forecast.valid))
        return DataFrame(forecast.values, columns=list(model.label_names))[dk.label_list], dk.do_predict

    def start_live(self, dataframe: DataFrame, metadata: dict, strategy: Any, dk: FreqaiDataKitchen) -> Any:
        """FreqAI's live step. Where the stored model cannot be used, the newest one before it serves."""
        pair = metadata["pair"]
        known = self.dd.pair_dict.get(pair)
        if known and known["model_filename"] and pair not in self.dd.model_dictionary:
            stored = Path(known["data_path"]) / f"{known['model_filename']}{MODEL_FILE}"
            if self._unusable(stored):
                self.dd.pair_dict[pair] = self._earlier(pair, stored)
        return super().start_live(dataframe, metadata, strategy, dk)

    def _earlier(self, pair: str, broken: Path) -> dict[str, Any]:
        """FreqAI's record of the pair's newest usable model besides `broken`; else of an untrained pair."""
        folders = self.full_path.glob(f"sub-train-{pair.split('/')[0]}_*")
        for folder in sorted(folders, key=_trained_at, reverse=True):
            for file in folder.glob(f"*{MODEL_FILE}"):
                if file != broken and not self._unusable(file):
                    return {
                        **self.dd.empty_pair_dict,
                        "model_filename": file.name.removesuffix(MODEL_FILE),
                        "trained_timestamp": _trained_at(folder),
                        "data_path": str(folder),
                    }
        return self.dd.empty_pair_dict.copy()

    def model_exists(self, dk: FreqaiDataKitchen) -> bool:
        """Whether a stored model can be used; one that cannot is reported and trained anew."""
        stored = Path(dk.data_path) / f"{dk.model_filename}{MODEL_FILE}"
        return super().model_exists(dk) and not self._unusable(stored)

    def _unusable(self, file: Path) -> bool:
        """Try a stored forecaster. Logs why it cannot be used."""
        try:
            with file.open("rb") as stream:
                model = cloudpickle.load(stream)
            if not isinstance(model, self.forecaster):
                raise ForecastError(f"it holds a {type(model).__name__}")
        except Exception as error:  # a damaged pickle can raise anything
            problem = error
        else:
            return False
        logger.error(
            f"Stored model {file} cannot be used ({type(problem).__name__}: {problem}); the pair is trained "
            "anew. If this comes back, delete the folder or change freqai.identifier"
        )
        return True

    @staticmethod
    def _features(frame: DataFrame, dk: FreqaiDataKitchen) -> DataFrame:
        """Feature columns, NaN where nothing traded: such candles stand in for an exchange outage."""
        return frame[dk.training_features_list].where(frame["volume"] > 0)

    @staticmethod
    def _report(model: Any, dk: FreqaiDataKitchen) -> None:
        """Put the model's errors and its labels' mean and deviation where FreqAI makes columns of them."""
        known = dk.data.get("extra_returns_per_train", {})
        dk.data["extra_returns_per_train"] = {**known, **extra_returns(model)}
        dk.data["labels_mean"] = dict(zip(model.label_names, model.label_means, strict=True))
        dk.data["labels_std"] = dict(zip(model.label_names, model.label_deviations, strict=True))


def _trained_at(folder: Path) -> int:
    """Seconds since 1970 in the name of a FreqAI model folder; 0 where there are none."""
    stamp = folder.name.rpartition("_")[2]
    return int(stamp) if stamp.isdecimal() else 0
