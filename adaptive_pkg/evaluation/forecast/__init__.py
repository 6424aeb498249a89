"""Forecasts judged out of sample: purged walk-forward, baselines, significance, and the published windows."""
