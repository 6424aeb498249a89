"""AdaptiveGRU: regime-adaptive trading parts for freqtrade, each pure, typed and measured."""

__version__ = "0.1.0"
