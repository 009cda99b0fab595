"""One step: exact numbers from elsewhere, and where mistakes enter and spread."""

import pytest

from compare.checks.verdict import Verdict
from compare.explain.lesson import Lesson, choose, hosts_of, step_of
from compare.explain.walk import Walk, walk
from compare.numerics.equations import lines
from compare.selftest.faults import FAULTS
from compare.selftest.plant import Fault
from compare.training.compare import compare
from compare.training.problems import Experiment
from impls.interface import Loss, Weights
from tests.helpers import LOSSES
from tests.numerics.oracles import loss_only_gradient, overlap

AFTER_A1 = ("z2", "a2", "loss", "dz2", "dw2", "dz1", "dw1", "new_w1", "new_w2")


def verdict_of(lesson: Lesson) -> Verdict:
    """Train and compare."""
    with hosts_of(lesson) as hosts:
        return compare(lesson.experiment.problem(), hosts)


def walk_of(experiment: Experiment, step: int | None = None, fault: str = "") -> Walk:
    """Walk through a step of NumPy's implementation, or of a mistake beside it."""
    verdict = verdict_of(choose(experiment, step, ["numpy"], fault or None))
    return walk(verdict, step_of(verdict, step))


def effects(walked: Walk) -> dict[str, str]:
    """Return what a mistake does to each line."""
    return {
        stage.line.quantity: effect
        for stage in walked.stages
        for effect in stage.effects.values()
    }


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("step", [0, 40])
def test_the_exact_gradients_are_those_of_the_loss_alone(loss: Loss, step: int) -> None:
    """Power series of the loss enclose the same numbers, without the chain rule."""
    walked = walk_of(Experiment(loss=loss), step)
    exact = {stage.line.quantity: stage.exact for stage in walked.stages}
    weights = walked.weights["numpy"]
    gradient = loss_only_gradient(walked.problem, weights)

    assert overlap(exact["dw1"].flat, gradient.w1.flat)
    assert overlap(exact["dw2"].flat, gradient.w2.flat)


def test_all_lines_are_walked_in_the_order_of_computation() -> None:
    """Eleven lines, and the exact numbers have their shapes."""
    walked = walk_of(Experiment(), 0)
    stages = walked.stages

    assert [stage.line for stage in stages] == [*lines("bce")]
    assert [s.exact.shape for s in stages] == [s.found["numpy"].shape for s in stages]


def test_a_later_step_begins_at_the_weights_of_that_step() -> None:
    """The weights of step 3 are the new weights of step 2."""
    before, after = (walk_of(Experiment(), step) for step in (2, 3))
    found = {stage.line.quantity: stage.found["numpy"] for stage in before.stages}
    new = Weights(found["new_w1"], found["new_w2"])

    assert [w.tolist() for w in after.weights["numpy"]] == [w.tolist() for w in new]


@pytest.mark.parametrize(("loss", "dtype"), [("bce", "float64"), ("mse", "float32")])
def test_ours_make_no_mistake(loss: Loss, dtype: str) -> None:
    """All three hold in every line, within the error bars of the first."""
    experiment = Experiment(loss=loss, dtype=dtype, network="3-4-2", samples=5)
    walked = walk(verdict_of(choose(experiment, 20)), 20)

    assert effects(walked) == {}
    assert walked.strayed == ()


@pytest.mark.parametrize(
    ("fault", "step", "expected"),
    [
        ("dw1 transposed", 0, {"dw1": "enters", "new_w1": "spreads"}),
        ("wrong slope of a sample whose inputs are 0", 0, {"dz1": "enters"}),
        ("loss rounded to five decimals", 0, {"loss": "enters"}),
        ("stale gradient", 1, {"new_w1": "enters", "new_w2": "enters"}),
        (
            "float32 in the sigmoid",
            0,
            {"a1": "enters", **dict.fromkeys(AFTER_A1, "spreads")},
        ),
    ],
)
def test_a_mistake_enters_and_spreads(
    fault: str, step: int, expected: dict[str, str]
) -> None:
    """The step is the one where it is first seen."""
    walked = walk_of(Experiment(), None, fault)

    assert walked.step == step
    assert effects(walked) == expected
    assert walked.strayed == ()


def test_wrong_weights_are_named_before_the_lines() -> None:
    """Another seed is no wrong line: what follows is rightly computed."""
    walked = walk_of(Experiment(), None, "another seed")

    assert walked.strayed == ("planted",)
    assert {*effects(walked).values()} == {"spreads"}


def test_a_right_number_is_no_mistake_though_its_recorded_input_is_wrong() -> None:
    """The first weights are overwritten in the record, after they were used."""
    walked = walk_of(Experiment(), None, "seed weights overwritten in place")

    assert walked.strayed == ("planted",)
    assert effects(walked) == {"new_w1": "enters", "new_w2": "enters"}


def test_swapped_units_are_no_wrong_line() -> None:
    """The first weights are in another order, and so is all that a unit computes."""
    walked = walk_of(Experiment(), None, "hidden units swapped at the start")

    assert walked.strayed == ("planted",)
    assert {*effects(walked).values()} == {"spreads"}
    assert not {"z2", "a2", "loss", "dz2"} & effects(walked).keys()


def test_a_mistake_of_an_earlier_step_has_moved_the_weights() -> None:
    """Five steps later the lines are still wrong, and the weights as well."""
    walked = walk_of(Experiment(), 5, "dw1 transposed")

    assert walked.strayed == ("planted",)
    assert effects(walked)["dw1"] == "enters"
    assert effects(walked)["z1"] == "spreads"


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [f for f in FAULTS if f.kind == "audit"], ids=lambda f: f.name
)
def test_every_fault_of_a_line_enters_in_its_line(fault: Fault) -> None:
    """The first line that is marked is the one that the catalogue names."""
    first, *_ = effects(walk_of(Experiment(), None, fault.name)).items()

    assert first == (fault.quantity, "enters")
