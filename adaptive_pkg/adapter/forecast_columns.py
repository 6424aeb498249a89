"""What the strategy makes of FreqAI's columns."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd

from adaptive_pkg.forecast.targets import RETURN_SIGMA, forecast_price

INTERVAL_RETURN = "interval_return"  # half-width of the return's interval, in σ; 0: unknown


def forecast_columns(frame: pd.DataFrame, horizon: int, coverage: float) -> dict[str, np.ndarray]:
    """The columns that decisions and charts read, each (n,); NaN where FreqAI does not vouch for a forecast.

    - forecast_sigma: future return in σ over the horizon. forecast_close: the price it stands for.
    - forecast_strength: forecast_sigma over the model's own uncertainty, which is its interval's half-width
      relative to a standard normal's of the same coverage. Errors as large as σ says leave it as it is,
      larger ones shrink it; a model without interval is taken at its word.

    Args:
        frame: FreqAI's and the indicators' columns. coverage: of the interval, in 0..1.
    """
    forecast = frame[RETURN_SIGMA].where(frame["do_predict"] == 1)
    spread = np.ones(len(frame))
    if INTERVAL_RETURN in frame:
        half_width = frame[INTERVAL_RETURN].to_numpy(dtype=float)
        known = half_width > 0.0
        spread[known] = half_width[known] / NormalDist().inv_cdf((1.0 + coverage) / 2.0)
    return {
        "forecast_sigma": forecast.to_numpy(),
        "forecast_strength": forecast.to_numpy() / spread,
        "forecast_close": forecast_price(frame["close"], forecast, frame["sigma"], horizon),
    }
