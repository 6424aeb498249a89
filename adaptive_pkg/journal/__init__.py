"""The decision journal: every candidate entry, taken or refused, as it stood when its candle closed.

context     what the market was like at a candidate: the numbers models learn from
candidates  the rows of a judged frame, one per candidate
rules       which settings decide what a candidate becomes, as a fingerprint
database    the SQLite file and its one table
journal     rows written once, answers added, read back
"""
