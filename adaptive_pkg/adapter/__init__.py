"""Between freqtrade's objects and the core: what the strategy's callbacks share. No freqtrade import."""
