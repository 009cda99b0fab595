"""What a difference means: its cause, its story, and its findings for pytest."""
