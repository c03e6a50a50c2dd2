"""Draw: a canvas, what the network reads in it as soon as the pen lifts, and why."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from mnist_core import drawing
from mnist_core.analysis import explanation
from mnist_core.analysis.calibration import NO_DIGIT, SURE, best_two
from mnist_core.drawing import benchmark, photo
from mnist_core.errors import EmptyDrawing, UserError
from mnist_core.plots import html
from mnist_core.store.run import Run
from pages.components import canvas, notices, run_picker
from pages.components.canvas import Subject
from pages.server import limits, uploads
from pages.server.rates import PICTURE
from pages.shared import cache, presenter, shell, visitor

shell.guard("draw")

# A photograph takes a hundred megabytes for a moment; thirty at once would take them all.
ONE_PICTURE_AT_A_TIME = threading.Lock()
EVERY_STEP = list(drawing.STEPS)
# The strip's pictures are at most this many pixels a side.
STRIP_SIDE = 112
NEAREST = 5
# More figures are chosen by their number, for so many buttons fill a telephone.
MOST_BUTTONS = 12
NOTHING = "–"


@dataclass(frozen=True)
class Answer:
    """What one run makes of the digits at hand: its probabilities (n, 10), a verdict each."""

    run: Run
    probabilities: np.ndarray
    verdicts: list[str]


# --- what is to be read ---


def take_test_digit(place: int | None = None) -> None:
    """One of the test images, by its number or at random, instead of a drawing."""
    dataset = cache.dataset()
    if place is None:
        place = int(np.random.default_rng().integers(len(dataset.x_test)))
    place = min(max(place, 0), len(dataset.x_test) - 1)
    source = f"Test image {place}, labelled {dataset.y_test[place]}"
    if trained := [run.label for run in cache.shipped_runs() if cache.has_learned_the_sample(run)]:
        source += f", which {' and '.join(trained)} were trained on"
    canvas.take(source, [dataset.x_test[place].copy()], prepared=True)


def take_numbered_digit() -> None:
    take_test_digit(int(st.session_state["test_number"] or 0))


def upload_key() -> str:
    """Another uploader for each picture: the last one forgets its file, as it promises."""
    return f"upload{st.session_state.get('uploads', 0)}"


def take_picture() -> None:
    """Read the file as soon as it is there; what is wrong with it is said instead."""
    file = st.session_state[upload_key()]
    if file is None:
        return
    content = file.getvalue()
    uploads.forget(file)
    st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1
    read_picture(lambda: drawing.read_picture(content))


def turn_picture() -> None:
    """Read the picture that was sent last once more, turned to the right by a right angle."""
    if (subject := canvas.subject()) and subject.file:
        read_picture(lambda: np.rot90(drawing.read_picture(subject.file), -1))


def read_picture(decode: Callable[[], np.ndarray]) -> None:
    """Find the figures in a picture. It is kept as it is, for it may have to be turned."""
    file = b""
    try:
        limits.check(PICTURE, visitor.visitor(remember=False))
        with ONE_PICTURE_AT_A_TIME:
            # Grey is all that is looked at, and all that is kept.
            picture = drawing.to_bytes(drawing.to_grey(decode()))
            file = html.png(picture)
            figures, note = photo.read_figures(picture)
    except UserError as error:
        canvas.refuse(str(error), file)
        return
    canvas.take(
        canvas.PICTURE,
        canvas.inks(figures),
        sheet=canvas.framed(canvas.PICTURE, picture, figures),
        note=note,
        file=file,
    )


def other_ways() -> None:
    """A test digit by its number, for who cannot draw; a photograph."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        most = len(cache.dataset().x_test) - 1
        st.number_input(
            f"Number of a test image, 0 to {most}", 0, most, key="test_number", width=280
        )
        st.button(
            "Read it", icon=":material/looks_one:", on_click=shell.guarded(take_numbered_digit)
        )
    # Every kind of file is let through: telephones then send photographs as JPEG, and what is
    # wrong with another file is said by us, in one sentence.
    st.file_uploader(
        "A photograph or scan of one digit or many; forgotten when you leave or send another",
        key=upload_key(),
        on_change=shell.guarded(take_picture),
    )


