"""The page in a browser: what it shows, does and keeps."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from compare.cli import run
from compare.page.quantities import quantities_of
from compare.page.shown import show
from compare.traces.file import to_bytes
from compare.traces.schema import Record
from tests.page.conftest import MARKUP, MODES, Open, trained, verdict_for

pytestmark = pytest.mark.slow

ANSWERS = ("match", "differ", "unstable", "cannot tell", "could not compare")
PAGES = (*ANSWERS, "nothing there", "markup", "sizes")
NAMED = {
    "learning rate 0.1 % off": "new_w1",
    "float32 in the sigmoid": "a1",
    "epsilon in the logarithm": "loss",
    "loss of the sum, not of the mean": "loss",
    "gradient of the sum, 1/m missing": "dz2",
    "the squared error's gradient under cross-entropy": "dz2",
    "one sample dropped": "dz2",
    "w2 updated before dz1": "dz1",
    "sigmoid's derivative left out": "dz1",
    "sigmoid's derivative at z, not at a": "dz1",
    "wrong slope of a sample whose inputs are 0": "dz1",
    "dw1 transposed": "dw1",
    "dw1 with the wrong sign": "dw1",
    "gradients 0.01 % too large": "dw2",
    "gradient clipped at 0.01": "dw2",
    "stale gradient": "new_w1",
    "momentum left on": "new_w1",
    "weight decay left on": "new_w1",
}
"""The line that the audit must name first, by the mistake."""


# What it says.


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_answer_comes_first(open_page: Open, answer: str) -> None:
    """The first heading is the answer, with the names of the runs."""
    page = trained(open_page(answer))

    heading = page.locator("h1").inner_text()

    assert heading.startswith(f"{answer.capitalize()}.")
    assert verdict_for(answer).answer == answer
    assert all(r.name in heading for r in verdict_for(answer).runs)


@pytest.mark.parametrize(
    "name", ["nothing there", "markup", "sizes", "large", "diverging"]
)
def test_a_page_is_quiet(open_page: Open, name: str) -> None:
    """It writes no message, raises no error and asks for nothing: see `open_page`."""
    trained(open_page(name))


def test_markup_is_shown_and_not_run(open_page: Open) -> None:
    """A name and a command full of markup are text."""
    page = open_page("markup")

    assert MARKUP in page.locator("#answer").inner_text()
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2


def test_without_scripts_the_numbers_are_there(open_page: Open) -> None:
    """Tables and charts need no script, and what needs one is not shown."""
    page = open_page("match", java_script_enabled=False)

    assert page.locator("#numbers tbody tr").count() == 55
    assert page.locator("#chart-losses path.curve").count() == 2 * 3
    assert page.locator("#slider").is_hidden()
    assert page.locator("noscript").is_visible()


def test_the_first_difference_is_marked_in_every_chart(open_page: Open) -> None:
    """A line and its step stand in each chart over steps, and in each heat map."""
    page = open_page("differ")

    for_each = page.locator(".chart > svg").count()

    assert for_each == 4
    assert page.locator(".chart > svg .mark").count() == for_each
    assert page.locator(".heat svg .mark").count() == 2
    assert page.locator("#step-number").inner_text() == "0"
    assert page.locator("#step-reason").inner_text() == "The first difference"


# One step.


def press(page: Page, keys: Sequence[str]) -> None:
    """Press keys, one after the other."""
    for key in keys:
        page.keyboard.press(key)


def test_the_slider_shows_the_numbers_of_its_step(open_page: Open) -> None:
    """Each number of each run is that of its trace, bit for bit."""
    page, verdict = open_page("match"), verdict_for("match")
    page.locator("#slider").focus()
    press(page, ["ArrowRight"] * 5)

    step = int(page.locator("#step-number").inner_text().replace(",", ""))
    cells = page.locator("#numbers tr[data-place]").evaluate_all(
        "rows => rows.map(row => [...row.cells].slice(1, 4).map(c => c.textContent))"
    )

    recorded = np.array(
        [
            np.concatenate(
                [
                    np.ravel(
                        getattr(run.trace, q.name.removeprefix("new_"))[
                            step + (q.name[:3] == "new")
                        ]
                    )
                    for q in quantities_of(verdict.problem)
                ]
            )
            for run in verdict.runs
        ]
    )
    assert step > 0
    assert np.array_equal(np.array(cells, float).T, recorded)
    words = page.locator("#slider").get_attribute("aria-valuetext")
    assert f"{words}: ".startswith(f"step {step}: ")


def test_the_phases_build_the_step_up(open_page: Open) -> None:
    """Before the backward pass there is no gradient to be seen."""
    page = open_page("match")
    gradient, weight = (
        page.locator(f'.edge-label [data-value="{name}"]').first
        for name in ("dw1", "w1")
    )

    page.get_by_role("button", name="loss", exact=True).click()
    before = gradient.is_visible(), weight.is_visible()
    page.get_by_role("button", name="backward", exact=True).click()

    assert before == (False, True)
    assert gradient.is_visible()


FOUR = {
    "edge": '.edge[data-weight="w1"] >> nth=0',
    "equation": '.equations li[data-q="dw1"] .line',
    "number": '#numbers tbody[data-q="dw1"] tr >> nth=0',
    "code": '.sources code[data-q="dw1"] >> nth=0',
}


@pytest.mark.parametrize(
    "way", ["focus", pytest.param("hover", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("source", FOUR)
def test_what_belongs_together_lights_up(
    open_page: Open, source: str, way: str
) -> None:
    """Pointing at one of the four, or focusing it, lights up the other three."""
    page = open_page("match")
    getattr(page.locator(FOUR[source]), way)(
        **({"force": True} if way == "hover" else {})
    )

    lit = {
        "edge": page.locator('.edge.lit[data-weight="w1"]').count(),
        "equation": page.locator('.equations li.lit[data-q="dw1"]').count(),
        "number": page.locator('#numbers tbody.lit[data-q="dw1"]').count(),
        "code": page.locator('.sources code.lit[data-q~="dw1"]').count(),
    }

    assert min(lit.values()) > 0, lit
    assert page.locator('.equations li.lit[data-q="a2"]').count() == 0


def test_a_factor_says_what_it_is(open_page: Open) -> None:
    """The factors multiply to the product, and the products add up to the gradient."""
    page, trace = open_page("match"), verdict_for("match").runs[0].trace
    page.locator("#weight").select_option("w1[1, 0]")
    page.locator("#slider").press("End")
    page.locator("button.factor").nth(8 + 2).focus()

    rows = page.locator("#chain tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].slice(1).map(c => c.textContent))"
    )

    rows = [[cell.replace("−", "-") for cell in row] for row in rows]
    factors = np.array(rows[:4], float)
    product = factors[:, :4].prod(axis=1)
    assert product == pytest.approx(factors[:, 4], rel=2e-3, abs=0)
    assert float(rows[4][0]) == pytest.approx(trace.dw1[-1, 1, 0], rel=1e-3, abs=0)
    assert "the slope of the sigmoid" in page.locator("#factor").inner_text()


def lit(page: Page) -> list[str]:
    """List the equations that are lit, and the numbers of the factors that are."""
    quantities: list[str] = page.locator("#step li.lit").evaluate_all(
        "all => all.map(part => part.dataset.q)"
    )
    return quantities + page.locator("button.factor.lit").all_inner_texts()


@pytest.mark.parametrize("way", ["click", "focus"])
def test_one_factor_is_lit_at_a_time(open_page: Open, way: str) -> None:
    """A second factor puts out the first, and an equation puts out both."""
    page = open_page("match")
    factors = page.locator("button.factor")
    first, second = (factors.nth(n).inner_text() for n in (4 * 3, 4 * 3 + 2))

    getattr(factors.nth(4 * 3), way)()
    one = lit(page)
    getattr(factors.nth(4 * 3 + 2), way)()
    two = lit(page)
    getattr(page.locator('li[data-q="z2"] .line'), way)()

    assert (one, two) == (["dz2", first], ["a1", second])
    assert lit(page) == ["z2"]
    assert page.locator("#factor").inner_text() == "Go to a factor to read what it is."


def test_another_step_clears_the_note(open_page: Open) -> None:
    """The number of a factor belongs to its step."""
    page = open_page("match")
    page.locator("button.factor").nth(4 * 3).click()
    before = page.locator("#factor").inner_text()

    page.locator("#slider").press("End")

    assert before.startswith("dz2 = 0.1555: ")
    assert page.locator("#factor").inner_text() == "Go to a factor to read what it is."
    assert lit(page) == []


@pytest.mark.parametrize(
    ("phase", "words"),
    [("forward", ()), ("backward", ("gradient",)), ("update", ("gradient", "update"))],
)
def test_the_caption_explains_what_is_visible(
    open_page: Open, phase: str, words: tuple[str, ...]
) -> None:
    """The gradient and the update have a sentence when they have numbers."""
    page = open_page("match", f"#phase={phase}")

    caption = page.locator(".network figcaption").inner_text()

    assert tuple(w for w in ("gradient", "update") if w in caption) == words


def test_an_edge_is_chosen_with_the_keyboard(open_page: Open) -> None:
    """Enter on an edge shows its chain."""
    page = open_page("match")

    page.locator('.edge[data-weight="w2"]').nth(1).focus()
    page.keyboard.press("Enter")

    assert page.locator("#weight").input_value() == "w2[0, 1]"


# What it keeps.


def test_a_link_brings_back_the_state(open_page: Open) -> None:
    """Step, phase, mistake and learning rate come from the address."""
    state = "#step=2&phase=loss&mistake=stale+gradient&lr=0.5&labels=0+0+0+1"
    page = trained(open_page("match", state))

    assert page.locator("#step-number").inner_text() == "2"
    assert (
        page.locator('[data-phase-button="loss"]').get_attribute("aria-pressed")
        == "true"
    )
    assert page.locator("#mistake").input_value() == "stale gradient"
    assert page.locator("#lr").input_value() == "0.5"
    assert page.locator("#table").input_value() == "and"


def test_a_link_to_a_step_between_two_shows_the_nearest(open_page: Open) -> None:
    """Not every step is in the page."""
    shown = show(verdict_for("match")).steps
    step = next(n for n in range(200, 300) if n not in shown)
    nearest = min(shown, key=lambda n: abs(n - step))

    page = open_page("match", f"#step={step}")

    assert page.locator("#step-number").inner_text() == str(nearest)


def test_a_choice_is_kept_in_the_address(open_page: Open) -> None:
    """What differs from the comparison is in the hash, and nothing else."""
    page = trained(open_page("match"))
    before = page.evaluate("location.hash")

    page.locator("#table").select_option("and")
    page.locator("#slider").press("ArrowRight")

    assert before == ""
    assert page.evaluate("location.hash") == "#labels=0+0+0+1&step=1"


def press_next(page: Page) -> str:
    """Go from the stop that has the focus to the next one, and return its id."""
    stop: str = page.evaluate("document.activeElement.id")
    page.locator(f"#{stop}").get_by_text("next").press("Enter")
    return stop


def test_the_tour_moves_the_focus(open_page: Open) -> None:
    """Each stop is focused, one after the other, and the state stays."""
    page = open_page("match", "#step=2")
    page.locator(".tour a").first.press("Enter")

    stops = [press_next(page) for _ in range(5)]

    assert stops == [f"stop-{n}" for n in (1, 2, 3, 4, 5)]
    assert page.evaluate("document.activeElement.id") == "stop-6"
    assert page.locator("#stop-6").get_by_text("next").count() == 0
    assert page.evaluate("location.hash") == "#step=2"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("lr", "fast", "Learning rate: one number is expected"),
        ("labels", "0 1 1", "4 numbers are expected"),
        ("labels", "0 1 1 2", "each from 0 to 1"),
        ("weights", "1 2 3 4 5", "6 numbers are expected"),
        ("updates", "0", "Steps, from 1 to 20,000"),
        ("lr", "", "Learning rate: one number is expected"),
    ],
)
def test_a_wrong_value_is_named(
    open_page: Open, field: str, value: str, words: str
) -> None:
    """Nothing is trained, and nothing can be saved."""
    page = trained(open_page("match"))

    page.locator(f"#{field}").fill(value)
    page.get_by_role("button", name="Train").click()

    assert words in page.locator("#outcome").inner_text()
    assert page.locator("#save").is_disabled()


# The fourth implementation.


def saved(page: Page, path: Path) -> Path:
    """Save the trace that the page trained."""
    with page.expect_download() as download:
        page.locator("#save").click()
    download.value.save_as(path)
    return path


def compared(page: Page, of: str, folder: Path) -> tuple[int, dict[str, Any]]:
    """Compare the page's trace with NumPy's, by `gradparity diff`."""
    verdict = verdict_for(of)
    theirs, ours = folder / "numpy.safetensors", folder / "javascript.safetensors"
    theirs.write_bytes(to_bytes(Record(verdict.problem, verdict.runs[0], {})))
    output = folder / "diff.json"
    files = [str(theirs), str(saved(page, ours))]
    status = run(["diff", *files, "--json", str(output)])
    return status, json.loads(output.read_text("utf-8"))


@pytest.mark.parametrize("of", ["match", "squared error", "sizes"])
def test_the_trace_of_the_page_matches(
    open_page: Open, tmp_path: Path, of: str
) -> None:
    """JavaScript's run agrees with NumPy's, in every line and every pair."""
    page = trained(open_page(of))

    status, found = compared(page, of, tmp_path)

    assert (status, found["verdict"]) == (0, "match")
    assert found["implementations"][1]["name"] == "javascript"
    assert page.locator("#outcome").get_attribute("data-named") == ""


def broken(page: Page, mistake: str) -> str | None:
    """Plant a mistake, and return the line that the page names first."""
    page.locator("#mistake").select_option(mistake)
    return trained(page).locator("#outcome").get_attribute("data-named")


@pytest.mark.slow
@pytest.mark.parametrize("mistake", NAMED)
def test_a_mistake_is_found_in_its_line(
    open_page: Open, tmp_path: Path, mistake: str
) -> None:
    """The page and `gradparity diff` name the same line first: the right one."""
    page = trained(open_page("match"))

    named = broken(page, mistake)
    status, found = compared(page, "match", tmp_path)

    assert status == 1
    assert named == NAMED[mistake]
    assert found["first_difference"]["check"]["quantity"] == NAMED[mistake]
    assert found["first_difference"]["check"]["subject"] == ["javascript"]
    assert page.locator("#sentence").inner_text() != ""


def test_numbers_that_are_not_finite_are_named(open_page: Open) -> None:
    """The step from which on nothing can be judged; only the mistake's line is red."""
    page = trained(open_page("match", "#updates=1000"))

    named = broken(page, "sigmoid's derivative at z, not at a")

    outcome = page.locator("#outcome").inner_text()
    failed = page.locator("#audit tr.failed th").all_text_contents()
    assert named == "dz1"
    assert re.search(r"From step \d+ on, the numbers are no longer finite", outcome)
    assert "the last loss is NaN" in outcome
    assert failed == ["dz1"]
    rows = page.locator("#audit tbody tr").all_text_contents()
    assert rows[0].startswith("dz1")
    assert "Infinity" not in "".join(rows)
    assert page.locator("#spreading .gone").count() > 0


