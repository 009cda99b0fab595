"""What the process of an implementation does before anything is loaded."""

import subprocess
import sys

import pytest

LIMITED = """
import resource
from compare.hosts.serve import limit_memory
resource.setrlimit(resource.RLIMIT_DATA, ({most}, {most}))
limit_memory()
print(*resource.getrlimit(resource.RLIMIT_DATA))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_the_limit_is_no_larger_than_that_of_the_user() -> None:
    """A shell may have set a hard limit, as `ulimit -d` does."""
    most = 2**28  # less than is free
    command = [sys.executable, "-c", LIMITED.format(most=most)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603

    assert done.stdout.split() == [str(most), str(most)]
