"""Who may import whom: the core is pure, adapters are thin, only the simulator opens sockets."""

import ast

import pytest

OUTSIDE = ("freqtrade", "ccxt", "aiohttp", "requests", "socket", "threading", "asyncio", "subprocess")
CORE = ("settings", "market", "policy", "risk", "forecast")
MAY_IMPORT = {
    "settings": {"settings"},
    "market": {"market", "settings"},
    "policy": {"policy", "market", "settings"},
    "risk": {"risk", "settings"},
    "forecast": {"forecast", "settings"},
}
EVERYBODY = {"errors", "enums"}
# what is learned from candidates: the journal below, the models on it
JOURNAL = {
    "journal": {"journal", "store", "policy", "market", "settings"},
    "learning": {"learning", "journal", "evaluation", "reports", "policy", "market", "settings"},
}
# outside data: the store below, then who asks, the two kinds of sources beside each other, all of it on top
OUTSIDE_DATA = {
    "store": {"store", "settings"},
    "polling": {"polling", "store", "exchange", "settings"},
    "sentiment": {"sentiment", "polling", "store", "settings"},
    "onchain": {"onchain", "polling", "store", "settings"},
    "sources": {"sources", "sentiment", "onchain", "polling", "store", "exchange", "settings"},
}


def modules(root, room):
    return sorted((root / "adaptive_pkg" / room).rglob("*.py"))


def imports(path):
    """(dotted name, whether at module level) of every import in a file."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        names = (
            [item.name for item in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        for name in names:
            yield name, id(node) in top


@pytest.mark.parametrize("room", CORE)
def test_the_core_imports_no_exchange_no_network_and_only_its_neighbours(project_root, room):
    for path in modules(project_root, room):
        for name, _ in imports(path):
            head, _, rest = name.partition(".")
            # forecast.network serialises TensorFlow's graph with a lock; it starts no thread
            if not (room == "forecast" and name == "threading"):
                assert head not in OUTSIDE, f"{path.name} imports {name}"
            if head == "adaptive_pkg" and rest:
                assert rest.split(".")[0] in MAY_IMPORT[room] | EVERYBODY, f"{path.name} imports {name}"


def test_tensorflow_is_imported_only_inside_functions_of_the_forecast_room(project_root):
    for path in (project_root / "adaptive_pkg").rglob("*.py"):
        for name, at_module_level in imports(path):
            if name.split(".")[0] in ("tensorflow", "keras"):
                assert path.parent.name == "forecast", path
                assert not at_module_level, path


def test_the_exchange_room_stands_alone(project_root):
    for path in modules(project_root, "exchange"):
        for name, _ in imports(path):
            head, _, rest = name.partition(".")
            assert head not in ("freqtrade", "ccxt"), f"{path.name} imports {name}"
            if head == "adaptive_pkg" and rest:
                assert rest.split(".")[0] in {"exchange", "settings"} | EVERYBODY, (
                    f"{path.name} imports {name}"
                )


@pytest.mark.parametrize("room", OUTSIDE_DATA)
def test_the_rooms_of_outside_data_import_only_what_is_below_them(project_root, room):
    assert modules(project_root, room)
    for path in modules(project_root, room):
        for name, _ in imports(path):
            head, _, rest = name.partition(".")
            assert head not in ("freqtrade", "ccxt", "requests", "torch"), f"{path.name} imports {name}"
            assert room != "store" or head not in OUTSIDE or head == "threading", (
                f"{path.name} imports {name}"
            )
            if head == "adaptive_pkg" and rest:
                assert rest.split(".")[0] in OUTSIDE_DATA[room] | EVERYBODY, f"{path.name} imports {name}"


@pytest.mark.parametrize("room", JOURNAL)
def test_the_rooms_of_past_decisions_know_no_freqtrade_and_no_network(project_root, room):
    assert modules(project_root, room)
    for path in modules(project_root, room):
        for name, _ in imports(path):
            head, _, rest = name.partition(".")
            assert head not in OUTSIDE, f"{path.name} imports {name}"
            if head == "adaptive_pkg" and rest:
                assert rest.split(".")[0] in JOURNAL[room] | EVERYBODY, f"{path.name} imports {name}"


def test_the_adapter_knows_freqtrades_objects_but_does_not_import_it(project_root):
    for path in modules(project_root, "adapter"):
        for name, _ in imports(path):
            assert name.split(".")[0] not in OUTSIDE, f"{path.name} imports {name}"
            assert name.split(".")[:2] not in (["adaptive_pkg", "cli"], ["adaptive_pkg", "simulator"])


@pytest.mark.parametrize("room", CORE)
def test_the_core_reads_no_clock(project_root, room):
    for path in modules(project_root, room):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                call = f"{node.value.id}.{node.attr}"
                assert call not in {"time.time", "datetime.now", "datetime.utcnow", "time.monotonic"}, path


def test_modules_stay_one_noun_long(project_root):
    for path in (project_root / "adaptive_pkg").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 350, path
    for path in (project_root / "user_data").glob("strategies/*.py"):
        assert len(path.read_text().splitlines()) <= 370, path
    for path in (project_root / "user_data").glob("freqaimodels/*.py"):
        assert len(path.read_text().splitlines()) <= 170, path
