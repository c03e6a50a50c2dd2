import re

from mnist_core.plots.standings import Standing, standings


def lines(table: str) -> list[str]:
    """The text of each row of the table."""
    rows = re.findall(r"<tr.*?</tr>", table)
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in rows]


def test_a_line_parts_the_runs_of_which_nobody_knows_the_best_from_the_others():
    rows = [
        Standing("a", "done", 1.0, 0.980, 6000, 0.978, 10_000),
        Standing("b", "epoch 1.0 of 4", 0.25, 0.978, 6000, own=True),
        Standing("c", "done", 1.0, 0.950, 6000, 0.96),
        Standing("d", "waiting", 0.0),
    ]
    header, first, second, luck, third, last = lines(standings(rows))
    assert header == "Run Validation Test (95% interval)"
    assert first == "1 a done 98.00% 97.80% 97.5–98.1%"
    assert second == "2 b (yours) epoch 1.0 of 4 97.80% –"
    assert luck.startswith("▲ All above are within the 95% confidence interval of the best: their")
    assert third == "3 c done 95.00% 96.00%"
    assert last == "4 d waiting – –"
    assert 'value="25"' in standings(rows)


def test_a_run_that_stands_out_has_no_line_below_it():
    rows = [Standing("a", "done", 1.0, 0.98, 6000), Standing("b", "done", 1.0, 0.9, 6000)]
    assert "luck" not in "".join(lines(standings(rows)))
    unknown = [Standing("a", "done", 1.0, 0.98), Standing("b", "done", 1.0, 0.98)]
    assert "luck" not in "".join(lines(standings(unknown)))


def test_a_title_is_text():
    table = standings([Standing("<b>&", "<i>", 0.5)])
    assert "<b>" not in table
    assert "&lt;b&gt;&amp;" in table
    assert "&lt;i&gt;" in table
