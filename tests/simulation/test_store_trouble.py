"""The store fails under a running keeper, and at its start: real files, real locks, a real server.

RULES G5, B6, lesson 21. Whatever takes the store away: nothing enters, a position that loses its
stops is covered within a tick and three round trips, and when the store is back it knows once, in
order, what was done without it, and that there was a gap.
"""

from __future__ import annotations

import os
import pwd
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from engine.domain.action import PlaceOrder
from engine.domain.identity import OrderRole
from engine.domain.order import OrderStatus
from engine.domain.terms import Rights
from engine.read.trades import trade_documents
from engine.store import migrate
from engine.store.connect import ANSWER_MS
from engine.store.reading import ReadStore
from engine.store.schema import REVISIONS, SchemaBehind
from engine.store.spool import Spool
from tests.postgres import PostgresMissing, Server, running_server
from tests.simulation.troubled import INTERVAL_MS, ROUND_TRIP_MS, TroubledWorld

BOUND_MS = INTERVAL_MS + 3 * ROUND_TRIP_MS
AWAY_S = 8.0
BEFORE_SENDING_S = 0.1
COMPUTING_S = 0.05
"""What reconciling and planning may take on a busy machine."""

BACK_S = 60.0


Trouble = Callable[[TroubledWorld], Iterator[None]]
"""Takes a store away until it is resumed, and then gives it back."""


def file_of(world: TroubledWorld) -> Path:
    return Path(world.url.removeprefix("sqlite:///"))


def locked(world: TroubledWorld) -> Iterator[None]:
    """Somebody's transaction stays open."""
    other = sqlite3.connect(file_of(world), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def full(_: TroubledWorld) -> Iterator[None]:
    """No file takes a write beyond its first 64 KiB: neither the database nor its log.

    As on a full disk; the place of the spool was allocated before.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def newer(world: TroubledWorld) -> Iterator[None]:
    """Another version migrated the database under our feet; then it went back."""
    ours = set_revision(world, "9999")
    try:
        yield
    finally:
        set_revision(world, ours)


def set_revision(world: TroubledWorld, revision: str) -> str:
    with closing(sqlite3.connect(file_of(world))) as other, other:
        (before,) = other.execute("SELECT version_num FROM alembic_version").fetchone()
        other.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    return str(before)


def damaged(world: TroubledWorld) -> Iterator[None]:
    """The file is no database any more; then a backup is put in its place."""
    yield from replaced(world, lambda file: file.write_bytes(b"no database " * 1_000))


def unopenable(world: TroubledWorld) -> Iterator[None]:
    """Something else is where the file was."""
    yield from replaced(world, Path.mkdir)


def read_only(world: TroubledWorld) -> Iterator[None]:
    """Neither the file nor its folder may be written; for root that takes another user."""
    world.store.close()  # the kernel judges who may write when a file is opened
    was_root = os.geteuid() == 0
    modes = {path: path.stat().st_mode for path in (world.folder, *files_of(world))}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    if was_root:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


def replaced(world: TroubledWorld, put: Callable[[Path], object]) -> Iterator[None]:
    world.store.close()
    kept = {path: path.read_bytes() for path in files_of(world)}
    for path in kept:
        path.unlink()
    put(file_of(world))
    try:
        yield
    finally:
        for path in file_of(world).parent.glob(f"{file_of(world).name}*"):
            path.rmdir() if path.is_dir() else path.unlink()
        for path, content in kept.items():
            path.write_bytes(content)


def files_of(world: TroubledWorld) -> list[Path]:
    return list(file_of(world).parent.glob(f"{file_of(world).name}*"))


TROUBLES = {"locked": locked, "full disk": full, "newer schema": newer}
AT_START = {**TROUBLES, "damaged file": damaged, "no file": unopenable, "read-only": read_only}


@contextmanager
def in_trouble(trouble: Trouble, world: TroubledWorld) -> Iterator[None]:
    yield from trouble(world)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a place for the store, the spool and the host's lock, into which anybody may look."""
    with TemporaryDirectory(prefix="keeper-trouble-") as name:
        Path(name).chmod(0o755)
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name)


def sqlite_in(folder: Path) -> str:
    return f"sqlite:///{folder}/keeper.db"


def uncovered_meanwhile(world: TroubledWorld, trouble: Trouble) -> None:
    """Let the stops vanish while the store is away, and judge what the keeper does about it."""
    from_ms = world.clock.now_ms
    with in_trouble(trouble, world):
        world.let_pass(2)
        world.uncover()
        world.let_pass(AWAY_S)
        assert not world.is_writable
        placed = world.placed_since(from_ms)
    world.let_pass(BACK_S)

    assert {p.own_id.role for p in placed if p.own_id} == {
        OrderRole.STOP_PRIMARY,
        OrderRole.STOP_FLOOR,
    }
    assert 0 < world.naked_ms() <= BOUND_MS
    assert world.breaches() == []
    brought_back(world, {str(p.own_id) for p in placed})


