"""Looking around before choosing: which layer hurts, and how much of each a target takes."""
