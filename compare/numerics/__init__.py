"""What the mathematics says, and how far correct code may be off."""
