"""Forecasting: targets, windows, the GRU, its training, the forecaster FreqAI keeps, baselines and skill.

Training and predicting need NumPy alone. Only `graph` and `reference` import TensorFlow, and only when used.
"""

from adaptive_pkg.forecast.dataset import TrainingSpan
from adaptive_pkg.forecast.fingerprint import changes, fingerprint
from adaptive_pkg.forecast.forecaster import Forecast, GRUForecaster, RecurrentForecaster, Validation
from adaptive_pkg.forecast.targets import (
    LABELS,
    LOG_VOLATILITY,
    RETURN_SIGMA,
    forecast_price,
    forecast_volatility,
    future_log_volatility,
    future_return_sigma,
    past_log_volatility,
    volatility_level,
)

__all__ = [
    "LABELS",
    "LOG_VOLATILITY",
    "RETURN_SIGMA",
    "Forecast",
    "GRUForecaster",
    "RecurrentForecaster",
    "TrainingSpan",
    "Validation",
    "changes",
    "fingerprint",
    "forecast_price",
    "forecast_volatility",
    "future_log_volatility",
    "future_return_sigma",
    "past_log_volatility",
    "volatility_level",
]
