"""The widgets that views are made of."""
