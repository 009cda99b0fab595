"""Many seeds at once."""

from compare.sweep.engine import sweep

__all__ = ["sweep"]
