"""The search for better settings of the forecaster, and the check on candles the search never saw."""
