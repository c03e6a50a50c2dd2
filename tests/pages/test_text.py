"""Text is text: what a visitor may store is no markup anywhere, and what they type is not shown."""

import re

import numpy as np
import pytest

from mnist_core.errors import NotAllowed
from mnist_core.plots import curves, html, report
from mnist_core.progress import Progress, to_csv
from mnist_core.store.run import owner_of
from tests.helpers import answered, finished_run, reports
from tests.pages.helpers import all_text, assert_shown, faults, headings, open_more, sentences

ME = "token-of-this-visitor-0123456789abcdef"
MARKUP = [
    "<b>x</b>",
    "&lt;",
    "**x**",
    "_x_",
    "`x`",
    "[x](y)",
    "![x](y)",
    "# x",
    "> x",
    "$x$",
    ":red[x]",
    ":material/home:",
    "www.example.org",
    "a@example.org",
    "=1",
    "@x",
    "x|y",
    "x\\y",
    '"x"',
    "x;y",
    "x\x00",
    "x\u202ey",
    "{x}",
    "%s",
    "../x",
    "~x~",
]
# As wild as a name may be.
WILDEST = "(x) + 'y', - 1)"


def test_a_name_that_would_mean_something_somewhere_is_refused(store):
    run = finished_run(store, ME)
    for name in MARKUP:
        with pytest.raises(NotAllowed, match="A name has at most"):
            store.rename(run.id, owner_of(ME), name)
        assert store.get(run.id).name == "", name


@pytest.mark.parametrize("page", ["explore", "train", "compare", "evaluate", "draw"])
def test_the_wildest_name_stands_on_every_page_as_it_is(open_page, store, page):
    run = finished_run(store, ME)
    store.rename(run.id, owner_of(ME), WILDEST)
    tab = open_page(page, ME, run=run.id, beside=run.id, show="A map")
    assert faults(tab) == []
    shown = re.sub(r"\\|'|&#x27;", "", all_text(tab) + str(headings(tab)))
    assert WILDEST.replace("'", "") in shown


def test_what_is_typed_for_layers_is_not_repeated(open_page):
    tab = open_more(open_page("train", ME))
    for typed in ("<b>x</b>", "[x](https://example.org)", "9" * 5000):
        tab.text_input(key="setting-dense-1").input(typed).run()
        assert not any(typed[:20] in sentence for sentence in sentences(tab))
        assert_shown(tab, "train")
        tab.text_input(key="setting-dense-1").input("128-64").run()


def test_tables_and_pictures_escape_what_they_are_given():
    table = html.table(["<i>"], [["<b>x</b>\"'&"]])
    assert "<b>" not in table
    assert "<i>" not in table
    picture = html.seen_picture(np.zeros((28, 28), np.uint8), '"><script>')
    assert "<script>" not in picture


def test_a_legend_escapes_what_plotly_would_take_for_markup():
    figure = curves.overlaid_curves(
        [("<a href='https://example.org'>x</a>", reports(10))], "accuracy", "epoch"
    )
    names = [trace.name for trace in figure.data if trace.name]
    assert names
    assert not any("<a" in name for name in names)


def test_a_report_escapes_its_title_and_its_data():
    predictions = answered(range(10), range(10))
    page = report.html_report("<script>x", "<img src=x>", "<b>", predictions, None)
    assert not re.search(r"<script>x|<img src=x>|<b>", page)


def test_no_cell_of_a_table_to_take_home_is_a_formula():
    texts = [
        report.predictions_csv(answered(range(10), range(10))),
        report.matrix_csv(np.eye(10, dtype=np.int64)),
        to_csv([Progress(1, 0.1, 2.0, 0.1, 0.001, 0.1), *reports(10)]),
    ]
    for text in texts:
        for cell in re.split("[,\n]", text):
            assert re.fullmatch(r"[A-Za-z0-9_. ]*([0-9]e-[0-9]+)?", cell), cell


def test_a_file_is_named_by_letters_digits_and_its_run(open_page, store):
    run = finished_run(store, ME)
    store.rename(run.id, owner_of(ME), WILDEST)
    tab = open_page("compare", ME, run=run.id)
    keys = [b.proto.id.split("download-")[1] for b in tab.get("download_button")]
    assert len(keys) == 4
    for key in keys:
        assert re.fullmatch(r"[\w-]+\.(keras|tflite|csv|py)", key), key
