"""Settings of the forecaster: FreqAI's `model_training_parameters` block."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.schema import Settings, param


class Cell(StrEnum):
    """What a recurrent layer is made of."""

    GRU = "gru"
    LSTM = "lstm"


class Engine(StrEnum):
    """What computes the training. Both train the same network on the same chunks in the same order."""

    NUMPY = "numpy"  # about half the CPU time, and no TensorFlow in the process
    KERAS = "keras"  # one compiled Keras graph per process, weights swapped in


@dataclass(frozen=True)
class ForecastSettings(Settings):
    """Network, training and window of the recurrent forecaster."""

    cell: Cell = param(Cell.GRU, doc="recurrent cell")
    engine: Engine = param(Engine.NUMPY, doc="what trains: NumPy, or Keras on TensorFlow")
    window: int = param(60, 2, 1000, doc="candles the network sees for one prediction")
    units: tuple[int, ...] = param(lambda: (100, 100), 1, 1024, doc="units of each recurrent layer")
    dropout: float = param(0.2, 0.0, 0.9, doc="dropout after each recurrent layer")
    dense_units: int = param(50, 1, 1024, doc="units of the dense layer before the outputs")
    dense_dropout: float = param(0.1, 0.0, 0.9, doc="dropout after the dense layer")
    learning_rate: float = param(0.003, 1e-6, 1.0, doc="Adam's first learning rate")
    epochs: int = param(20, 1, 1000, doc="largest number of passes over the training part")
    patience: int = param(5, 1, 1000, doc="epochs without improvement before training stops")
    plateau_patience: int = param(
        3, 1, 1000, doc="epochs without improvement before the learning rate halves"
    )
    batch_chunks: int = param(16, 1, 4096, doc="chunks in one training batch")
    chunk_candles: int = param(180, 4, 5000, doc="candles in one training chunk (many-to-many)")
    validation_fraction: float = param(
        0.2, 0.05, 0.5, doc="last part of the training span kept for early stopping"
    )
    shrink_to_skill: bool = param(
        True, doc="shrink each output towards its mean as far as validation does not support it"
    )
    interval_coverage: float = param(
        0.8, 0.5, 0.99, doc="probability that a label lies within the reported interval around its forecast"
    )
    seed: int = param(7, 0, 2**31 - 1, doc="seed of weights, dropout and shuffling")

    def check(self) -> None:
        if not self.units:
            raise SettingsError("units: the list is empty; give the size of at least one recurrent layer")
        if self.chunk_candles <= self.window:
            raise SettingsError(
                f"chunk_candles: {self.chunk_candles} must be above window ({self.window}); "
                "2 to 4 windows train fastest"
            )