# --- the answer ---


def answer(run: Run, images: np.ndarray) -> Answer:
    probabilities = cache.classifier(run).predict_proba(images)
    calibration = cache.calibration(run)
    return Answer(run, probabilities, [calibration.verdict(row) for row in probabilities])


def in_words(probabilities: np.ndarray, verdict: str) -> str:
    """How sure the network is, for a person."""
    first, second = best_two(probabilities)
    if verdict == NO_DIGIT:
        return "no digit"
    if verdict == SURE:
        # Never wholly: it was measured on a few thousand images.
        sure = probabilities[first]
        return "over 99% sure" if sure > 0.99 else f"{sure:.0%} sure"
    return f"not sure: {first} or {second}?"


def show_one(found: Answer) -> None:
    """A digit, how sure the network is, and the probability of all ten."""
    probabilities, verdict = found.probabilities[0], found.verdicts[0]
    value = NOTHING if verdict == NO_DIGIT else str(int(probabilities.argmax()))
    st.metric(
        "Prediction",
        value,
        in_words(probabilities, verdict),
        delta_color="normal" if verdict == SURE else "off",
        delta_arrow="off",
    )
    if verdict == NO_DIGIT:
        likeliest, _ = best_two(probabilities)
        st.write(f"This does not look like a digit. If it is one, then a {likeliest}.")
    st.html(html.probability_bars(probabilities))


def show_row(found: Answer, images: np.ndarray) -> None:
    """Several digits of one picture, and how sure the network is of each."""
    digits = [
        NOTHING if verdict == NO_DIGIT else str(int(row.argmax()))
        for row, verdict in zip(found.probabilities, found.verdicts, strict=True)
    ]
    st.metric("Prediction", "".join(digits))
    words = [
        f"{digit}: {in_words(row, verdict)}"
        for digit, row, verdict in zip(digits, found.probabilities, found.verdicts, strict=True)
    ]
    st.html(html.digit_grid(images, words, [f"A figure read as {word}" for word in words]))


def test_digit_button() -> None:
    st.button(
        "Use a test digit",
        icon=":material/casino:",
        on_click=shell.guarded(take_test_digit),
    )


def show_answers(answers: Sequence[Answer], images: np.ndarray, subject: Subject) -> None:
    columns = st.columns(len(answers), gap="large")
    for place, (column, found) in enumerate(zip(columns, answers, strict=True)):
        # Many digits are written smaller.
        key = f"answer{place}" + "_of_many" * (len(images) > MOST_BUTTONS)
        with column, st.container(key=key):
            if len(answers) > 1:
                st.caption(found.run.title)
            if len(images) > 1:
                show_row(found, images)
            else:
                show_one(found)
    if subject.sheet:
        st.html(subject.sheet)
    if subject.note:
        st.info(subject.note, icon=":material/info:")
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(images) == 1:
            with st.container(width=110):
                st.html(html.seen_picture(images[0], "The 28 by 28 pixels the network was given"))
        skipped = 0 if subject.prepared else len(left_out())
        st.caption(
            f"{subject.source}, as the network sees it"
            + (f"; {skipped} of {len(EVERY_STEP)} steps left out" if skipped else "")
        )
        test_digit_button()


# --- a closer look ---


def choose_steps() -> None:
    with presenter.hidden_when_presenting("steps"):
        st.pills(
            "Steps taken; tap one to leave it out and see what it is worth",
            EVERY_STEP,
            format_func=drawing.STEPS.__getitem__,
            selection_mode="multi",
            default=EVERY_STEP,
            key="steps",
            persist_state="session",
        )


def show_preparation(subject: Subject, place: int, run: Run) -> None:
    """The recipe's pictures in a row; each step can be left out."""
    choose_steps()
    if subject.prepared:
        st.write("MNIST's own images were prepared like this when the collection was made.")
        return
    stages = drawing.prepare(subject.pictures[place], left_out())
    pictures = [subject.pictures[place], *(stage.picture for stage in stages)]
    captions = ["Original"]
    for number, stage in enumerate(stages, start=1):
        text = drawing.STEPS[stage.step]
        captions.append(f"{number}. Left out: {text}" if stage.skipped else f"{number}. {text}")
    small = [drawing.shrink(picture, STRIP_SIDE) for picture in pictures]
    st.html(html.strip(small, captions, captions))
    show_worth(run, left_out())


