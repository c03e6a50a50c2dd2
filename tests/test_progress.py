import csv
import dataclasses
import io
import itertools

import pytest

from mnist_core.progress import Progress, thin, to_csv
from tests.helpers import reports


def test_a_short_run_is_kept_whole():
    curve = reports(30)
    assert thin(curve, 300) == curve


def test_no_reports_stay_no_reports():
    assert thin([], 300) == []


@pytest.mark.parametrize("steps", [301, 1000, 9999])
def test_a_long_run_is_thinned_to_about_the_number_asked_for(steps):
    curve = reports(steps, steps_per_epoch=500)
    ends = sum(report.validation_loss is not None for report in curve)
    kept = thin(curve, 300)
    assert 150 <= len(kept) <= 300 + ends + 1
    assert [report.step for report in kept] == sorted(report.step for report in kept)


def test_every_epochs_end_and_both_ends_of_the_curve_are_kept():
    curve = reports(1003, steps_per_epoch=70)
    kept = thin(curve, 10)
    assert [report for report in curve if report.validation_loss is not None] == [
        report for report in kept if report.validation_loss is not None
    ]
    assert kept[0] == curve[0]
    assert kept[-1] == curve[-1]


def test_what_is_kept_is_evenly_spread():
    steps = [report.step for report in thin(reports(1000, steps_per_epoch=2000), 100)]
    gaps = {later - earlier for earlier, later in itertools.pairwise(steps[:-1])}
    assert gaps == {10}


def test_as_text_every_report_is_a_line_of_its_numbers():
    curve = reports(7)
    text = to_csv(curve)
    assert text.count("\n") == 8
    assert "\r" not in text
    header, *lines = csv.reader(io.StringIO(text))
    assert header == [field.name for field in dataclasses.fields(Progress)]
    values = [[float(cell) if cell else None for cell in line] for line in lines]
    assert [Progress(int(step), *rest) for step, *rest in values] == curve


def test_as_text_no_reports_are_a_line_of_names():
    assert to_csv([]).splitlines() == [
        "step,epoch,loss,accuracy,learning_rate,seconds,validation_loss,validation_accuracy"
    ]
