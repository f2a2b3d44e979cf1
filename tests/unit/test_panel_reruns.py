"""Running the studio's cell again and again leaves the kernel as it was."""

from __future__ import annotations

import pytest
import reruns

TIMES = 12
SETTLED = 4  # runs until caches and threads of torch are there
MOST = 0.5  # MB a run may add on average; a studio that is left behind adds several


@pytest.mark.slow
def test_running_the_cell_again_leaves_no_widgets_threads_or_memory(tmp_path):
    with reruns.kernel(tmp_path) as kernel:
        left = list(reruns.again(kernel, TIMES))
    settled = left[SETTLED:]
    assert len({each.widgets for each in left}) == 1
    assert max(each.threads for each in settled) <= settled[0].threads + 1  # one may be ending
    assert (settled[-1].memory - settled[0].memory) / len(settled) <= MOST
