import shutil
import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from mnist_core.errors import StoreUnavailable
from mnist_core.store import engine as engine_module
from mnist_core.store import migrations, schema
from mnist_core.store.queue import DONE
from mnist_core.store.run import FINISHED, INTERRUPTED, RUNNING, WAITING
from tests.databases import load_0_4_0
from tests.helpers import PROJECT, Store, add_worker, at_once, waiting_run

pytestmark = pytest.mark.databases


@pytest.fixture
def old_database(database_url):
    """The address of a database that version 0.4.0 of this app wrote."""
    load_0_4_0(database_url)
    return database_url


def test_a_database_of_version_0_4_0_is_brought_up_to_date_with_all_it_holds(old_database):
    store = Store()
    done = store.get("done000000")
    assert (done.state, done.test_accuracy, done.trained, done.turn) == (FINISHED, 0.98, True, 1)
    assert (done.config.epochs, done.name, done.pinned) == (3, "First", True)
    assert (done.training_images, done.test_images) == (60_000, 10_000)
    assert done.validation_accuracy == 0.96
    assert [report.step for report in store.metrics("done000000")] == [1, 10]
    assert store.artifact("done000000", "keras") == b"\x01\x02"
    running = store.get("running000")
    assert (running.state, running.worker, running.training_images) == (RUNNING, "w", None)
    stopped = store.get("stopped000")
    assert (stopped.state, stopped.message) == (INTERRUPTED, "Stopped before it began.")
    assert store.find("done").result == b"result"
    assert store.find("waiting").state == WAITING
    store.close()


def test_the_queue_of_a_database_of_version_0_4_0_goes_on(old_database):
    store = Store()
    add_worker(store, "next")
    assert waiting_run(store, "newcomer").turn == 7
    assert [store.claim_run("next").id for _ in range(2)] == ["sweep00001", store.list_runs()[0].id]
    assert [store.claim_run("next").id for _ in range(2)] == ["sweep00002", "sweep00003"]
    assert store.claim("next", "study").id == "waiting"
    store.keep("done", b"newer")
    assert (store.find("done").state, store.find("done").result) == (DONE, b"newer")
    assert store.remove("w")
    assert store.get("running000").state == WAITING
    store.delete("stopped000", store.get("stopped000").owner)
    store.close()


def differences(url: str) -> list:
    """In what a database is not as a new one would be: tables, columns, types, indexes."""
    engine = engine_module.open_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), schema.metadata)
    engine.dispose()
    # Alembic leaves its own table out.
    return [each for each in found if schema.revision not in each]


def columns(url: str) -> dict[str, dict[str, bool]]:
    """Each table's columns, and whether they may be empty."""
    engine = engine_module.open_engine(url)
    inspector = sa.inspect(engine)
    found = {
        table: {column["name"]: column["nullable"] for column in inspector.get_columns(table)}
        for table in inspector.get_table_names()
    }
    engine.dispose()
    return found


def test_brought_up_to_date_it_is_as_a_new_one(old_database):
    assert differences(old_database) == []
    assert columns(old_database) == columns("sqlite://")


def test_all_revisions_together_make_what_a_new_database_has(database_url):
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        migrations.upgrade(connection, None)
    engine.dispose()
    assert differences(database_url) == []
    assert columns(database_url) == columns("sqlite://")


def test_the_last_revision_is_the_schemas():
    scripts = ScriptDirectory(str(migrations.FOLDER))
    assert scripts.get_current_head() == schema.REVISION


@pytest.mark.sqlite
def test_alembics_own_commands_work(old_database):
    def alembic(*arguments: str) -> str:
        command = [sys.executable, "-m", "alembic", *arguments]
        answer = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        return answer.stdout

    Store().close()
    assert schema.REVISION in alembic("current")
    assert "No new upgrade operations" in alembic("check")


def test_an_upgrade_that_fails_half_way_changes_nothing(old_database, tmp_path, monkeypatch):
    broken = shutil.copytree(migrations.FOLDER, tmp_path / "broken")
    (last,) = (broken / "versions").glob("0006_*.py")
    last.write_text(last.read_text() + '    op.execute("UPDATE nowhere SET x = 1")\n')
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "FOLDER", broken)
        with pytest.raises(StoreUnavailable, match="tables"):
            Store()
    store = Store()
    assert store.get("done000000").turn == 1
    store.close()


def test_many_may_bring_it_up_to_date_at_once(old_database):
    found = []

    def open_and_look():
        store = Store()
        found.append(store.get("done000000").turn)
        store.close()

    assert at_once([open_and_look] * 8) == [None] * 8
    assert found == [1] * 8


def test_a_database_that_is_new_or_up_to_date_loads_no_alembic(database_url):
    code = "import sys; from mnist_core.store.database import Database\n"
    code += "Database(); Database(); print('alembic' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"
