"""What a panel knows and does, without a widget: tests drive this."""
