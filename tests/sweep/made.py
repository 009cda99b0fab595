"""Rows made by hand, of which the right summary is known."""

from typing import Any

from compare.sweep.rows import TYPES, Row


def row(**columns: Any) -> Row:
    """Make a row of the default setting; what is not given is null."""
    setting = {
        "data": "xor",
        "network": "2-2-1",
        "loss": "bce",
        "dtype": "float64",
        "lr": 0.9,
        "steps": 10_000,
    }
    rest = {"seed": 0, "implementation": "numpy", "answer": "match", "reason": ""}
    return Row(**{**dict.fromkeys(TYPES), **setting, **rest, "seconds": 1.0, **columns})


def seed_rows(
    seed: int, answer: str = "match", share: float = 0.5, **columns: Any
) -> list[Row]:
    """Make the rows of a seed: of NumPy, of JAX, and of the pair."""
    same = {"seed": seed, "answer": answer, **columns}
    return [
        row(
            share=share,
            kind="audit",
            element="a1[0, 0]",
            step=3,
            solved=seed % 2 == 0,
            **same,
        ),
        row(implementation="jax", share=share / 2, **same),
        row(other="jax", share=share / 4, drift=1e-14, drift_bound=1e-10, **same),
    ]
