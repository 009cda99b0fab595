"""Many seeds at once: do the checks ever blame a correct run?

A chunk of seeds is trained as one batch of networks; then each seed gets the verdict it
would get alone, from the same code.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from compare.checks import Check
from compare.parity import Run
from compare.problems import Experiment
from compare.verdict import Verdict, decide, replay
from impls.interface import Gradients, Implementation, Trace, Weights
from impls.registry import load
