"""Judging the market: indicators, features, levels, the regime, and what each regime was worth."""
