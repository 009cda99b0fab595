"""Which failures follow from an earlier one.

A line that fails on its recorded inputs fails by itself, and so does every check of
equality. A failure of any other check follows from an earlier one if all of this holds:
that one is of the same run, or of one run of the pair; it is in the same step or before
it; and its quantity is an input of what failed, directly or through other lines. Where
both functions are called again, after training or in a replay, the same quantity counts
as an input: it is the same function.
"""

from compare.checks.check import Check
from compare.checks.verdict import Verdict
from compare.numerics.equations import lines
from impls.interface import Loss

_ORDER = ("in a step", "in a replay", "after training")
_NEXT = {"w1": "new_w1", "w2": "new_w2"}
"""The quantity of the step before that gives the weights of a step."""


def root_of(verdict: Verdict, check: Check) -> Check:
    """Return the first failure that a failure follows from, or the failure itself."""
    earlier = [
        other
        for other in verdict.differences
        if other is not check and _explains(verdict.problem.loss, other, check)
    ]
    return root_of(verdict, earlier[0]) if earlier else check


def _explains(loss: Loss, cause: Check, effect: Check) -> bool:
    if cause.first is None or effect.first is None or cause.kind != "audit":
        return False
    related = {*cause.subject} <= {*effect.subject}
    if not related or cause.first.step > effect.first.step:
        return False
    if effect.basis == "drift":
        quantity = "a2" if effect.quantity == "classes" else effect.quantity
        inputs = _inputs(loss, quantity, earlier_steps=True)
        return cause.when == "in a step" and cause.quantity in inputs
    inputs = _inputs(loss, effect.quantity) if effect.basis == "weights" else set()
    if effect.when == "in a step" and effect.kind == "audit":
        inputs.discard(effect.quantity)
        return cause.when == "in a step" and cause.quantity in inputs
    if effect.kind == "audit":
        later = _ORDER.index(effect.when) > _ORDER.index(cause.when)
        return later and cause.quantity in inputs | {effect.quantity}
    return cause.quantity in inputs  # of gradients of a pair at the same weights


def _inputs(loss: Loss, quantity: str, *, earlier_steps: bool = False) -> set[str]:
    """Return a quantity and what it is computed from, in its step or in all before."""
    known = {line.quantity: line.inputs for line in lines(loss)}
    found: set[str] = set()
    missing = [quantity]
    while missing:
        name = missing.pop()
        if name not in found:
            found.add(name)
            missing += known.get(name, ())
            missing += [_NEXT[name]] if earlier_steps and name in _NEXT else []
    return found
