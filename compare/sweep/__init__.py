"""Many seeds at once."""
