"""Steam traps: which one has failed, since when, what it costs, and how sure that is."""
