"""Which settings of the forecaster are searched, and between which bounds."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings import load_forecast_settings
from adaptive_pkg.settings.forecast import Cell, ForecastSettings

SEARCHED = ("cell", "units", "window", "dropout", "learning_rate")  # settings; layers is the length of units


@dataclass(frozen=True)
class SearchSpace:
    """Inclusive bounds. All layers of a network have the same units; everything else stays as it is set.

    window_step: windows are multiples of it above the lowest. units and learning rate are searched on a log
    scale.
    """

    cells: tuple[Cell, ...] = (Cell.GRU, Cell.LSTM)
    layers: tuple[int, int] = (1, 3)
    units: tuple[int, int] = (16, 192)
    window: tuple[int, int] = (12, 168)
    window_step: int = 12
    dropout: tuple[float, float] = (0.0, 0.5)
    learning_rate: tuple[float, float] = (3e-4, 3e-2)

    def __post_init__(self) -> None:
        if not self.cells:
            raise SettingsError("cells: none to search; give gru, lstm or both")
        for name in ("layers", "units", "window", "dropout", "learning_rate"):
            low, high = getattr(self, name)
            if low > high:
                raise SettingsError(f"{name}: the lowest value {low} is above the highest {high}; swap them")

    def distributions(self) -> dict[str, BaseDistribution]:
        """What Optuna draws from."""
        return {
            "cell": CategoricalDistribution([str(cell) for cell in self.cells]),
            "layers": IntDistribution(*self.layers),
            "units": IntDistribution(*self.units, log=True),
            "window": IntDistribution(*self.window, step=self.window_step),
            "dropout": FloatDistribution(*self.dropout, step=0.05),
            "learning_rate": FloatDistribution(*self.learning_rate, log=True),
        }

    def settings(self, params: dict[str, Any], base: ForecastSettings, seed: int) -> ForecastSettings:
        """The base settings with drawn parameters. Chunks keep their length in windows."""
        window = int(params["window"])
        return replace(
            base,
            cell=Cell(params["cell"]),
            units=(int(params["units"]),) * int(params["layers"]),
            window=window,
            chunk_candles=max(round(base.chunk_candles / base.window * window), window + 1),
            dropout=round(float(params["dropout"]), 4),
            learning_rate=float(f"{params['learning_rate']:.4g}"),
            seed=seed,
        )

    def params(self, base: ForecastSettings) -> dict[str, Any]:
        """The parameters that mean these settings, or {} where the space does not hold them."""
        params = {
            "cell": str(base.cell),
            "layers": len(base.units),
            "units": base.units[0],
            "window": base.window,
            "dropout": base.dropout,
            "learning_rate": base.learning_rate,
        }
        inside = len(set(base.units)) == 1 and base.cell in self.cells
        for name, distribution in self.distributions().items():
            if name != "cell":
                inside = inside and distribution._contains(distribution.to_internal_repr(params[name]))
        return params if inside else {}


def seed_of(seed: int, trial: int, purpose: int) -> int:
    """A seed that depends on nothing but the search's seed, the trial's number and what it is for."""
    return int(np.random.SeedSequence([seed, trial, purpose]).generate_state(1)[0] % 2**31)


def config_block(settings: ForecastSettings) -> dict[str, Any]:
    """A freqtrade config that makes FreqAI use these settings: the searched keys and all that is no default.

    FreqAI's conv_width goes along, since a live candle needs the whole window.

    Raises:
        SettingsError: the settings do not survive being written and read.
    """
    plain = asdict(settings)
    usual = {
        item.name: item.default if item.default is not MISSING else item.default_factory()
        for item in fields(ForecastSettings)
    }
    block = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in plain.items()
        if name in SEARCHED or value != usual[name]
    }
    block["cell"] = str(settings.cell)
    config = {"freqai": {"conv_width": settings.window, "model_training_parameters": block}}
    if (read := load_forecast_settings(config)) != settings:
        raise SettingsError(f"model_training_parameters: {block} reads back as {read}; report this")
    return config
