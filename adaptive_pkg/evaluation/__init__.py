"""Evaluation: what past candles say about the rules, with intervals that respect overlapping trades."""
