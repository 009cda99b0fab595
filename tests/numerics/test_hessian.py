"""The second derivatives, against those that JAX and ball arithmetic find."""

import jax
import numpy as np
import pytest
from flint import ctx

from compare.numerics.balls import BITS
from compare.numerics.equations import Step, run_lines
from compare.numerics.hessian import hessian, jacobian
from impls import jax_grad, numpy_manual
from impls.interface import Array, Loss, Problem, Weights
from tests.helpers import LOSSES
from tests.numerics.oracles import exact_step, random_problem, slopes

SIZE = (3, 4, 2, 7)  # no two are equal


def float_step(problem: Problem) -> Step[Array]:
    """Run the lines on floats, at the problem's weights and at twice those."""
    w1, w2 = (np.stack((w, 2 * w)) for w in problem.weights)
    return run_lines(problem.loss, x=problem.x, y=problem.y, lr=0.9, w1=w1, w2=w2)


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("loss", LOSSES)
def test_hessian_is_the_one_that_jax_finds(loss: Loss, factor: int) -> None:
    """JAX differentiates the loss twice and finds the matrix that was derived here."""
    problem = random_problem(SIZE, loss, 1)
    w1, w2 = (factor * w for w in problem.weights)

    def cost(flat: jax.Array) -> jax.Array:
        weights = Weights(flat[:12].reshape(4, 3), flat[12:].reshape(2, 4))
        x, y = jax.numpy.array(problem.x), jax.numpy.array(problem.y)
        activations = jax_grad.propagate(weights, x)
        return jax_grad.cost(activations.z2, activations.a2, y, loss)

    with jax.enable_x64(True):
        truth = jax.jit(jax.hessian(cost))(jax.numpy.array([*w1.ravel(), *w2.ravel()]))

    assert hessian(float_step(problem), loss)[factor - 1] == pytest.approx(
        np.asarray(truth), rel=1e-10, abs=1e-13
    )


def test_jacobian_is_the_change_of_z2() -> None:
    """Small changes of each weight change z2 as the matrix says."""
    problem = random_problem(SIZE, "bce", 1)

    truth = slopes(lambda w: numpy_manual.forward(w, problem.x).z2, problem.weights)

    found = jacobian(float_step(problem))[0]
    assert found.shape == (2, 7, 20)
    assert found == pytest.approx(truth, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_hessian_of_balls_holds_that_of_floats(loss: Loss) -> None:
    """The formula runs on balls and encloses the number that floats give, nearly."""
    problem = random_problem(SIZE, loss, 1)
    step = exact_step(problem, Weights(*(w[None] for w in problem.weights)))

    with ctx.workprec(BITS):
        enclosed = hessian(step, loss)[0]

    assert enclosed.astype(float) == pytest.approx(
        hessian(float_step(problem), loss)[0], rel=1e-12, abs=1e-14
    )
    assert max(float(ball.rad()) for ball in enclosed.flat) < 1e-30
