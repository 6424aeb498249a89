"""FreqAI model: the LSTM forecaster of adaptive_pkg behind FreqAI's train / predict contract."""

from adaptive_pkg.freqai import SequenceRegressor
from adaptive_pkg.settings.forecast import Cell


class LSTMRegressor(SequenceRegressor):
    """`--freqaimodel LSTMRegressor`: recurrent layers of LSTM cells."""

    cell = Cell.LSTM
