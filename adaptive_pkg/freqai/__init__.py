"""FreqAI's train / predict contract for this bundle's forecasters; `user_data/freqaimodels` names them."""

from adaptive_pkg.freqai.regressor import SequenceRegressor

__all__ = ["SequenceRegressor"]
