"""One database and one pool of real workers per file, because loading TensorFlow takes a worker
seconds."""

import pytest

from mnist_core.jobs.local_pool import LocalPool
from tests.helpers import Store


@pytest.fixture(scope="module", autouse=True)
def user_data(tmp_path_factory):
    """Replaces the one in tests/conftest.py: one folder for all tests of a file."""
    folder = tmp_path_factory.mktemp("processes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNIST_DATABASE_URL", f"sqlite:///{folder / 'runs.db'}")
        patch.setenv("KERAS_HOME", str(folder / "keras"))
        patch.delenv("MNIST_DATA", raising=False)
        patch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
        yield folder


@pytest.fixture(scope="module")
def store(user_data):
    opened = Store()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pool(store):
    pool = LocalPool(store, limit=1).start()
    yield pool
    pool.end()
    assert store.registered() == []  # they ended in good order
    assert pool.problem == ""