def show_worth(run: Run, skip: list[str]) -> None:
    """What the choice of steps is worth on thousands of drawings, measured beforehand."""
    name = run.id if run.shipped else run.config.preset
    every, these = (benchmark.drawings_read(name, steps) for steps in ((), skip))
    plain = benchmark.drawings_read(name, [step for step in EVERY_STEP if step != drawing.INK])
    if every is None or these is None or plain is None:
        return
    network = "this network" if run.shipped else f"the shipped {name} network"
    total = benchmark.drawing_benchmark()["drawings"]
    if skip:
        st.write(
            f"Of {total:,} digits that other people drew with a pen, {network} reads "
            f"**{these:.1%}** rightly when prepared like this, and {every:.1%} with all steps."
        )
    else:
        st.write(
            f"Of {total:,} digits that other people drew with a pen, {network} reads "
            f"**{every:.1%}** rightly with all steps, and {plain:.1%} when the whole sheet is "
            "only shrunk."
        )


def show_layers(image: np.ndarray, found: Answer) -> None:
    """What each layer makes of the digit: brighter is more."""
    outputs = cache.classifier(found.run).activations(image[np.newaxis])
    st.write("From the pixels to the answer; the brighter, the more a map or unit responds.")
    for layer in explanation.layers_of(found.run.config):
        shown = outputs[layer.place][0]
        make = html.feature_maps if shown.ndim == 3 else html.units
        st.html(make(shown, layer.name, f"{layer.name}, brighter where they respond more"))


def show_pixels(image: np.ndarray, found: Answer, place: int) -> None:
    """Which places of the picture the answer hangs on."""
    digit = int(found.probabilities[place].argmax())
    predict = cache.classifier(found.run).predict_proba
    weights = explanation.occlusion(predict, image, digit)
    st.write(
        f"What speaks for a {digit}: each place in turn is covered with paper, and the "
        "network is asked again."
    )
    st.html(html.heat(image, weights, f"The digit, coloured where its ink speaks for a {digit}"))


def show_nearest(image: np.ndarray, found: Answer) -> None:
    """The training digits that the network can hardly tell from this one."""
    images, labels, features = cache.known_digits(found.run)
    query = explanation.hidden(cache.classifier(found.run).activations, image[np.newaxis])[0]
    places, distances = explanation.nearest(features, query, NEAREST)
    st.write(
        f"Of {len(labels):,} training digits, the {NEAREST} nearest in the network's last "
        "hidden layer; 0 is the same, 1 has nothing in common."
    )
    captions = [f"{labels[p]} · {d:.2f}" for p, d in zip(places, distances, strict=True)]
    texts = [f"A training digit labelled {labels[place]}" for place in places]
    st.html(html.digit_grid(images[places], captions, texts))


def closer_look(
    subject: Subject, answers: Sequence[Answer], images: np.ndarray, place: int
) -> None:
    """One of four views of why the networks answer as they do."""
    image = images[place]
    views: dict[str, Callable[[Answer], None]] = {
        "Preparation": lambda found: show_preparation(subject, place, found.run),
        "Important pixels": lambda found: show_pixels(image, found, place),
        "Nearest digits": lambda found: show_nearest(image, found),
        "Layers": lambda found: show_layers(image, found),
    }
    st.subheader("Why this answer?", anchor=False)
    chosen = st.segmented_control(
        "Look at",
        list(views),
        default="Preparation",
        required=True,
        key="look",
        bind="query-params",
        label_visibility="collapsed",
    )
    if chosen in (None, "Preparation"):
        # The recipe is the same for all networks.
        views["Preparation"](answers[0])
        return
    for column, found in zip(st.columns(len(answers), gap="large"), answers, strict=True):
        with column:
            if len(answers) > 1:
                st.caption(found.run.title)
            views[chosen](found)


# --- the page ---


