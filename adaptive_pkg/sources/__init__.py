"""All slow outside data together.

registry  which sources the settings ask for, and with which keys
columns   their columns in a frame of candles, as known at each candle's close
files     importing history
desk      all that as a strategy uses it
update    asking once, and saying what is there
"""