def brought_back(world: TroubledWorld, ids: set[str]) -> None:
    """Demand that the store knows what was done without it, once, and that there was a gap."""
    assert world.is_writable, (world.store.trouble, world.notes)
    assert Spool(world.spool_path).is_empty
    reader = ReadStore.beside(world.store.desk)
    gaps = [e for e in reader.events(kinds=("seen",)) if e["reason"] == "store_gap"]
    assert len(gaps) == 1, gaps
    ledger = world.store.recall()
    known = {str(o.id): o for o in ledger.orders}
    assert ids <= set(known)
    assert all(known[name].status is OrderStatus.WORKING for name in ids)
    resting = {str(order.own_id) for order in world.history().pictures()[-1].orders}
    assert resting == {n for n, o in known.items() if o.may_rest}
    spooled = [e for e in reader.events(kinds=("intent",)) if e["reason"] == "spooled"]
    texts = [str(e["text"]) for e in spooled]
    assert len(texts) >= 1
    assert [e["at_ms"] for e in spooled] == sorted(e["at_ms"] for e in spooled)
    assert [n for n in world.notes if "the store is back" in n] == ["the store is back"]


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_position_is_protected_while_the_store_is_away(folder: Path, trouble: Trouble) -> None:
    world = TroubledWorld(folder, sqlite_in(folder))
    try:
        uncovered_meanwhile(world, trouble)
    finally:
        world.close()


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_nothing_enters_while_the_store_is_away(folder: Path, trouble: Trouble) -> None:
    """RULES G5: write-ahead is mandatory for what can open; afterwards the keeper is as before."""
    world = TroubledWorld(folder, sqlite_in(folder), holds=False)
    try:
        world.let_pass(5)
        from_ms = world.clock.now_ms
        with in_trouble(trouble, world):
            world.decide()
            world.let_pass(AWAY_S)
            assert world.placed_since(from_ms) == []
        world.let_pass(BACK_S)

        assert [p for p in world.placed_since(from_ms) if p.is_own(OrderRole.ENTRY)]
        assert world.is_writable
    finally:
        world.close()


@pytest.mark.parametrize("trouble", AT_START.values(), ids=AT_START)
def test_a_keeper_begins_without_its_store_while_a_position_is_open(
    folder: Path, trouble: Trouble
) -> None:
    """RULES G5: lease first, then protection from the exchange alone, add-only and said so."""
    world = TroubledWorld(folder, sqlite_in(folder))
    try:
        before = world.store.recall()
        world.die()
        with in_trouble(trouble, world):
            world.uncover()
            world.clock.pass_ms(30_000)  # no lease stands in the way
            from_ms = world.clock.now_ms
            world.restart()
            world.let_pass(AWAY_S)
            assert world.keeper is not None
            assert world.keeper.tenure.rights is Rights.ADD_ONLY
            placed = world.placed_since(from_ms)
            covered = world.history().pictures()[-1]
            assert covered.naked_quantity == 0
            first = next(p for p in placed if p.is_own(OrderRole.STOP_PRIMARY))
            assert first.at_ms - from_ms <= BOUND_MS
        world.let_pass(BACK_S)

        assert world.is_writable
        ledger = world.store.recall()
        assert ledger.life is not None
        assert before.life is not None
        assert ledger.life.decision_id == before.life.decision_id
        assert ledger.life.limit_price == before.life.limit_price, "the old rows were not lost"
        assert world.breaches() == []
        assert any("without the lease" in n for n in world.notes)
    finally:
        world.close()


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_life_that_passes_while_the_store_is_away_is_told_whole(
    folder: Path, trouble: Trouble
) -> None:
    """RULES G5, B5: filled, covered, stopped out without a store; the record is complete later."""
    world = TroubledWorld(folder, sqlite_in(folder), holds=False)
    try:
        world.decide()
        world.let_pass(4)
        with in_trouble(trouble, world):
            world.let_pass(2)
            for price in ("90600", "90500", "90000"):
                world.venue.set_price(Decimal(price), world.clock.now_ms)
                world.let_pass(4)
            assert world.reach.standing()[0] == 0
            assert not world.is_writable
        world.let_pass(BACK_S)
        (trade,) = trade_documents(ReadStore.beside(world.store.desk))

        assert world.reach.standing()[1] == 0, "swept when the store is back"
        assert trade["exit_reason"] == "stop"
        assert trade["naked_s"] == 0
        fills: Any = trade["fills"]
        assert {fill["role"] for fill in fills} == {"entry", "stop_primary"}
        assert world.naked_ms() == 0
        assert world.breaches() == []
    finally:
        world.close()


