"""What a person finds on a page: sentences, numbers, pictures; and a canvas to draw on."""

import html
import io
import json
import re
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from streamlit.components.v2.bidi_component.main import _make_trigger_id as trigger_id
from streamlit.testing.v1 import AppTest

from mnist_core.analysis.predictions import Predictions
from mnist_core.config import TrainConfig
from mnist_core.data import Dataset
from mnist_core.store.run import FINISHED, KERAS, LITERT, PREDICTIONS, Run, owner_of
from pages.components.strokes import from_canvas, to_canvas
from tests.helpers import CLASSIC, Store, running_run

PAGES = ("overview", "explore", "train", "sweep", "compare", "evaluate", "draw", "classroom")
TITLES = {
    "overview": "Watch a network learn to read handwriting",
    "explore": "Explore the digits",
    "train": "Train a network",
    "sweep": "Try several settings",
    "compare": "Compare runs",
    "evaluate": "Where does the network go wrong?",
    "draw": "Draw a digit",
    "classroom": "The class, live",
}
GENERAL = "Something went wrong on this page."
SEVEN = [(0.2, 0.2), (0.75, 0.2), (0.45, 0.85)]
ONE = [(0.5, 0.1), (0.5, 0.9)]


class Canvas:
    """A double of ``st_canvas``: it reports what the test says was drawn on it.

    A canvas with another key is another one, on which nothing was drawn.
    """

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        # What a browser sends instead of a picture, where it is not ours.
        self.sent = b""
        self._drawn: dict[str, Any] = {}

    def __call__(self, **options: Any) -> SimpleNamespace:
        self.options = options
        drawn = self._drawn.get(options["key"])
        png = drawn and self.sent
        return SimpleNamespace(json_data=drawn, image_bytes=png)

    def report(self, objects: Any) -> None:
        """From now on the canvas that was shown last holds these shapes."""
        self._drawn[self.options["key"]] = {"version": "7.4.0", "objects": objects}

    def draw(self, *strokes: list[tuple[float, float]], size: float = 0.8) -> None:
        """Strokes through these points of a square with this side."""
        self.report([shape_of(stroke_through(points, size)) for points in strokes])

    def start(self) -> list[list[float]]:
        """The strokes that were on it when it was made."""
        return from_canvas(self.options["initial_drawing"] or {"objects": []})

    def close(self) -> None:
        """Somebody left the page: the component starts again when they come back."""
        self._drawn.clear()


def stroke_through(points: list[tuple[float, float]], size: float = 0.8) -> list[float]:
    """One stroke: the pen's width, then x and y of its points."""
    return [18, *(round((0.1 + place * size) * 320, 1) for point in points for place in point)]


def shape_of(stroke: list[float]) -> dict[str, Any]:
    """A stroke as the canvas describes it."""
    return to_canvas([tuple(stroke)])["objects"][0]


def png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def pen_stroke(points: list[tuple[float, float]], size: float = 0.8) -> np.ndarray:
    """uint8 (320, 320, 4): a dark line on white."""
    picture = Image.new("RGBA", (320, 320), "white")
    places = [((0.1 + x * size) * 320, (0.1 + y * size) * 320) for x, y in points]
    ImageDraw.Draw(picture).line(places, "#101820", 22, joint="curve")
    return np.asarray(picture)


def visit(tab: AppTest, name: str) -> AppTest:
    """Choose another page in the menu, which leaves the old address behind."""
    tab.query_params = {}
    return tab.switch_page(f"pages/{name}.py").run()


def open_more(tab: AppTest) -> AppTest:
    """On Train, open the settings that few people need."""
    tab.session_state["more_settings"] = True
    return tab.run()


def sentences(tab: AppTest, *kinds: str) -> list[str]:
    """The text of all boxes, or of those of these kinds."""
    return [
        box.value for kind in kinds or ("error", "warning", "info") for box in getattr(tab, kind)
    ]


def faults(tab: AppTest) -> list[str]:
    """Stack traces, and the sentence for what nobody foresaw."""
    traces = [trace.message for trace in tab.exception]
    return traces + [text for text in sentences(tab, "error") if text.startswith(GENERAL)]


def assert_shown(tab: AppTest, name: str) -> None:
    """The page is there to its last element, and nothing unforeseen happened on it."""
    assert faults(tab) == []
    assert [title.value for title in tab.title] == [TITLES[name]]
    assert tab.button(key="next_step"), "the page goes on to its end"


def assert_one_sentence(texts: list[str], part: str) -> None:
    """These boxes are one, and it holds a whole sentence a person can read."""
    assert len(texts) == 1, texts
    assert part in texts[0]
    assert texts[0].endswith(".")
    assert "Traceback" not in texts[0]
    assert "sqlite3" not in texts[0]


def metrics(tab: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in tab.metric}


