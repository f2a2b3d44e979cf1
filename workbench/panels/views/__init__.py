"""What a panel is put together from, one view per file: made from a session, drawn again when it tells."""
