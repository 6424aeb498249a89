"""What can be known of the image without an engine: the files exist, the steps are the tested ones."""

import re
import shlex

import pytest
import yaml
from freqtrade.commands.arguments import Arguments


@pytest.fixture(scope="module")
def dockerfile(project_root):
    joined = (project_root / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def compose(project_root):
    return yaml.safe_load((project_root / "docker-compose.yml").read_text())


def test_every_file_the_image_copies_exists_and_is_let_through(dockerfile, project_root):
    let_through = {
        line[1:] for line in (project_root / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    for line in dockerfile:
        if not line.startswith("COPY"):
            continue
        *sources, _target = [word for word in shlex.split(line)[1:] if not word.startswith("--")]
        for source in sources:
            assert (project_root / source).exists(), source
            assert any(rule.split("/")[0] == source for rule in let_through), f"{source} is ignored"


def install_steps(text):
    """Installing commands, without the interpreter's path and quietness."""
    steps = re.findall(r"(?:pip|uv pip) install [^&\n]*", text.replace("$(BIN)", ".venv/bin"))
    noise = r"--quiet|--disable-pip-version-check|--no-cache|--python \S+"
    return [" ".join(re.sub(noise, "", step).split()) for step in steps]


def test_the_image_installs_with_the_steps_of_make_install(dockerfile, project_root):
    makefile = (project_root / "Makefile").read_text().split("ifeq ($(INSTALLER),uv)")[1].split("else")[0]
    assert install_steps("\n".join(dockerfile)) == install_steps(makefile)
    assert len(install_steps(makefile)) == 3


def test_the_image_runs_as_a_plain_user_from_before_anything_is_copied(dockerfile):
    users = [i for i, line in enumerate(dockerfile) if line.startswith("USER")]
    copies = [i for i, line in enumerate(dockerfile) if line.startswith("COPY")]
    assert [dockerfile[i] for i in users] == ["USER adaptive"]
    assert users[0] < copies[0]


def test_the_image_uses_a_python_the_package_supports(dockerfile):
    version = re.fullmatch(r"FROM python:3\.(\d+)-slim-\w+", dockerfile[0])
    assert version
    assert int(version[1]) in (11, 12, 13)


def test_the_trading_service_publishes_its_api_on_localhost_only(compose):
    for port in compose["services"]["trade"]["ports"]:
        assert port.startswith("127.0.0.1:")


def test_user_data_is_mounted_and_exists(compose, project_root):
    for mount in compose["services"]["trade"]["volumes"]:
        source, target = mount.split(":")
        assert (project_root / source).is_dir()
        assert target == "/adaptive/user_data"


def test_the_trading_command_is_one_freqtrade_parses(compose, project_root):
    arguments = Arguments(shlex.split(compose["services"]["trade"]["command"])).get_parsed_arg()
    assert arguments["command"] == "trade"
    assert arguments["strategy"] == "AdaptiveGRU"
    assert all((project_root / path).is_file() for path in arguments["config"])


def test_the_demo_is_a_profile_with_a_command_the_cli_parses(compose):
    from adaptive_pkg.cli import _parser

    demo = compose["services"]["demo"]
    assert demo["profiles"] == ["demo"]
    assert demo["entrypoint"] == ["adaptive"]
    assert _parser().parse_args(demo["command"]).command == "demo"


def test_no_secret_stands_in_the_compose_file(compose):
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|KEY|SECRET|TOKEN", name), f"{name}={value}"
