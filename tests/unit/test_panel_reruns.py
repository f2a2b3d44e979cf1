"""Running the studio's cell again and again leaves the kernel as it was."""

from __future__ import annotations

import gc
import statistics
import weakref

import pytest
import reruns
import small

import workbench.panels as panels
from workbench.versions import VersionTree

TIMES = 26
SETTLED = 10  # runs until caches and threads of torch are there
MOST = 0.8  # MB a run may add on average; a studio that is left behind adds several


@pytest.mark.parametrize("name", panels.__all__)
def test_closed_panel_leaves_the_memory(name):
    """Nothing that outlives a panel holds it: no class, no tree of versions, no thread, no signal."""
    work = small.workload()
    options = {} if name in ("Sensitivity",) else {"tree": VersionTree(None, work)}
    panel = getattr(panels, name)(work, names={}, **options)
    session = panel.session
    session.wait()
    panel.close()
    kept = weakref.ref(session)
    for each in (session.estimates.worker, session.estimates._judge, session.estimates._clock):
        each.join(10)
    del panel, session, each
    gc.collect()
    assert kept() is None, [type(each) for each in gc.get_referrers(kept())]


@pytest.mark.slow
def test_closed_panel_that_the_notebook_still_holds_is_light():
    """`Out` holds every panel that a cell ended with; 200 runs of the cell must not fill the memory."""
    work = small.workload()
    held, before = [], 0
    for number in range(8):
        panel = panels.Workbench(work, "PruneWeights(0.5)", tree=VersionTree(None, work), names={})
        panel.wait()
        panel.close()
        held.append(panel)
        del panel
        gc.collect()
        if number == 3:
            before = len(gc.get_objects())
    assert (len(gc.get_objects()) - before) / 4 < 60  # 4,000 objects of a living one


@pytest.mark.slow
def test_running_the_cell_again_leaves_no_widgets_threads_or_memory(tmp_path):
    with reruns.kernel(tmp_path) as kernel:
        left = list(reruns.again(kernel, TIMES))
    settled = left[SETTLED:]
    assert len({each.widgets for each in left}) == 1
    assert max(each.threads for each in settled) <= settled[0].threads + 1  # one may be ending
    first, last = (statistics.median(each.memory for each in some) for some in (settled[:5], settled[-5:]))
    assert (last - first) / (len(settled) - 5) <= MOST, [each.memory for each in left]
