"""FreqAI model: the GRU forecaster of adaptive_pkg behind FreqAI's train / predict contract."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path
from time import time
from typing import Any

import numpy as np
import numpy.typing as npt
from datasieve.pipeline import Pipeline
from freqtrade.exceptions import ConfigurationError
from freqtrade.freqai.base_models.BaseRegressionModel import BaseRegressionModel
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from pandas import DataFrame

from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.forecast import GRUForecaster, TrainingSpan, changes, fingerprint
from adaptive_pkg.forecast.contract import (
    EXTRA_RETURNS,
    check_base_coins,
    check_freqai,
    extra_returns,
    prediction_inputs,
)
from adaptive_pkg.forecast.fingerprint import FINGERPRINT_FILE
from adaptive_pkg.settings import load_forecast_settings

logger = logging.getLogger(__name__)


class GRURegressor(BaseRegressionModel):
    """Trains and serves `GRUForecaster`s. Scaling and windows are theirs; FreqAI's pipelines do nothing."""

    def __init__(self, config: dict[str, Any]) -> None:
        try:
            self.settings = load_forecast_settings(config)
            self.horizon = check_freqai(config, self.settings)
        except AdaptiveError as error:
            raise ConfigurationError(str(error)) from error
        super().__init__(config)
        # FreqAI fixes a live bot's columns at the first prediction: announce ours before any training.
        announced = self.freqai_info.get("extra_returns_per_train", {})
        self.freqai_info["extra_returns_per_train"] = {**dict.fromkeys(EXTRA_RETURNS, 0.0), **announced}
        self._refuse_stale_predictions()

    def _refuse_stale_predictions(self) -> None:
        """FreqAI reuses an identifier's models and predictions whatever settings made them; refuse that."""
        inputs = json.loads(json.dumps(prediction_inputs(self.config, asdict(self.settings)), default=str))
        folder = Path(self.full_path)
        mark = folder / FINGERPRINT_FILE
        problem = ""
        if mark.is_file():
            stored = json.loads(mark.read_text())
            if stored["fingerprint"] != fingerprint(inputs):
                problem = f"was trained with other settings ({'; '.join(changes(stored['inputs'], inputs))})"
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
        """Train a forecaster on one span of candles. FreqAI logs a ForecastError and skips the training."""
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
        self._report(model, dk)
        logger.info(
            f"Trained {pair}: {train.sum()} candles, {model.epochs} epochs, {time() - started:.1f} s; on "
            f"{test.sum()} later candles error {model.validation.loss:.4f}, "
            f"forecast of 0 {model.validation.zero_loss:.4f}"
        )
        return model

    def fit(self, data_dictionary: dict[str, Any], dk: FreqaiDataKitchen, **kwargs: Any) -> GRUForecaster:
        """Fit a forecaster to `data_dictionary["span"]`; `continual_learning` starts from the last one."""
        return GRUForecaster.fit(data_dictionary["span"], self.settings, self.get_init_model(dk.pair))

    def predict(
        self, unfiltered_df: DataFrame, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> tuple[DataFrame, npt.NDArray[np.int_]]:
        """Forecast every row; do_predict is 1 only where a complete window without a gap ends."""
        dk.find_features(unfiltered_df)
        model: GRUForecaster = self.model
        features = self._features(unfiltered_df, dk)
        forecast = model.predict(features, unfiltered_df["date"])
        dk.data_dictionary["prediction_features"] = features
        # FreqAI's drawer may hand over the metadata of another training; the model knows its own.
        self._report(model, dk)
        dk.do_predict = forecast.valid.astype(np.int_)
        dk.DI_values = np.zeros(len(forecast.valid))
        return DataFrame(forecast.values, columns=list(model.label_names))[dk.label_list], dk.do_predict

    @staticmethod
    def _features(frame: DataFrame, dk: FreqaiDataKitchen) -> DataFrame:
        """Feature columns, NaN where nothing traded: such candles stand in for an exchange outage."""
        return frame[dk.training_features_list].where(frame["volume"] > 0)

    @staticmethod
    def _report(model: GRUForecaster, dk: FreqaiDataKitchen) -> None:
        """Put the model's errors and its labels' mean and deviation where FreqAI makes columns of them."""
        known = dk.data.get("extra_returns_per_train", {})
        dk.data["extra_returns_per_train"] = {**known, **extra_returns(model)}
        dk.data["labels_mean"] = dict(zip(model.label_names, model.label_means, strict=True))
        dk.data["labels_std"] = dict(zip(model.label_names, model.label_deviations, strict=True))