def test_a_migration_waits_until_everything_is_covered(folder: Path) -> None:
    """RULES G5: lease first, then protection, then migrations and old rows."""
    world = TroubledWorld(folder, sqlite_in(folder))
    try:
        world.die()
        world.store.close()
        migrate.downgrade(world.url, REVISIONS[0])
        world.uncover()
        from_ms = world.clock.now_ms
        world.restart()
        assert isinstance(world.store.trouble, SchemaBehind)
        world.step(from_ms + INTERVAL_MS)
        placed = [p.own_id.role for p in world.placed_since(from_ms) if p.own_id]
        revision = migrate.current(world.url)
        world.let_pass(BACK_S)

        assert OrderRole.STOP_PRIMARY in placed, "in the first tick, with the old schema"
        assert revision == REVISIONS[-1], "and then the migration"
        assert world.is_writable
        assert world.keeper is not None
        assert world.keeper.tenure.rights is Rights.LEASED
        assert world.naked_ms() <= BOUND_MS
        assert world.breaches() == []
    finally:
        world.close()


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_protection_does_not_wait_for_the_store(folder: Path, trouble: Trouble) -> None:
    """RULES G5: store, else spool, else memory: a tenth of a second together, then it is sent.

    Measured on the wall clock from the tick's beginning to its first question, and from its last
    answer to its first order: what lies between is the exchange's time.
    """
    world = TroubledWorld(folder, sqlite_in(folder))
    moments: list[float] = []
    try:
        world.uncover()
        with in_trouble(trouble, world):
            world.meanwhile = lambda _: moments.append(time.monotonic())
            began = time.monotonic()
            assert world.keeper is not None
            report = world.keeper.tick()
            world.meanwhile = None
            assert not world.is_writable
    finally:
        world.close()

    orders = [o for o in report.outcomes if isinstance(o.action, PlaceOrder)]
    first_order = len(moments) - len(orders)
    waited_s = (moments[0] - began) + (moments[first_order] - moments[first_order - 1])
    assert orders
    assert waited_s <= BEFORE_SENDING_S + COMPUTING_S


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Give a server of our own: it is stopped and started."""
    try:
        with running_server() as made:
            yield made
    except PostgresMissing as missing:
        pytest.skip(str(missing))


@pytest.mark.postgres
class TestPostgres:
    """The same on a real server that goes, hangs, and comes back."""

    def test_gone_and_back(self, folder: Path, server: Server) -> None:
        """RULES G5: the server ends in the middle of everything."""

        def gone(_: TroubledWorld) -> Iterator[None]:
            server.stop()
            try:
                yield
            finally:
                server.start()

        world = TroubledWorld(folder, server.url)
        try:
            uncovered_meanwhile(world, gone)
        finally:
            world.close()

    def test_a_keeper_begins_before_its_server(
        self, folder: Path, server: Server, request: pytest.FixtureRequest
    ) -> None:
        """RULES G5: both machines boot after a power cut, and the database takes longer."""
        world = TroubledWorld(folder, server.url, account=request.node.name)
        try:
            world.die()
            world.store.close()
            server.stop()
            try:
                world.uncover()
                world.restart()
                world.let_pass(AWAY_S)
                assert world.history().pictures()[-1].naked_quantity == 0
                assert not world.is_writable
            finally:
                server.start()
            world.let_pass(BACK_S)

            assert world.is_writable
            assert world.naked_ms() <= BOUND_MS
            assert world.breaches() == []
        finally:
            world.close()

    def test_a_server_that_hangs_is_waited_for_once(
        self, folder: Path, server: Server, request: pytest.FixtureRequest
    ) -> None:
        """RULES G5: no answer is as good as gone; the tick goes on, and the next asks anew."""
        world = TroubledWorld(folder, server.url, account=request.node.name)
        try:
            raw = world.store.desk.raw
            (pid,) = raw.execute("SELECT pg_backend_pid()").fetchone()
            raw.commit()
            world.uncover()
            from_ms = world.clock.now_ms
            os.kill(pid, signal.SIGSTOP)
            try:
                began_s = time.monotonic()
                world.let_pass(1.5)
                took_s = time.monotonic() - began_s
            finally:
                os.kill(pid, signal.SIGCONT)
            placed = world.placed_since(from_ms)
            world.let_pass(BACK_S)

            assert took_s < 3 * ANSWER_MS / 1000
            assert OrderRole.STOP_PRIMARY in {p.own_id.role for p in placed if p.own_id}
            assert world.naked_ms() <= BOUND_MS
            assert world.is_writable
        finally:
            world.close()
