"""What every page uses: entrance, caches, session keys, the visitor, notices.

The only place for caches and session state, so that the pages stay plain scripts. Caches
are shared by all visitors and bounded; whatever belongs to one visitor is in the session.
"""

import functools
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from streamlit import runtime

from mnist_core import data, evaluation, explanation, forecast, glance, maps, schema, shipped
from mnist_core.calibration import Calibration
from mnist_core.classifier import Classifier
from mnist_core.errors import DownloadFailed, RunNotFound, StoreUnavailable, UserError
from mnist_core.jobs import Pool, open_pool
from mnist_core.neighbours import nearest_images
from mnist_core.progress import Progress
from mnist_core.rates import STUDY
from mnist_core.runs import (
    ACTIVE,
    CALIBRATION,
    FINISHED,
    LITERT,
    PREDICTIONS,
    RUNNING,
    WAITING,
    Run,
    RunStore,
    owner_of,
    queue_place,
)
from mnist_core.studies import PIXELS, MapKey, Study, StudyStore, features_of
from mnist_core.suspects import Suspects, study_key
from mnist_core.suspects import shipped as shipped_suspects
from pages import host, limits, messages, presenter, served, uploads
from pages.bounded import BoundedCache
from pages.turnstile import turn

log = logging.getLogger("pages")
T = TypeVar("T")

# A photograph takes a hundred megabytes for a moment; thirty at once would take them all.
ONE_PICTURE_AT_A_TIME = threading.Lock()

# What is kept of one kind of figure: hundreds of curves, or all heatmaps that anybody looks at.
MOST_BYTES_OF_A_KIND = 6_000_000

COOKIE = "mnist_visitor"
STYLE = Path(__file__).parent / "look.css"
BEST = "cnn"
NO_RUN = ""
DISMISSED = "notice_dismissed"

# --- entrance and errors ---


def enter(pages: Mapping[str, Any]) -> None:
    """Show the page the address asks for, or one sentence if it cannot be shown."""
    host.greet()
    st.session_state["shell"] = True
    # Nothing of ours runs before the first visitor comes; later calls find it done.
    uploads.guard(runtime.get_instance())
    messages.guard(runtime.get_instance())
    page = st.navigation(list(pages.values()), position="top")
    if (goto := st.query_params.pop("goto", "")) in pages:
        st.switch_page(pages[goto], query_params=st.query_params.to_dict())
    # Widgets forget what they hold when their page is left; a page may want to know.
    st.session_state["arrived"] = st.session_state.get("page") != page.url_path
    st.session_state["page"] = page.url_path
    st.html(STYLE)
    with told(), turn():
        check_address(presenter=presenter.is_value)
        presenter.enter()
        if schema.was_replaced(schema.database_url()):
            st.warning(
                "The file of runs was moved or deleted while the app was running, so the runs in "
                "it are gone from here; new runs are stored in a new file.",
                icon=":material/database:",
            )
        page.run()


def guard(name: str) -> None:
    """First line of every page: come in through dashboard.py.

    On a fresh server Streamlit runs a page whose address was opened directly without the
    dashboard around it, and then shows the wrong menu.
    """
    if "shell" not in st.session_state:
        st.switch_page("dashboard.py", query_params={**st.query_params.to_dict(), "goto": name})


def check_address(**possible: Callable[[str], bool]) -> None:
    """Forget address parameters that cannot be, before widgets read them, and say so.

    Args:
        possible: for each parameter of the page, whether a text is a value of it.
    """
    impossible = [
        name
        for name, is_possible in possible.items()
        if not all(is_possible(text) for text in st.query_params.get_all(name))
    ]
    for name in impossible:
        del st.query_params[name]
    if impossible:
        st.warning(
            f"The address asks for what cannot be ({', '.join(impossible)}); the usual choice is "
            "shown instead.",
            icon=":material/link_off:",
        )


