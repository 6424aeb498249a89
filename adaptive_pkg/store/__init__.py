"""Slow outside data as it was known at the time: every value with the moment it became known.

series        what a series is called, how late it is published, how long it lasts
observations  every value with the time it became known, appended and never changed
database      the SQLite file they are kept in
as_of         the newest value known at each candle's close, or none
history       values from CSV files and from freqtrade's funding rates
"""
