"""FreqAI model: the GRU forecaster of adaptive_pkg behind FreqAI's train / predict contract."""

from adaptive_pkg.freqai import SequenceRegressor
from adaptive_pkg.settings.forecast import Cell


class GRURegressor(SequenceRegressor):
    """`--freqaimodel GRURegressor`: recurrent layers of GRU cells."""

    cell = Cell.GRU
