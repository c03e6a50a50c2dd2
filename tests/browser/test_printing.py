"""The report on paper."""

import re

import numpy as np

from mnist_core.analysis.predictions import Predictions
from mnist_core.plots.report import html_report
from mnist_core.store.names import NAME_LENGTH
from tests.extras import needs

pytestmark = needs("browser")


def test_a_report_prints_on_one_page(chromium):
    # The widest name, mistakes everywhere, and images of every confidence.
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 2000)
    probabilities = random.dirichlet(np.full(10, 0.3), 2000)
    images = random.integers(0, 256, (2000, 28, 28)).astype(np.uint8)
    dataset = "MNIST: 60,000 training and 10,000 test images"
    report = html_report(
        "W" * NAME_LENGTH,
        dataset,
        "24 November 2026",
        Predictions(labels, probabilities),
        images,
    )
    page = chromium.new_page()
    page.set_content(report)
    printed = page.pdf(prefer_css_page_size=True)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
