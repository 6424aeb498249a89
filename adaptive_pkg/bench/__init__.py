"""Benchmarks: every figure is a ratio within one run, printed as a table and, on request, as JSON."""