def left_out() -> list[str]:
    """The recipe's steps that the visitor switched off."""
    taken = st.session_state.get("steps", EVERY_STEP)
    return [step for step in EVERY_STEP if step not in taken]


@shell.fragment
def draw_and_read(runs: list[Run]) -> None:
    left, right = st.columns([2, 3], gap="large")
    with left:
        with st.container(key="sheet"):
            canvas.show(st.session_state.get("pen") or "Medium")
        with st.container(horizontal=True):
            st.button("Undo", icon=":material/undo:", on_click=canvas.undo)
            st.button("Clear", icon=":material/delete:", on_click=canvas.clear)
            with presenter.hidden_when_presenting("pen", width="content"):
                st.segmented_control(
                    "Pen",
                    list(canvas.PENS),
                    default="Medium",
                    required=True,
                    key="pen",
                    persist_state="session",
                    label_visibility="collapsed",
                )
        with (
            presenter.hidden_when_presenting("other_ways"),
            st.expander("Read a test digit or a photograph instead"),
        ):
            other_ways()
        # Right above the answer on a telephone, and in sight however many figures there are.
        if (subject := canvas.subject()) and subject.file:
            st.button("Turn", icon=":material/rotate_right:", on_click=shell.guarded(turn_picture))
    place = 0
    with right:
        if subject is None:
            nothing_to_read(
                "Draw a digit, large or small, anywhere on the sheet. The answer appears as you "
                "draw."
            )
            return
        if not subject.pictures and subject.source == canvas.DRAWING:
            nothing_to_read(subject.problem)
            return
        if subject.problem:
            # A file's. A drawing that is on the sheet all the same is read below.
            st.error(subject.problem, icon=":material/error:")
        if not subject.pictures:
            nothing_to_read()
            return
        try:
            images, answers = read(subject, runs)
        except EmptyDrawing as error:
            nothing_to_read(str(error))
            # Perhaps for want of a step.
            choose_steps()
            return
        show_answers(answers, images, subject)
        if len(images) > 1:
            place = choose_figure(len(images), subject) - 1
    closer_look(subject, answers, images, place)


def choose_figure(count: int, subject: Subject) -> int:
    """The number of the figure to look at closely, 1 to ``count``."""
    # A new picture begins with its first figure.
    label, key = "Look closer at figure", f"figure{subject.number}"
    if count > MOST_BUTTONS:
        return int(st.number_input(f"{label}, 1 to {count}", 1, count, key=key, width=280))
    return st.segmented_control(label, range(1, count + 1), default=1, required=True, key=key) or 1


def nothing_to_read(sentence: str = "") -> None:
    with st.container(key="answer0"):
        st.metric("Prediction", NOTHING)
    if sentence:
        st.write(sentence)
    test_digit_button()


def read(subject: Subject, runs: list[Run]) -> tuple[np.ndarray, list[Answer]]:
    """The subject's figures as the networks see them, uint8 (n, 28, 28), and their answers.

    Those of a full page take a third of a second, so they are kept until something changes.
    """
    key = subject.number, left_out(), runs
    known = st.session_state.get("read")
    if known and known[0] == key:
        return known[1], known[2]
    images = np.stack([prepared(picture, subject) for picture in subject.pictures])
    answers = [answer(run, images) for run in runs]
    st.session_state["read"] = key, images, answers
    return images, answers


def prepared(picture: np.ndarray, subject: Subject) -> np.ndarray:
    """One picture of the subject through the recipe, as far as it is switched on."""
    return picture if subject.prepared else drawing.prepare(picture, left_out())[-1].picture


st.title("Draw a digit")
# The sheet first: on a phone, canvas and answer then fit the screen together.
sheet = st.container()
found = run_picker.trained_runs()
with presenter.hidden_when_presenting("runs"), st.container(horizontal=True, gap="medium"):
    run = run_picker.pick_run("Network", runs=found)
    other = run_picker.pick_other_run("Second network", run, found)
if st.session_state.get("arrived", True):
    canvas.arrive()
with sheet:
    draw_and_read([run, other] if other else [run])
notices.next_step("evaluate", "See where this network is wrong", ":material/grid_on:", run=run.id)
