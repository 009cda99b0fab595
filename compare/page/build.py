"""The page: one file that opens without a network, and what it may run is hashed."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from importlib import metadata
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from compare.checks.verdict import Verdict
from compare.page.charts.boundaries import boundaries_of
from compare.page.charts.curves import charts_of
from compare.page.charts.heat import heat_maps_of
from compare.page.diagram import diagram_of, equation
from compare.page.shown import SAMPLES, Shown, encode, numbers_of, show
from compare.page.sources import side_by_side
from compare.page.words import (
    WHYS,
    checks_table,
    compact,
    environment_table,
    full,
    sample,
    value,
)
from compare.report.answer import answer_lines
from compare.report.as_json import Report, counts
from compare.report.screen import column_names, versions_of
from compare.selftest.faults import FAULTS
from compare.training.problems import TABLE_SAMPLES, TABLES

ASSETS = files("compare.page") / "assets"
SCRIPTS = (
    "matrix.js",
    "network.js",
    "lines.js",
    "audit.js",
    "mistakes.js",
    "safetensors.js",
    "state.js",
    "numbers.js",
    "step.js",
    "chain.js",
    "pictures.js",
    "form.js",
    "laboratory.js",
    "tour.js",
)
"""In an order in which each comes after what it imports."""
EXPORT = re.compile(r"^export (?:const|(?:async )?function\*?) (\w+)", re.MULTILINE)
TRAINED = 5_000
"""How many numbers a problem has at most that the page holds, and trains."""


def build(report: Report, command: str, implementations: Mapping[str, str]) -> bytes:
    """Build the page of a report.

    Args:
        report: The report.
        command: The command that makes the page again.
        implementations: The name of the implementation of each run, by that of the run,
            so far as it is known; the source of ours is shown.

    Returns:
        The content of an HTML file.
    """
    verdict = report.verdict
    shown = show(verdict)
    script, style = joined_scripts(), (ASSETS / "page.css").read_text("utf-8")
    template = _environment().get_template("page.html.jinja")
    return template.render(
        verdict=verdict,
        answer=verdict.answer,
        lines=[*answer_lines(report)],
        names=column_names(verdict),
        command=command,
        version=metadata.version("gradparity"),
        versions=versions_of(report),
        counts=counts(verdict),
        most_samples=SAMPLES,
        shown=shown,
        diagram=diagram_of(verdict.problem) if shown.steps else None,
        sources=side_by_side(implementations),
        network_source=(ASSETS / "network.js").read_text("utf-8").strip(),
        charts=charts_of(verdict),
        boundaries=boundaries_of(verdict),
        heat_maps=heat_maps_of(verdict),
        whys=WHYS[verdict.problem.loss],
        tabular=verdict.problem.y.shape == (1, TABLE_SAMPLES),
        checks_table=checks_table(verdict),
        environment_table=environment_table(report),
        data=data_of(verdict, shown, report.about),
        script=script,
        style=style,
        policy=policy(script, style),
    ).encode(errors="backslashreplace")  # a name need not be text


def joined_scripts() -> str:
    """Join the modules to one script, which a page can hold without a network.

    Each module becomes a function that returns what it exports. An import leads to a
    module that comes before, so that it can be left out.
    """
    return "\n".join(
        _as_function((ASSETS / name).read_text("utf-8")) for name in SCRIPTS
    )


def _as_function(module: str) -> str:
    exports = ", ".join(EXPORT.findall(module))
    body = re.sub(r"^import [^;]*;\n|^export ", "", module, flags=re.MULTILINE)
    return f"const {{ {exports} }} = (() => {{\n{body}return {{ {exports} }};\n}})();"


def policy(script: str, style: str) -> str:
    """Allow one script and one style, by their hashes, and nothing else."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; "
        f"style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("compare.page", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "equation": equation,
        "compact": compact,
        "full": full,
        "sample": sample,
    }
    environment.globals["value"] = value
    return environment


def data_of(verdict: Verdict, shown: Shown, about: str) -> dict[str, Any]:
    """Lay out what the scripts read; JSON has no NaN, so runs are encoded."""
    problem = verdict.problem
    arrays = {"x": problem.x, "y": problem.y, **problem.weights._asdict()}
    whole = {
        **{name: array.tolist() for name, array in arrays.items()},
        "lr": problem.lr,
        "steps": problem.steps,
        "loss": problem.loss,
        "dtype": str(problem.x.dtype),
    }
    units, inputs = problem.weights.w1.shape
    return {
        "about": about,
        "problem": whole if numbers_of(problem) <= TRAINED else None,
        "tables": TABLES,
        "quantities": [asdict(each) for each in shown.quantities],
        "steps": shown.steps,
        "row": shown.row,
        "phase": shown.phase,
        "sample": shown.sample,
        "reasons": [shown.reasons.get(step, "") for step in shown.steps],
        "runs": [
            {"name": n, "numbers": encode(a), "missing": shown.missing[n]}
            for n, a in shown.runs.items()
        ],
        "exact": shown.exact,
        "faults": len(FAULTS),
        "mistakes": [
            {"name": fault.name, "sentence": fault.sentence}
            for fault in FAULTS
            if fault.loss in (None, problem.loss)
            and (units == inputs or not fault.square)
        ],
    }
