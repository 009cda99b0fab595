"""The page in a browser: what it shows, does and keeps."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from compare.cli import run
from compare.numerics.equations import sigmoid
from compare.page.quantities import quantities_of
from compare.page.shown import show
from compare.traces.file import read, to_bytes
from compare.traces.schema import Record
from impls.interface import Trace
from tests.helpers import problem_of
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
DIFF = ("del", "ins")


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


@pytest.mark.parametrize("way", ["focus", "hover"])
@pytest.mark.parametrize("source", FOUR)
def test_what_belongs_together_lights_up(
    open_page: Open, source: str, way: str
) -> None:
    """Pointing at one of the four, or focusing it, lights up the other three."""
    page = open_page("match", "#phase=update")
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
    """The factors multiply to the product, and the products add up to the gradient.

    They do so as they are shown, in digits.
    """
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
    assert sum(Decimal(row[4]) for row in rows[:4]) == Decimal(rows[4][0])
    assert product == pytest.approx(factors[:, 4], rel=2e-3, abs=0)
    assert float(rows[4][0]) == pytest.approx(trace.dw1[-1, 1, 0], rel=1e-3, abs=0)
    assert "the slope of the sigmoid" in page.locator("#factor").inner_text()


@pytest.mark.parametrize("weight", ["w1[0, 0]", "w1[1, 1]", "w2[0, 1]"])
def test_the_products_add_up_as_shown(open_page: Open, weight: str) -> None:
    """Products and sum have the same number of decimals, and the sum is right."""
    page = open_page("match")
    page.locator("#weight").select_option(weight)

    cells = page.locator("#chain tbody tr td:last-child").all_inner_texts()

    *products, total = (Decimal(cell.replace("−", "-")) for cell in cells)
    places = {-int(number.as_tuple().exponent) for number in products if number}
    assert sum(products) == total
    assert places == {-int(total.as_tuple().exponent)}


def test_a_factor_is_shown_in_the_picture(open_page: Open) -> None:
    """Its sample is chosen, its gradients are visible, and it keeps the focus."""
    page = open_page("match")
    dz = page.locator('.unit [data-value="dz2"]')
    before = page.locator("#sample").input_value(), dz.is_visible()

    factor = page.locator("button.factor").nth(4 * 2)  # of the sample (1, 0)
    factor.click()

    assert before == ("3", False)
    assert page.locator("#sample").input_value() == "2"
    assert page.locator("#sample-name").inner_text() == "(1, 0)"
    assert dz.is_visible()
    assert dz.text_content() == factor.inner_text()
    assert page.locator("#chain tr.chosen th").inner_text() == "(1, 0)"
    assert page.locator("button.factor:focus").inner_text() == factor.inner_text()
    assert page.evaluate("location.hash") == "#phase=backward&sample=2"


@pytest.mark.parametrize(
    "size", [(1200, 900), (1280, 720), (390, 844)], ids=lambda size: f"{size[0]}"
)
def test_the_picture_is_beside_the_chain(
    open_page: Open, size: tuple[int, int]
) -> None:
    """After a click on "next", both are in view, and neither covers the other."""
    width, height = size
    page = open_page("match", viewport={"width": width, "height": height})
    page.locator("#stop-2").get_by_text("next").click()
    page.locator("button.factor").last.click()

    picture, chain = (
        page.locator(part).bounding_box() for part in (".network > svg", "#chain")
    )

    assert picture is not None
    assert chain is not None
    assert min(picture["y"], chain["y"]) >= 0
    assert max(box["y"] + box["height"] for box in (picture, chain)) <= height
    below = picture["y"] + picture["height"] <= chain["y"]
    assert below or picture["x"] + picture["width"] <= chain["x"]
    assert chain["x"] + chain["width"] <= width


def test_the_label_stands_at_the_output(open_page: Open) -> None:
    """It is that of the sample that is shown."""
    page = open_page("match")
    label = page.locator('[data-value="y"]')
    before = label.text_content()

    page.locator("#sample").select_option("(1, 0)")

    assert (before, label.text_content()) == ("0", "1")


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
    assert page.locator("#factor").inner_text() == "Choose a factor to read what it is."


def test_another_step_clears_the_note(open_page: Open) -> None:
    """The number of a factor belongs to its step."""
    page = open_page("match")
    page.locator("button.factor").nth(4 * 3).click()
    before = page.locator("#factor").inner_text()

    page.locator("#slider").press("End")

    assert before.startswith("dz2 = 0.1555: ")
    assert page.locator("#factor").inner_text() == "Choose a factor to read what it is."
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


def test_the_numbers_of_an_edge_choose_it(open_page: Open) -> None:
    """As a click on its line does."""
    page = open_page("match")

    page.locator('.edge-label[data-weight="w1"] .weight').nth(2).click()

    assert page.locator("#weight").input_value() == "w1[1, 0]"


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


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("lr", "fast", "such as 0.9, with a point: one number is expected"),
        ("labels", "0 1 1", "4 numbers are expected"),
        ("labels", "0 1 1 2", "each from 0 to 1"),
        ("weights", "1 2 3 4 5", "6 numbers are expected"),
        ("updates", "0", "Steps, from 1 to 20000"),
        ("updates", "10,000", "Steps, from 1 to 20000: one number is expected"),
        ("lr", "0,9", "such as 0.9, with a point: one number is expected"),
        ("lr", "", "such as 0.9, with a point: one number is expected"),
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


def gives(line: str, trace: Trace, n: int) -> bool:
    """Whether a line that the page shows gives what the page recorded in step n.

    The line is a text such as "new w1 = w1 - lr dw1_before".
    """
    problem = problem_of()
    known = {name: value[n] for name, value in vars(trace).items()}
    before = {f"{name}_before": value[n - 1] for name, value in vars(trace).items()}
    functions = {"sigmoid": sigmoid, "log": np.log, "mean": np.mean, "clip": np.clip}
    constants = {"x": problem.x, "y": problem.y, "lr": problem.lr, "m": 4, "n_y": 1}
    names = {**known, **before, **functions, **constants, "float32": np.float32}
    text = line[2:].replace("new w", "new_w").replace("^2", "**2")
    exec(re.sub(r"(?<=[\w)]) (?=[\w(])", " * ", text), names)  # noqa: S102  # our text
    name, _, _ = text.partition(" = ")
    recorded = getattr(trace, name.removeprefix("new_"))[n + name.startswith("new_")]
    return np.allclose(names[name], recorded, rtol=1e-12, atol=0)


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
    trace = read(tmp_path / "javascript.safetensors").run.trace
    old, new = (page.locator(f"#change {tag}").all_inner_texts() for tag in DIFF)
    assert len(old) == len(new) > 0
    assert all(gives(line, trace, 1) for line in new)
    assert not all(gives(line, trace, n) for line in old for n in (0, 1))
    outcome = page.locator("#outcome").inner_text()
    numbers = re.search(r"(\[\d, \d\])? is (\S+); right is (\S+)\. In step", outcome)
    assert numbers is not None
    assert (numbers[1] is None) == (named == "loss")
    assert numbers[2] != numbers[3]


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (
            "dw1 transposed",
            "run: dw1, new w1. From step 1 on: w1, z1, a1, z2, a2, loss, dz2, ",
        ),
        (
            "sigmoid's derivative at z, not at a",
            "dz1[0, 0] is 0; right is 0.01557. In step 0, these differ",
        ),
        ("float32 in the sigmoid", "a1[0, 1] is 0.50648117; right is 0.50648119. "),
    ],
)
def test_the_numbers_of_a_mistake_are_named(
    open_page: Open, mistake: str, words: str
) -> None:
    """The wrong number and the right one, and what is wrong then and a step later."""
    page = trained(open_page("match"))

    broken(page, mistake)

    assert words in page.locator("#outcome").inner_text()


@pytest.mark.parametrize(
    ("mistake", "ticks", "hidden"),
    [
        (
            "wrong slope of a sample whose inputs are 0",
            ["0", "0.2", "0.4", "0.6"],
            True,
        ),
        ("one sample dropped", ["0", "0.5", "1"], False),
    ],
)
def test_the_losses_fit_their_chart(
    open_page: Open,
    mistake: str,
    ticks: list[str],
    hidden: bool,  # noqa: FBT001
) -> None:
    """Ticks are round, no curve is cut off, and the caption says if one is hidden."""
    page = trained(open_page("match"))

    broken(page, mistake)

    curves = page.locator("#live .curve").evaluate_all(
        "all => all.map(curve => curve.getAttribute('d'))"
    )
    heights = [float(y) for d in curves for y in re.findall(r"[ML][\d.]+ ([\d.]+)", d)]
    assert page.locator("#live .grid text").all_text_contents() == ticks
    assert min(heights) == pytest.approx(14 + 236 * 0.05 / 1.05, abs=0.1)
    assert ("coincide" in page.locator("#live-caption").inner_text()) is hidden


def test_the_steps_of_a_spreading_mistake_are_named(open_page: Open) -> None:
    """The axis is logarithmic, and has ticks."""
    page = trained(open_page("match"))

    broken(page, "dw1 transposed")

    texts = page.locator("#spreading text:not(.end)").all_text_contents()
    assert texts[-3:] == ["0", "10", "100"]


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


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible(open_page: Open, name: str, mode: str) -> None:
    """axe-core finds nothing, and the page does not scroll sideways."""
    page = trained(open_page(name, **MODES[mode]))
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")

    assert violations(page) == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= MODES[mode]["viewport"]["width"]


@pytest.mark.parametrize("mode", MODES)
def test_a_page_in_use_is_accessible(open_page: Open, mode: str) -> None:
    """With a mistake planted and a factor lit."""
    page = trained(open_page("match", "#mistake=momentum+left+on", **MODES[mode]))
    page.locator("button.factor").nth(1).focus()  # w2: its numbers are lit, too

    assert violations(page) == []


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
