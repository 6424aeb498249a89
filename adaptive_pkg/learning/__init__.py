"""Learning from the journal: what became of past candidates, and what that says about new ones.

labels        what each candidate would have become, and when that was known
features      a candidate's context as numbers, seen from its side
estimators    linear models and tree ensembles as plain numbers
training      four models fitted to labelled candidates: win, R, holding time, adverse excursion
walk_forward  models by date, each fitted on what was known then, and their forecasts of what came after
earned        what past out-of-sample forecasts justify
book          models by date in one file of plain numbers, read as of a time
opinion       what the book says about a candidate's confidence
rehearsed     candidates that a bot would have met, found in candles
lesson        the journal filled from candles, and the book from the journal
"""
