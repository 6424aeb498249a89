"""The market's mood from outside: an index, and what people write.

lexicon     finance and crypto words and how they sound
scorers     a text's tone, by that lexicon (VADER) or by FinBERT
texts       many texts' tones as one value, or none
fear_greed  the Crypto Fear & Greed index
reddit      posts on Reddit
x           posts on X
composite   the three as one number
"""
