"""Upkeep: what to look at every week, month and quarter of a running bot, and its backup."""