def buttons(tab: AppTest) -> list[str]:
    return [button.label for button in tab.button]


def button(tab: AppTest, label: str) -> Any:
    """The one button with these words."""
    (found,) = [button for button in tab.button if button.label == label]
    return found


def headings(tab: AppTest) -> list[str]:
    return [heading.value for heading in tab.subheader]


def alternative_texts(tab: AppTest) -> list[str]:
    """What every picture on the page shows, for who cannot see it: first those that are
    only to be looked at, then those in galleries."""
    found = [re.findall(r'<img [^>]*alt="([^"]*)"', part.value) for part in tab.html]
    texts = [html.unescape(text) for texts in found for text in texts]
    return texts + [
        text for shown in components(tab, "gallery").values() for text in shown["texts"]
    ]


def captions(tab: AppTest) -> list[str]:
    """The small texts on the page."""
    return [caption.value for caption in tab.caption]


def table_rows(tab: AppTest) -> list[list[str]]:
    """The cells of the table on the page, its header first."""
    (table,) = [part.value for part in tab.html if "<table" in part.value]
    return [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>.*?</tr>", table)
    ]


def components(tab: AppTest, name: str) -> dict[str, dict]:
    """What the components of this name on the page were given, by their keys."""
    return {
        part.proto.id.split("-", 2)[2]: json.loads(part.proto.mixed.json or part.proto.json)
        for part in tab.get("bidi_component")
        if part.proto.component_name == name
    }


def live_charts(tab: AppTest) -> dict[str, dict]:
    """The figures of the live charts by what is said about them to who cannot see."""
    charts = components(tab, "live_chart").values()
    return {chart["alt"]: json.loads(chart["figure"]) for chart in charts}


def send(tab: AppTest, key: str, **events: Any) -> AppTest:
    """What a browser sends when something happens on the component with this key, such as
    ``chosen=3``. The whole page is rerun, as where a click comes upon another change."""
    (part,) = [p for p in tab.get("bidi_component") if p.proto.id.endswith(f"-{key}")]
    payload = [{"event": event, "value": value} for event, value in events.items()]
    return _rerun(tab, trigger_id(part.proto.id, "events"), json_trigger_value=json.dumps(payload))


def click_cell(tab: AppTest, key: str, true: int, predicted: int) -> AppTest:
    """What a browser sends when somebody clicks a cell of the heatmap with this key."""
    return send(tab, key, chosen=10 * true + predicted)


def dismiss(tab: AppTest) -> AppTest:
    """Close the dialog, by its cross or by Escape."""
    (dialog,) = tab.get("dialog")
    return _rerun(tab, dialog.proto.dialog.id, trigger_value=True)


def _rerun(tab: AppTest, widget_id: str, **value: Any) -> AppTest:
    states = tab._tree.get_widget_states()
    states.widgets.add(id=widget_id, **value)
    return tab._run(states)


def dialog_title(tab: AppTest) -> str | None:
    """What the open dialog is about; None if none is open."""
    dialogs = tab.get("dialog")
    assert len(dialogs) <= 1
    return dialogs[0].subheader[0].value if dialogs else None


def all_text(tab: AppTest) -> str:
    """Everything the server sent to the browser, as one text."""
    return repr(tab) + "".join(part.value for part in tab.html)


def run_on(
    store: Store,
    dataset: Dataset,
    mistakes: dict,
    token: str = "token",
    config: TrainConfig | None = None,
) -> Run:
    """A finished run that was tested on this data, with these mistakes and no others.

    Args:
        mistakes: how many images of the first digit were read as the second, by both.
    """
    read = dataset.y_test.copy()
    for (true, predicted), count in mistakes.items():
        read[np.flatnonzero((dataset.y_test == true) & (read == true))[:count]] = predicted
    probabilities = np.full((len(read), 10), 0.01, np.float32)
    probabilities[np.arange(len(read)), read] = 0.91
    run = running_run(store, token, config)
    return store.complete(
        run.id,
        "worker",
        FINISHED,
        results={
            "training_images": len(dataset.x_train),
            "test_images": len(dataset.x_test),
            "dataset": dataset.description,
            "test_fingerprint": dataset.test_fingerprint,
            "test_accuracy": float((read == dataset.y_test).mean()),
            "train_seconds": 1.0,
            "epochs": 8,
            "parameters": 109386,
        },
        artifacts={
            KERAS: b"",
            LITERT: (CLASSIC / "model.tflite").read_bytes(),
            PREDICTIONS: Predictions(dataset.y_test, probabilities).to_bytes(),
        },
    )


def mine(token: str) -> str:
    """What is stored as the owner of this visitor's runs."""
    return owner_of(token)


def hold(path: Path) -> sqlite3.Connection:
    """Another program has the database to itself until the connection is closed."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    return other