def is_number(text: str, most: int) -> bool:
    """Whether an address parameter is a whole number from 0 to ``most``."""
    return text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most


@contextmanager
def told() -> Iterator[None]:
    """Turn whatever goes wrong inside into one sentence on the page."""
    try:
        yield
    except UserError as error:
        st.error(str(error), icon=":material/error:")
    except Exception:
        log.exception("page failed")
        st.error(
            "Something went wrong on this page. Reload it; if it happens again, the server's "
            "log says what it was.",
            icon=":material/error:",
        )


# --- shared by all visitors ---


def cached_for_all(key: tuple[Any, ...], make: Callable[[], T]) -> T:
    """A figure or text that looks the same to all visitors, made for the first of them.

    A figure takes Plotly up to 40 ms, during which all others wait, and thirty people who
    look at one network see the same figure.

    Args:
        key: its kind, such as "confusion", and all that it depends on, in plain values. Each
            kind has a share of the memory of its own, so that curves which change five times
            a second push nobody's heatmap out.
        make: makes it. Whoever is given it leaves it as it is.
    """
    value: T = _cache_of(key[0]).get(key, make)
    return value


@st.cache_resource(show_spinner=False)
def _cache_of(kind: str) -> BoundedCache:
    return BoundedCache(MOST_BYTES_OF_A_KIND, _bytes_of)


def _bytes_of(value: go.Figure | str) -> int:
    return len(value if isinstance(value, str) else value.to_json())


def dataset() -> data.Dataset:
    """The best data at hand now; read again when its file changes."""
    path, source = data.locate()
    return _dataset(str(path), source, path.stat().st_mtime)


@st.cache_resource(max_entries=1, show_spinner="Reading the digits …")
def _dataset(path: str, source: str, changed: float) -> data.Dataset:
    found = data.load_dataset()
    if found.note:
        log.warning("digits: %s", found.note)
    return found


