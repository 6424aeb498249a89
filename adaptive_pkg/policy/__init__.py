"""Policy: which rule wants to enter, how confident that is, and what is decided and why."""
