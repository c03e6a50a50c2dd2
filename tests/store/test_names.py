import dataclasses
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mnist_core.config import PRESETS
from mnist_core.errors import NotAllowed
from mnist_core.store.names import clean_name, title, titles
from mnist_core.store.run import FINISHED, Run

NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
RUN = Run("ab12", FINISHED, PRESETS["classic"], datetime(2026, 3, 5, 9, 5, tzinfo=UTC).timestamp())


def test_a_run_is_called_by_its_name_its_preset_and_its_time():
    assert title(RUN, UTC, NOON) == "classic · 09:05"
    assert title(dataclasses.replace(RUN, name="Ada"), UTC, NOON) == "Ada · classic · 09:05"
    # One that came with the app goes by its own name, whatever its preset.
    assert title(dataclasses.replace(RUN, id="sample", shipped=True)) == "sample · built-in"


def test_the_time_is_that_of_whoever_reads_it_with_the_day_unless_it_is_today():
    kiribati = timezone(timedelta(hours=14))
    assert title(RUN, kiribati, NOON) == "classic · 5 Mar 23:05"
    assert title(RUN, kiribati, NOON - timedelta(hours=3)) == "classic · 23:05"
    assert title(RUN, UTC, NOON + timedelta(days=1)) == "classic · 5 Mar 09:05"
    assert title(RUN, UTC, NOON + timedelta(days=365)) == "classic · 5 Mar 2026 09:05"


def test_titles_in_a_list_are_all_different():
    tried = dataclasses.replace(RUN.config, learning_rate=0.01)
    runs = [
        RUN,
        dataclasses.replace(RUN, id="tried", config=tried),
        dataclasses.replace(RUN, id="later", created_at=RUN.created_at + 7),
        dataclasses.replace(RUN, id="same"),
        dataclasses.replace(RUN, id="named", name="Ada"),
    ]
    plain = title(RUN, UTC)
    rate = RUN.config.learning_rate
    assert titles(runs, UTC) == {
        "ab12": f"{plain}:00 · learning rate {rate} · ab12",
        "tried": f"{plain} · learning rate 0.01",
        "later": f"{plain}:07 · learning rate {rate}",
        "same": f"{plain}:00 · learning rate {rate} · same",
        "named": f"Ada · {plain}",
    }


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("  Éva's 2nd   try (0,5) ", "Éva's 2nd try (0,5)"),
        ("", ""),
        ("E\u0301va", "Éva"),
        ("أحمد", "أحمد"),
        ("आदित्य", "आदित्य"),
        ("สมชาย", "สมชาย"),
        ("x" * 40, "x" * 40),
    ],
)
def test_a_name_is_kept_in_any_script(typed, stored):
    assert clean_name(typed) == stored


@pytest.mark.parametrize(
    "name",
    [
        "<b>",
        "a*b*",
        "[x](y)",
        "a\x00b",
        "a\u202eb",
        "x" * 41,
        "$x$",
        "`x`",
        ":red[x]",
        "a_b",
        "www.evil.com",
        "😀",
        "#1",
        # At the beginning of a line these would make a list.
        "1) x",
        "- x",
        "+ x",
        # A tower of accents covers the lines above it.
        "Z" + "\u0301" * 4,
    ],
)
def test_a_name_that_could_be_laid_out_is_refused(name):
    with pytest.raises(NotAllowed, match="A name has at most 40 letters"):
        clean_name(name)
