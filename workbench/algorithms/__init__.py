"""What techniques compute with: order, clusters, ties, low rank. No options and no steps of a recipe here."""
