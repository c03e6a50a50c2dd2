"""live_run: a run as it trains, in this order: its progress, its curves, its numbers.

Everything has its place from the start: until its first point arrives, the curves are those of a
built-in network, as an example.
"""

from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from mnist_core import shipped
from mnist_core.analysis import losses
from mnist_core.jobs import forecast
from mnist_core.plots import curves
from mnist_core.plots.style import NONE
from mnist_core.progress import Progress, epoch_ends, steps_per_second, thin
from mnist_core.store.run import Run
from pages.components.live_chart import cached_figure_json, live_chart
from pages.components.words import duration
from pages.shared import cache, presenter

MOST_POINTS = 300
# The built-in network whose curves are the example for a preset that has none.
USUAL = "classic"
Draw = Callable[[list[Progress], int], go.Figure]


def example_for(preset: str) -> Run | None:
    """The built-in network that shows what to expect; None if none came with the project."""
    networks = shipped.shipped_runs()
    return networks.get(preset) or networks.get(USUAL)


def expectation(example: Run) -> str:
    """What this built-in network reached."""
    text = (
        f"What to expect: the built-in {example.id} network reached {example.test_accuracy:.2%} on "
        f"the test images after {example.train_seconds:.0f} s of training."
    )
    if cache.has_learned_the_sample(example):
        text += " It was trained on all of MNIST; with the 4,000 images here expect less."
    return text


def show_progress(run: Run, reports: list[Progress]) -> None:
    epochs = run.config.all_epochs
    done = reports[-1].epoch / epochs if reports else 0.0
    if run.stop_requested:
        text = "Stopping, then testing …"
    elif done >= 1:
        text = "Testing once on the test images and storing the network …"
    elif reports:
        text = f"Epoch {reports[-1].epoch:.1f} of {epochs}"
        seconds = forecast.seconds_left(run.config, reports)
        # The first steps compile the network, so their time predicts nothing.
        if seconds is not None and done > 0.03:
            text += f", about {duration(seconds)} left"
    else:
        text = "Compiling the network …"
    st.progress(min(done, 1.0), text=text)


def show_curves(run: Run, reports: list[Progress], *, label: str = "", reveal: str = "") -> None:
    """Accuracy and loss.

    Args:
        label: says whose curves these are if they are only an example, and are faded.
        reveal: as for ``live_chart``.
    """
    accuracy, loss = st.columns(2)
    with accuracy:
        now = f"{reports[-1].accuracy:.1%} on training batches"
        meaning = "share classified correctly"
        _show("Accuracy", meaning, curves.accuracy_curves, now, run, reports, label, reveal)
    with loss:
        now = f"{reports[-1].loss:.3f} on training batches"
        meaning = "how wrong (lower is better)"
        _show("Loss", meaning, curves.loss_curves, now, run, reports, label)


def show_learning_rate(run: Run, reports: list[Progress], *, label: str = "") -> None:
    meaning, now = "how large each update is", f"{reports[-1].learning_rate:.2g}"
    _show("Learning rate", meaning, curves.learning_rate_curve, now, run, reports, label)


def _show(
    title: str,
    meaning: str,
    draw: Draw,
    now: str,
    run: Run,
    reports: list[Progress],
    label: str,
    reveal: str = "",
) -> None:
    epochs = run.config.all_epochs
    state = (*cache.state_of(run), run.turn, run.worker, len(reports), epochs, label)

    def figure() -> go.Figure:
        drawn = draw(thin(reports, MOST_POINTS), epochs)
        # Zoom and hidden lines are kept while points arrive, not from one run to the next.
        drawn.update_layout(uirevision=run.id + label)
        return curves.as_example(drawn, label) if label else drawn

    st.markdown(f"**{title}**: {meaning}")
    alt = f"{title} over epochs; " + (f"{label.lower()}" if label else f"now {now}")
    live_chart(
        cached_figure_json((title, *state), figure),
        alt,
        # The same chart for every run, so that it is changed and not built again.
        key=f"{title.lower().replace(' ', '-')}-curve",
        fitted=draw is not curves.learning_rate_curve,
        reveal=reveal,
    )


def show_numbers(run: Run, reports: list[Progress]) -> None:
    last = reports[-1] if reports else None
    ends = epoch_ends(reports)
    pace = steps_per_second(reports)
    numbers = {
        "Validation": f"{ends[-1].validation_accuracy:.2%}" if ends else NONE,
        "Batch accuracy": f"{last.accuracy:.1%}" if last else NONE,
        "Batch loss": f"{last.loss:.3f}" if last else NONE,
        "Time": f"{last.seconds:.1f} s" if last else NONE,
        "Images a second": f"{pace * run.config.batch_size / 1000:,.1f}k" if pace else NONE,
    }
    if run.test_accuracy is not None and not run.active:
        del numbers["Batch accuracy"]
        numbers = {"Test accuracy": f"{run.test_accuracy:.2%}"} | numbers
    with st.container(key="run_numbers", horizontal=True, gap="small"):
        for label, value in numbers.items():
            st.metric(label, value, border=True, width=150)
    if why := losses.explanation(run.config, reports):
        with presenter.hidden_when_presenting("why"):
            st.markdown(f":material/info: {why}")