def images_of(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The "train" or the "test" images at hand, uint8 (n, 28, 28), and their labels, (n,)."""
    found = dataset()
    if split == "test":
        return found.x_test, found.y_test
    return found.x_train, found.y_train


def fingerprint_of(split: str) -> str:
    """What tells these images from those of other data; part of what caches go by."""
    found = dataset()
    return found.test_fingerprint if split == "test" else found.train_fingerprint


def glance_at(split: str) -> glance.Glance:
    """The classes at a glance."""
    return _glance(split, fingerprint_of(split))


@st.cache_resource(max_entries=4, show_spinner="Looking at every image …")
def _glance(split: str, fingerprint: str) -> glance.Glance:
    return glance.at_a_glance(*images_of(split))


def neighbours(split: str, place: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The training images nearest to one image: places and distances."""
    return _neighbours(split, place, count, fingerprint_of(split), fingerprint_of("train"))


@st.cache_resource(max_entries=500, show_spinner=False)
def _neighbours(
    split: str, place: int, count: int, fingerprint: str, among: str
) -> tuple[np.ndarray, np.ndarray]:
    image = data.take(images_of(split)[0], np.array([place]))[0]
    itself = place if split == "train" else None
    return nearest_images(images_of("train")[0], image, count, exclude=itself)


def suspects() -> Suspects | None:
    """The training images whose label is in doubt, if that was ever computed."""
    fingerprint = fingerprint_of("train")
    return _shipped_suspects(fingerprint) or _stored_suspects(fingerprint)


@st.cache_resource(max_entries=4, show_spinner=False)
def _shipped_suspects(fingerprint: str) -> Suspects | None:
    return shipped_suspects(fingerprint)


def _stored_suspects(fingerprint: str) -> Suspects | None:
    try:
        study = studies().find(study_key(fingerprint))
    except StoreUnavailable:
        return None
    return Suspects.from_json(study.data.decode()) if study and study.data else None


def map_places(split: str) -> np.ndarray:
    """Which of these images are on their map."""
    return maps.choose(images_of(split)[1])


def flat_map(split: str, run: Run | None) -> tuple[np.ndarray, np.ndarray]:
    """A map by PCA, of the pixels or of a run's last hidden layer: points, and the share of
    the variance along each axis."""
    names = (run.id, _home(run), run.version) if run else (PIXELS, "", 0)
    return _flat_map(run, split, fingerprint_of(split), *names)


@st.cache_resource(max_entries=20, show_spinner="Drawing the map …")
def _flat_map(
    _run: Run | None, split: str, fingerprint: str, run_id: str, url: str, version: int
) -> tuple[np.ndarray, np.ndarray]:
    images = data.take(images_of(split)[0], map_places(split))
    activations = classifier(_run).activations if _run else None
    return maps.pca(features_of(images, activations))


def studied_map(split: str, run: Run | None) -> Study:
    """A map by t-SNE as a worker computes it; asked for if nobody did before.

    Raises:
        NotAllowed: too many others wait, or were asked for lately.
    """
    features = (run.id, run.version) if run else (PIXELS, 0)
    key = MapKey(split, fingerprint_of(split), *features).text
    study = studies().find(key)
    if study is None:
        with limits.counted(STUDY, visitor(remember=False)):
            study = studies().request(key)
    if study.state in (WAITING, RUNNING):
        pool().wake()
    return study


def ask_again(key: str) -> None:
    """Ask for a study that failed."""
    with limits.counted(STUDY, visitor(remember=False)):
        studies().request(key)


def map_sprite(split: str) -> str:
    """The address of all pictures of a map."""
    images = images_of(split)[0]

    def make() -> bytes:
        return maps.sprite(data.take(images, map_places(split)))

    name = f"digits-{split}-{fingerprint_of(split)}.png"
    return served.address(name, make) or ""


def studies() -> StudyStore:
    """What workers compute once. Raises StoreUnavailable if there is no database to use."""
    return _studies(schema.database_url())


@st.cache_resource(max_entries=1, show_spinner=False)
def _studies(url: str) -> StudyStore:
    return StudyStore(url)


def store() -> RunStore:
    """The database of runs. Raises StoreUnavailable if there is none to use."""
    url = schema.database_url()
    _check_store(url)
    return _store(url)


@st.cache_data(ttl=5.0, max_entries=1, show_spinner=False)
def _check_store(url: str) -> None:
    _store(url).check()


@st.cache_resource(max_entries=1, show_spinner=False)
def _store(url: str) -> RunStore:
    return RunStore(url)


def pool() -> Pool:
    """The workers of this server."""
    return _pool(schema.database_url())


@st.cache_resource(max_entries=1, show_spinner=False)
def _pool(url: str) -> Pool:
    return open_pool(_store(url)).start()


def _home(run: Run) -> str:
    """Where a run is kept, for the caches: runs of another database are other runs."""
    return "" if run.shipped else schema.database_url()


def state_of(run: Run) -> tuple[str, str, int]:
    """What tells a run's network from all others, for the key of ``cached_for_all``."""
    return run.id, _home(run), run.version


def classifier(run: Run) -> Classifier:
    """The network of a run that has one."""
    return _classifier(run.id, _home(run), run.version, run.config.looks)


# A run that went on has another network: its version is part of what is remembered.
@st.cache_resource(max_entries=8, show_spinner=False)
def _classifier(run_id: str, url: str, version: int, looks: int) -> Classifier:
    return Classifier(artifact(run_id, LITERT), looks)


def calibration(run: Run) -> Calibration:
    """From where on a run's answers are to be believed; the usual for a run without one."""
    return _calibration(run.id, _home(run), run.version)


@st.cache_resource(max_entries=50, show_spinner=False)
def _calibration(run_id: str, url: str, version: int) -> Calibration:
    try:
        return Calibration.from_json(artifact(run_id, CALIBRATION))
    except RunNotFound:
        # Trained before there were any.
        return Calibration()


def known_digits(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bundled training digits, their labels, and what a run's last hidden layer makes of
    each: uint8 (n, 28, 28), uint8 (n,), float32 (n, units)."""
    images, labels = _known_digits()
    return images, labels, _features(classifier(run), run.id, run.version)


@st.cache_resource(max_entries=1, show_spinner=False)
def _known_digits() -> tuple[np.ndarray, np.ndarray]:
    images, labels, _, _ = data.read(data.SAMPLE_PATH)
    return images, labels


@st.cache_resource(max_entries=8, show_spinner="Looking at 4,000 training digits …")
def _features(_network: Classifier, run_id: str, version: int) -> np.ndarray:
    images, _ = _known_digits()
    return explanation.hidden(_network.activations, images)


def predictions(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """A run's test probabilities, float32 (n, 10), and the true digits, uint8 (n,)."""
    return _predictions(run.id, _home(run), run.version)


@st.cache_resource(max_entries=8, show_spinner=False)
def _predictions(run_id: str, url: str, version: int) -> tuple[np.ndarray, np.ndarray]:
    return shipped.unpack_predictions(artifact(run_id, PREDICTIONS))


def is_readable(run: Run) -> bool:
    """Whether a run's test predictions can be read; if not, a sentence says why."""
    try:
        predictions(run)
    except RunNotFound:
        why = "has no predictions of the test images"
    except (ValueError, OSError):
        log.exception("predictions of run %s", run.id)
        why = "has predictions that cannot be read, perhaps of an older version"
    else:
        return True
    st.warning(
        f"{run.title} {why}, so there is nothing to evaluate. Choose another network, or train "
        "it anew.",
        icon=":material/unknown_document:",
    )
    return False


def has_pictures(run: Run) -> bool:
    """Whether a run was tested on the test images at hand, so that they can be shown."""
    return run.test_fingerprint == dataset().test_fingerprint


def mismatch(run: Run) -> str:
    """One sentence if a run was tested on other images than those at hand, else empty."""
    if has_pictures(run):
        return ""
    sentence = (
        f"These predictions are for other test images ({run.dataset}) than the ones at hand "
        f"({dataset().description}), so the pictures cannot be shown. The numbers hold."
    )
    if pictured := next(filter(has_pictures, shipped_runs()), None):
        sentence += f" Choose the network {pictured.label} to see pictures."
    return sentence


def pictured_first(runs: list[Run]) -> list[Run]:
    """The same runs, those whose pictures can be shown first."""
    here = dataset().test_fingerprint
    return sorted(runs, key=lambda run: run.test_fingerprint != here)


def has_learned_the_sample(run: Run) -> bool:
    """Whether the test images at hand are the sample's, and a run was trained on all of MNIST
    and so on them."""
    return dataset().source == "sample" and not has_pictures(run)


def confusion(run: Run) -> np.ndarray:
    """A run's confusion matrix on its test images, int64 (10, 10)."""
    probabilities, labels = predictions(run)
    return evaluation.confusion_matrix(labels, probabilities.argmax(axis=1))


def artifact(run_id: str, kind: str) -> bytes:
    """A shipped or stored run's model, predictions or calibration. Raises RunNotFound."""
    if run_id in shipped.shipped_runs():
        return shipped.shipped_artifact(run_id, kind)
    return store().artifact(run_id, kind)


# --- runs ---


def find_run(run_id: str) -> Run:
    """A shipped or stored run. Raises RunNotFound."""
    return shipped.shipped_runs().get(run_id) or store().get(run_id)


def active_run_and_sweep(visitor: str) -> tuple[Run | None, Run | None]:
    """A visitor's run that waits or runs and belongs to no sweep; and of their sweep the run that
    runs, or else the next. None where there is none, or all have ended."""
    runs = sorted(store().list_runs(states=ACTIVE, owner=visitor), key=queue_place)
    single = next((run for run in runs if run.sweep is None), None)
    return single, next((run for run in runs if run.sweep is not None), None)


def shipped_runs() -> list[Run]:
    """The runs that came with the app: the best one for drawings first, the sample's last."""
    runs = shipped.shipped_runs().values()
    return sorted(runs, key=lambda run: (run.id != BEST, run.id == shipped.SAMPLE))


def shipped_run(name: str) -> Run | None:
    """The run of that name that came with the app, if there is one."""
    return shipped.shipped_runs().get(name)


def seconds_until_turn(before: list[Run]) -> float:
    """How long a run has to wait for those before it."""
    url = schema.database_url()
    seconds = _seconds_of_active_runs(url)
    if any(run.id not in seconds for run in before):
        # Asked for since the last look.
        _seconds_of_active_runs.clear()
        seconds = _seconds_of_active_runs(url)
    return sum(seconds.get(run.id, 0.0) for run in before) / max(pool().limit, 1)


@st.cache_data(ttl=2.0, max_entries=1, show_spinner=False)
def _seconds_of_active_runs(url: str) -> dict[str, float]:
    """How much longer each waiting or running run will take: three queries in two seconds,
    however many visitors wait."""
    active = store().list_runs(states=ACTIVE)
    reports = store().first_and_last_reports([run.id for run in active if run.state == RUNNING])
    ended = store().list_runs(states=(FINISHED,))
    images = len(dataset().x_train)
    return {
        run.id: forecast.seconds_until_turn([(run, reports.get(run.id, []))], ended, 1, images)
        for run in active
    }


def curves(run: Run, age: float = 0.0) -> list[Progress]:
    """A run's reports so far, or as they were at most ``age`` seconds ago."""
    if run.shipped:
        return shipped.shipped_metrics(run.id)
    return _reports(run.id, _home(run), run.worker, run.turn).known(age)


# Another worker, or another turn, may begin at an earlier step again. Few are looked at at
# once, and a long one has thousands of reports.
@st.cache_resource(max_entries=12, show_spinner=False)
def _reports(run_id: str, url: str, worker: str | None, turn: int) -> "_Reports":
    return _Reports(run_id)


class _Reports:
    """A run's reports, of which only the new ones are read: thirty people may look on."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._known: list[Progress] = []
        self._read_at = 0.0
        self._one_at_a_time = threading.Lock()

    def known(self, age: float) -> list[Progress]:
        with self._one_at_a_time:
            if time.monotonic() - self._read_at >= age:
                last = self._known[-1].step if self._known else 0
                # Another list: whoever was given the one before goes on reading it.
                self._known = self._known + store().metrics(self._run_id, after_step=last)
                self._read_at = time.monotonic()
            return self._known


def trained_runs() -> list[Run]:
    """Every run with a network, shipped ones first; those alone if the database is away."""
    runs = shipped_runs()
    try:
        return runs + store().list_runs(trained=True)
    except StoreUnavailable as error:
        st.warning(f"{error} Meanwhile the shipped networks are shown.", icon=":material/database:")
        return runs


def pick_run(label: str = "Network", *, runs: list[Run] | None = None) -> Run:
    """Let the visitor choose among the runs that have a network; kept in the address.

    Args:
        runs: those to choose from, if they were read already.
    """
    found = {run.id: run for run in (trained_runs() if runs is None else runs)}
    wanted = st.query_params.get("run")
    if wanted and wanted not in found:
        st.warning(
            "The address names a run that has no network here; showing another.",
            icon=":material/link_off:",
        )
    return found[_choose_run(label, "run", list(found), found)]


def pick_other_run(label: str, first: Run | None, runs: list[Run]) -> Run | None:
    """Let the visitor choose another run than the first, or none; kept in the address."""
    found = {run.id: run for run in runs if first is None or run.id != first.id}
    return found.get(_choose_run(label, "beside", [NO_RUN, *found], found, width=420))


def _choose_run(
    label: str, key: str, options: list[str], runs: dict[str, Run], width: Any = "stretch"
) -> str:
    # The box has a key of its own and is set before it is made: one that followed the
    # address by its index would be another box after each choice, and forget it.
    box = f"picked_{key}"
    if st.session_state.get(box) not in options:
        wanted = st.query_params.get(key)
        st.session_state[box] = wanted if wanted in options else options[0]
    chosen: str = st.selectbox(
        label,
        options,
        key=box,
        format_func=lambda run_id: runs[run_id].title if run_id in runs else "No other network",
        help="Networks that came with the app, and those trained here.",
        width=width,
    )
    if chosen == NO_RUN:
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = chosen
    return chosen


# --- the visitor ---


def visitor(*, remember: bool = True) -> str:
    """What is stored as the owner of this visitor's runs.

    The secret behind it is a cookie, so that it survives a reload; it is never shown.

    Args:
        remember: let the browser keep it, where it does not yet; once on a page.
    """
    if "visitor" not in st.session_state:
        token = st.context.cookies.get(COOKIE, "")
        known = len(token) >= 32
        st.session_state["visitor"] = token if known else secrets.token_urlsafe(32)
        st.session_state["visitor_known"] = known
    if remember and not st.session_state["visitor_known"]:
        _remember(data={"name": COOKIE, "token": st.session_state["visitor"]}, key="remember")
    return owner_of(st.session_state["visitor"])


_remember = st.components.v2.component(
    "remember_visitor",
    js="""export default function({ data }) {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `${data.name}=${data.token}; path=/; max-age=31536000; SameSite=Lax${secure}`;
}""",
)


# --- what all pages show ---


def warn_of_guessing(run: Run, accuracy: float, images: int, kind: str) -> bool:
    """Say so, and what to try, if a run's network does no better than one that learned nothing.

    Args:
        accuracy: 0 to 1, on so many images of this kind, such as "test".

    Returns:
        Whether it does no better.
    """
    if not images or not evaluation.is_guessing(accuracy, images):
        return False
    config = run.config
    if config.shuffled_labels >= 0.5:
        advice = "Shuffle fewer of the labels."
    elif config.learning_rate > 0.002:
        advice = "Train again with a lower learning rate."
    else:
        advice = "Train again with a higher learning rate or more epochs."
    st.warning(
        f"This network learned nothing: it classifies {accuracy:.1%} of the {kind} images "
        f"correctly, and {evaluation.GUESSING:.0%} is guessing. {advice}",
        icon=":material/casino:",
    )
    return True


def data_notice() -> None:
    """One line on which digits the page shows, where they are not those it should have.

    A visitor who dismisses it does not see it again in this session.
    """
    # The place first: a download that ends in between is then seen at the next look.
    place = data.locate()
    if st.session_state.get(DISMISSED):
        return
    if dataset().source == "sample":
        with presenter.aside("sample"):
            fragment(_sample_notice, run_every=2.0)(place)
    elif problem := _unused_file():
        with presenter.aside("sample"):
            fragment(_notice)(f"{problem}; using the MNIST found elsewhere.", ":material/warning:")


def _sample_notice(place: tuple[Path, str]) -> None:
    if st.session_state.get(DISMISSED):
        return
    if data.locate() != place and dataset().source != "sample":
        # The download has ended: the whole page shows other digits now.
        st.rerun()
    using = "using the 5,000 digits that came with the app"
    try:
        download, fetches = store().download(), pool().fetches
        if download.state == "none" and fetches:
            request_download()
    except StoreUnavailable as error:
        _notice(f"{using.capitalize()}. {error}", ":material/inventory_2:")
        return
    failed = download.state == "failed"
    # The reason of a failure is in the log. An older version kept it in the database.
    offline = download.message == DownloadFailed.NO_INTERNET
    if problem := _unused_file():
        _notice(f"{problem}; {using}.", ":material/warning:", try_again=failed)
    elif failed:
        reason = DownloadFailed.NO_INTERNET if offline else DownloadFailed.FAILED
        _notice(f"{reason}; {using}.", ":material/cloud_off:", try_again=True)
    elif fetches:
        _notice(
            "Using the 5,000 digits that came with the app until all 70,000 (11 MB) are "
            "downloaded; the page then switches to them by itself.",
            ":material/downloading:",
        )
    else:
        _notice(f"{using.capitalize()}, of MNIST's 70,000.", ":material/inventory_2:")


def _notice(text: str, icon: str, *, try_again: bool = False) -> None:
    with st.container(key="data_notice", horizontal=True, vertical_alignment="center"):
        st.info(text, icon=icon)
        if try_again:
            st.button("Try again", icon=":material/refresh:", on_click=guarded(request_download))
        st.button("Dismiss", icon=":material/close:", type="tertiary", on_click=_dismiss_notice)


def _dismiss_notice() -> None:
    st.session_state[DISMISSED] = True


def _unused_file() -> str:
    """The beginning of a sentence if the data file this server was given is not what it uses."""
    path, source = data.candidates()[0]
    if source != "file" or dataset().source == source:
        return ""
    return f"The server's data file {path.name} cannot be used (its log says why)"


def request_download() -> None:
    """Ask for MNIST, and for a worker to fetch it."""
    store().request_download()
    pool().wake()


def dark() -> bool:
    """Whether the page has a dark background; Plotly does not know it."""
    return st.context.theme.type == "dark"


def figure(key: tuple[Any, ...], draw: Callable[[], go.Figure]) -> go.Figure:
    """A figure in this visitor's size and colours, drawn once for all like them.

    Args:
        key: all else that it depends on, as ``cached_for_all`` takes it.
    """
    return cached_for_all((*key, dark(), presenter.is_on()), lambda: presenter.sized(draw()))


def pick_view(parameter: str, views: list[str]) -> str:
    """Let the visitor choose what a page shows; kept in the address, the first at first.

    Args:
        parameter: its name there, another one on each page: Streamlit may bring what one
            page's widget held to another page's of the same name.
    """
    view = st.segmented_control(
        "View",
        views,
        default=views[0],
        key=parameter,
        bind="query-params",
        label_visibility="collapsed",
    )
    return view or views[0]


def next_step(page: str, text: str, icon: str, *, primary: bool = True, **query: str) -> None:
    """The one thing to do next, at the end of a page.

    Args:
        query: address parameters for that page.
        primary: False where the page itself has something more important to press.
    """
    st.space("small")
    kind: Any = "primary" if primary else "secondary"
    if st.button(text, icon=icon, type=kind, key="next_step"):
        st.switch_page(f"pages/{page}.py", query_params=query or None)


def guarded(function: Callable[..., None]) -> Callable[..., None]:
    """The function, showing a sentence on the page where it fails."""

    @functools.wraps(function)
    def wrapped(*arguments: Any) -> None:
        with told():
            function(*arguments)

    return wrapped


def fragment(function: Callable[..., None], run_every: float | None = None) -> Callable[..., None]:
    """A part of a page that reruns alone, and shows a sentence where it fails.

    Args:
        run_every: seconds between two reruns that nobody asked for. A text such as "2s", which
            Streamlit takes too, would make it load pandas: 45 MB of the server's memory.
    """

    @functools.wraps(function)
    def in_turn(*arguments: Any) -> None:
        with turn():
            function(*arguments)

    return st.fragment(guarded(in_turn), run_every=run_every)


if __name__ == "__main__":
    # Somebody opened /shared, which Streamlit takes for a page before the dashboard ran.
    st.switch_page("dashboard.py")