def test_a_mistake_of_the_squared_error(open_page: Open, tmp_path: Path) -> None:
    """The gradient of the cross-entropy is a mistake under the other loss only."""
    page = trained(open_page("squared error"))

    named = broken(page, "cross-entropy's gradient under the squared error")
    status, found = compared(page, "squared error", tmp_path)

    assert (status, named) == (1, "dz2")
    assert found["first_difference"]["check"]["quantity"] == "dz2"


def test_every_mistake_is_tested(open_page: Open) -> None:
    """The list of the page is that of the tests."""
    page = open_page("match")

    offered = page.locator("#mistake option").evaluate_all(
        "all => all.map(o => o.value)"
    )

    assert {*offered} - {""} == {*NAMED}


# For all readers.


def violations(page: Page) -> list[str]:
    """List what axe-core finds."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {n['html'][:120]}" for v in found for n in v["nodes"]]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible(open_page: Open, name: str, mode: str) -> None:
    """axe-core finds nothing, and the page does not scroll sideways."""
    page = trained(open_page(name, **MODES[mode]))
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")

    assert violations(page) == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= MODES[mode]["viewport"]["width"]


def test_axe_can_fail(open_page: Open) -> None:
    """A button without a name is found."""
    page = open_page("could not compare")
    page.evaluate("document.body.append(document.createElement('button'))")

    assert any(v.startswith("button-name") for v in violations(page))


def test_motion_is_reduced_where_it_is_asked_for(open_page: Open) -> None:
    """Scrolling is smooth for the others only."""
    of = "getComputedStyle(document.documentElement).scrollBehavior"
    still, moving = (
        open_page("match", reduced_motion=wish) for wish in ("reduce", "no-preference")
    )

    assert (still.evaluate(of), moving.evaluate(of)) == ("auto", "smooth")
    assert trained(moving).locator("#live path.curve").count() == 1


def test_on_paper_there_are_no_controls(open_page: Open) -> None:
    """The answer and the charts are printed."""
    page = trained(open_page("match"))
    page.emulate_media(media="print")

    assert page.locator("#slider").is_hidden()
    assert page.locator("#laboratory").is_hidden()
    assert page.locator("#chart-losses").is_visible()
    assert page.locator("#numbers").is_visible()
