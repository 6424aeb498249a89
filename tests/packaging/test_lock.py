"""The lock file pins everything by hash, resolves on all supported Pythons and names no host."""

import re

import pytest


@pytest.fixture(scope="module", params=["requirements.lock", "requirements-uv.lock"])
def lock(request, project_root):
    return (project_root / request.param).read_text()


def requirements(text):
    """One string per requirement, its hashes on the same line."""
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    return [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]


def name_of(requirement):
    return re.split(r"[<>=!;\[ ]", requirement)[0].lower()


def test_every_requirement_is_pinned_with_a_hash(lock):
    found = requirements(lock)
    assert found
    assert [entry for entry in found if not re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry)] == []


def test_no_index_or_host_is_named(lock):
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", lock)


def test_the_lock_covers_every_direct_dependency(project_root):
    import tomllib

    project = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]
    locked = {name_of(entry) for entry in requirements((project_root / "requirements.lock").read_text())}
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {name_of(item) for item in wanted} - locked == set()


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_each_supported_python_finds_exactly_one_version_of_each_package(project_root, version):
    from packaging.requirements import Requirement

    environment = {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    seen = {}
    for entry in requirements((project_root / "requirements.lock").read_text()):
        requirement = Requirement(entry.split(" --hash")[0])
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert requirement.name not in seen, f"{requirement.name} twice on {version}"
            seen[requirement.name] = requirement
    assert {"freqtrade", "tensorflow", "ta-lib", "numpy", "pandas"} <= set(seen)
