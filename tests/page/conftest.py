"""Pages of each answer, opened in the system's Chromium."""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from compare.checks.verdict import Verdict
from compare.hosts.load import OURS, load
from compare.page.build import build
from compare.report.as_json import Report
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.training.compare import compare
from impls import numpy_manual
from impls.interface import Implementation, Weights
from tests.helpers import problem_of

INSTALL = "no Chromium is installed: apt-get install chromium"
MARKUP = """<script>alert("&amp;")</script>'"><img src=x onerror=alert(1)>"""
"""A name that a page must show, and not run."""
DESKTOP = {"width": 1280, "height": 900}
MODES: dict[str, dict[str, Any]] = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "zoom": {"viewport": {"width": 320, "height": 225}},  # 1280 by 900 at 400 %
}


def _match() -> Verdict:
    return compare(problem_of(), {name: load(name) for name in OURS})


def _squared_error() -> Verdict:
    return compare(problem_of(loss="mse"), {n: load(n) for n in ("numpy", "torch")})


def _sizes() -> Verdict:
    problem = problem_of(steps=50, network="3-4-2", samples=7)
    return compare(problem, {name: load(name) for name in ("numpy", "torch")})


def _large() -> Verdict:
    problem = problem_of(steps=20, network="7-9-3")  # too large for a picture
    return compare(problem, {name: load(name) for name in ("numpy", "torch")})


def _diverging() -> Verdict:
    problem = problem_of("float32", steps=40, lr=1e30)
    return compare(problem, {name: load(name) for name in ("numpy", "torch")})


def _differ() -> Verdict:
    planted = plant(fault_named("dw1 transposed"), load("numpy"))
    return compare(problem_of(), {"numpy": load("numpy"), "planted": planted})


def _unstable() -> Verdict:
    problem = problem_of(steps=900, lr=2.0)
    return compare(problem, {name: load(name) for name in ("numpy", "torch")})


def _cannot_tell() -> Verdict:
    problem = problem_of(steps=20)
    object.__setattr__(problem, "weights", Weights(np.zeros((2, 2)), np.zeros((1, 2))))
    return compare(problem, {name: load(name) for name in ("numpy", "jax")})


def _could_not_compare() -> Verdict:
    without_forward = cast(
        "Implementation",
        SimpleNamespace(
            loss_and_gradients=numpy_manual.loss_and_gradients, train=numpy_manual.train
        ),
    )
    both = {"numpy": load("numpy"), "partial": without_forward}
    return compare(problem_of(steps=20), both)


def _nothing_there() -> Verdict:
    nothing = cast("Implementation", SimpleNamespace())
    return compare(problem_of(steps=20), {"one": nothing, "two": nothing})


def _markup() -> Verdict:
    planted = plant(fault_named("stale gradient"), load("numpy"))
    return compare(problem_of(steps=50), {"numpy": load("numpy"), MARKUP: planted})


VERDICTS: dict[str, Callable[[], Verdict]] = {
    "match": _match,
    "differ": _differ,
    "unstable": _unstable,
    "cannot tell": _cannot_tell,
    "could not compare": _could_not_compare,
    "nothing there": _nothing_there,
    "markup": _markup,
    "squared error": _squared_error,
    "sizes": _sizes,
    "large": _large,
    "diverging": _diverging,
}


@cache
def verdict_for(page: str) -> Verdict:
    """Compare once what a page is about."""
    return VERDICTS[page]()


@pytest.fixture(scope="session")
def file_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Build each page once."""
    folder = tmp_path_factory.mktemp("pages")

    def written(name: str) -> Path:
        path = folder / f"{name.replace(' ', '-')}.html"
        if not path.exists():
            verdict = verdict_for(name)
            environments = {run.name: {"framework": run.name} for run in verdict.runs}
            report = Report("xor, seed 2", verdict, environments)
            ours = {run.name: run.name for run in verdict.runs}
            path.write_bytes(build(report, f"gradparity --page {MARKUP}", ours))
        return path

    return written


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Launch the system's Chromium; where there is none, skip, but fail in CI."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(INSTALL)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path,
            chromium_sandbox=False,  # a container has none
        )
        yield chromium
        chromium.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, file_of: Callable[[str], Path]) -> Iterator[Open]:
    """Open a page; at the end, it has said nothing and asked for nothing."""
    noise: list[str] = []
    contexts = []

    def opened(name: str, state: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"reduced_motion": "reduce", **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        address = file_of(name).as_uri()
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("dialog", lambda dialog: noise.append(dialog.message))
        page.on("request", lambda request: noise.append(request.url))
        page.goto(address + state)
        noise.remove(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert noise == []


def trained(page: Page) -> Page:
    """Wait until the page has trained and audited."""
    page.wait_for_selector('#outcome[data-done="yes"]')
    return page
