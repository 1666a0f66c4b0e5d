"""Our own models, datasets, exporters and devices keep the rules that strangers' plugins have to keep."""

import pytest

from kelly_core.catalog import read_catalog
from kelly_core.testing import check_plugin

OURS = sorted(
    entry.qualified
    for entry in read_catalog()
    if entry.distribution.startswith("kelly-") and entry.kind != "observer"
)


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
def test_ours_keeps_the_rules(name):
    report = check_plugin(name, train=False)
    assert report.passed, str(report)
