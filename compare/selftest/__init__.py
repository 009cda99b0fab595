"""The proof that the checks can fail: planted faults and harmless rewrites."""
