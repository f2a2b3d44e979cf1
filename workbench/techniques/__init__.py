"""One technique per file: this listing is the feature list. See `workbench.technique` for what one is."""
