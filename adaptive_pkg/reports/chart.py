"""What freqtrade's charts (FreqUI, plot-dataframe) show of the strategy."""

from __future__ import annotations

from typing import Any

import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.forecast.targets import RETURN_SIGMA
from adaptive_pkg.market.regime import runs

REGIME_COLORS = {
    Regime.STRONG_TREND: "rgba(46, 160, 67, 0.18)",
    Regime.VOLATILE_TREND: "rgba(219, 109, 40, 0.18)",
    Regime.TIGHT_RANGE: "rgba(56, 139, 253, 0.18)",
    Regime.CHOPPY: "rgba(139, 148, 158, 0.18)",
    Regime.TRANSITIONAL: "rgba(188, 140, 255, 0.12)",
}

PLOT_CONFIG: dict[str, Any] = {
    "main_plot": {
        "ema_fast": {"color": "#f0883e"},
        "ema_slow": {"color": "#388bfd"},
        "forecast_close": {"color": "#bc8cff"},
    },
    "subplots": {
        "regime": {"regime": {"color": "#8b949e"}, "regime_confidence": {"color": "#2ea043"}},
        "confidence": {"confidence": {"color": "#f0883e", "type": "scatter"}},
        "ADX": {"adx": {"color": "#388bfd"}},
        "forecast": {RETURN_SIGMA: {"color": "#bc8cff"}},
    },
}


def regime_bands(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Areas for freqtrade's `plot_annotations`: one per stretch of a regime, coloured and labelled.

    `frame` has the columns date and regime (`Regime.code`).
    """
    dates, last = frame["date"], len(frame) - 1
    return [
        {
            "type": "area",
            "start": dates.iloc[run.start],
            "end": dates.iloc[min(run.stop, last)],
            "color": REGIME_COLORS[Regime.from_code(run.code)],
            "label": str(Regime.from_code(run.code)),
        }
        for run in runs(frame["regime"].to_numpy())
    ]
