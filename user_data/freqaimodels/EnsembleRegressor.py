"""FreqAI model: the ensemble of adaptive_pkg behind FreqAI's train / predict contract."""

import logging
from typing import Any

from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from adaptive_pkg.forecast.ensemble import EnsembleForecaster
from adaptive_pkg.freqai import SequenceRegressor

logger = logging.getLogger(__name__)


class EnsembleRegressor(SequenceRegressor):
    """`--freqaimodel EnsembleRegressor`: GRU, LSTM, ridge and boosting, weighed by their later errors."""

    forecaster = EnsembleForecaster

    def fit(
        self, data_dictionary: dict[str, Any], dk: FreqaiDataKitchen, **kwargs: Any
    ) -> EnsembleForecaster:
        """Fit and say which member weighs how much."""
        model = super().fit(data_dictionary, dk, **kwargs)
        for label, shares in model.weights.items():
            listed = ", ".join(f"{member} {share:.2f}" for member, share in shares.items())
            logger.info(f"Weights for {dk.pair} {label}: {listed}")
        return model
