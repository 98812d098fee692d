"""docker-compose.yml, .env and Dockerfile, read as text: what an operator relies on. Only one test needs Docker."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from stream_detector import __version__
from stream_detector.cli import _parser
from stream_detector.settings.group import PREFIX
from stream_detector.settings.schema import Settings
from stream_detector.settings.sources import load_settings

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"
PLANT = {"COMPOSE_PROFILES": "", f"{PREFIX}KAFKA__BROKERS": "kafka-1.plant.example:9092", "MODELS": "/srv/models"}


def substituted(text: str, variables: dict[str, str]) -> str:
    """Substitute ${NAME}, ${NAME:-default}, ${NAME:?message} and $$ as Compose does; KeyError for a name without a value."""

    def put_in(match: re.Match[str]) -> str:
        name, operator, rest = match["name"], match["operator"], match["rest"]
        if name is None:
            return "$"
        return variables.get(name) or rest if operator == ":-" else variables[name]

    return re.sub(r"\$\$|\$\{(?P<name>\w+)((?P<operator>:-|:\?)(?P<rest>[^}]*))?\}", put_in, text)


def dot_env() -> dict[str, str]:
    return {name: value for name, value in dotenv_values(ROOT / ".env").items() if value is not None}


def read_project(variables: dict[str, str]) -> dict[str, Any]:
    project: dict[str, Any] = yaml.safe_load(substituted(COMPOSE.read_text(), variables))
    return project


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return read_project(dot_env())


@pytest.fixture(scope="module")
def services(project: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = project["services"]
    return found


def container_environment(service: dict[str, Any], variables: dict[str, str]) -> dict[str, str]:
    """Return the environment that Compose gives a service; a name without a value takes that of `variables` or is left out."""
    given = {name: variables.get(name) if value is None else value for name, value in service["environment"].items()}
    return {name: value for name, value in given.items() if value is not None}


def settings_in(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def names_of(*groups: str) -> set[str]:
    """Return the variables of all settings of these groups."""
    models = {group: Settings.model_fields[group].annotation for group in groups}
    return {
        f"{PREFIX}{group}__{name}".upper() for group, model in models.items() for name in getattr(model, "model_fields", {})
    }


def command_lines(service: dict[str, Any]) -> list[list[str]]:
    """Return the arguments of every `stream-detector` that a service runs."""
    command = service["command"]
    if command[0] != "sh":
        return [command]
    lines = (line.strip() for line in command[-1].splitlines())
    return [shlex.split(line)[1:] for line in lines if line.startswith("stream-detector ")]


def test_images_have_pinned_tags(services: dict[str, Any]) -> None:
    tags = {name: service["image"].partition(":")[2] for name, service in services.items()}

    assert {name for name, tag in tags.items() if not re.fullmatch(r"\d+(\.\d+)+", tag)} == set()
    assert tags["kafka"].startswith("4.")


def test_image_carries_the_version_of_the_package(services: dict[str, Any]) -> None:
    ours = {name for name, service in services.items() if service["image"] == f"stream-detector:{__version__}"}

    assert ours == {"detector", "train", "simulator"}
    assert {name for name, service in services.items() if "build" in service} == {"detector"}
    assert {services[name]["pull_policy"] for name in ours - {"detector"}} == {"never"}
    assert f"ARG VERSION={__version__}" in (ROOT / "Dockerfile").read_text().splitlines()


def test_everything_but_the_detector_and_its_redis_belongs_to_the_demo(services: dict[str, Any]) -> None:
    profiles = {name: service.get("profiles") for name, service in services.items()}

    assert profiles == {"detector": None, "redis": None, "kafka": ["demo"], "train": ["demo"], "simulator": ["demo"]}
    assert dot_env()["COMPOSE_PROFILES"] == "demo"


def test_nothing_requires_a_service_that_a_profile_may_leave_out(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, dependency in service.get("depends_on", {}).items():
            same_profile = services[name].get("profiles") in (None, service.get("profiles"))
            assert same_profile or dependency["required"] is False


def test_services_start_after_what_they_need(services: dict[str, Any]) -> None:
    conditions = {
        name: {needed: dependency["condition"] for needed, dependency in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }

    assert conditions == {
        "detector": {
            "redis": "service_healthy",
            "kafka": "service_healthy",
            "train": "service_completed_successfully",
        },
        "simulator": {"kafka": "service_healthy"},
        "redis": {},
        "kafka": {},
        "train": {},
    }


def test_every_service_that_stays_has_a_health_check_and_is_restarted(services: dict[str, Any]) -> None:
    staying = {name: service for name, service in services.items() if name != "train"}

    assert {name for name, service in staying.items() if not service["healthcheck"].get("test")} == set()
    assert {service["restart"] for service in staying.values()} == {"unless-stopped"}
    assert services["train"]["healthcheck"] == {"disable": True}
    assert services["train"]["restart"] == "no"


def test_every_service_is_confined(services: dict[str, Any]) -> None:
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert {"mem_limit", "pids_limit"} <= service.keys()
        assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & service.keys()


def test_our_image_runs_without_capabilities_on_a_read_only_file_system(services: dict[str, Any]) -> None:
    for service in (services[name] for name in ("detector", "train", "simulator")):
        assert service["read_only"] is True
        assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
        assert not {"cap_add", "user"} & service.keys()


def test_image_ends_as_an_unprivileged_user_without_build_tools() -> None:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", "").splitlines()
    last = lines[max(place for place, line in enumerate(lines) if line.startswith("FROM ")) :]
    instructions = [line.split(maxsplit=1) for line in last if line and line[0].isupper()]
    final = dict(instructions)

    assert lines[0] != "# syntax"
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", final["USER"])
    assert final["ENTRYPOINT"] == '["stream-detector"]'
    assert final["STOPSIGNAL"] == "SIGTERM"
    assert "HEALTHCHECK" in final
    assert not any("apt-get" in argument or "pip" in argument for name, argument in instructions if name == "RUN")


def test_ports_are_published_on_the_loopback_address_only(services: dict[str, Any]) -> None:
    published = {name: service.get("ports", []) for name, service in services.items()}

    assert published == {
        "detector": ["127.0.0.1:8080:8080"],
        "kafka": ["127.0.0.1:29092:29092"],
        "redis": [],
        "train": [],
        "simulator": [],
    }


def test_only_the_detector_reaches_redis(project: dict[str, Any], services: dict[str, Any]) -> None:
    reaching = {name for name, service in services.items() if "state" in service.get("networks", ["default"])}

    assert reaching == {"detector", "redis"}
    assert services["redis"]["networks"] == ["state"]
    assert project["networks"]["state"] == {"internal": True}


def test_redis_keeps_its_data_and_never_evicts(services: dict[str, Any]) -> None:
    command = services["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))

    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert services["redis"]["volumes"] == ["redis:/data"]


def test_persistent_data_is_in_named_volumes(project: dict[str, Any], services: dict[str, Any]) -> None:
    mounted = {name: service.get("volumes", []) for name, service in services.items()}

    assert mounted == {
        "detector": ["models:/models"],
        "train": ["models:/models"],
        "kafka": ["kafka:/var/lib/kafka/data"],
        "redis": ["redis:/data"],
        "simulator": [],
    }
    assert project["volumes"].keys() == {"kafka", "models", "redis"}


def test_kafka_is_reached_at_kafka_9092_inside_and_localhost_29092_outside(services: dict[str, Any]) -> None:
    environment = services["kafka"]["environment"]

    assert environment["KAFKA_ADVERTISED_LISTENERS"] == "INSIDE://kafka:9092,HOST://localhost:29092"
    assert environment["KAFKA_LISTENERS"] == "INSIDE://:9092,CONTROLLER://:9093,HOST://:29092"
    assert environment["KAFKA_LOG_DIRS"] == "/var/lib/kafka/data"


def test_every_setting_reaches_the_detector_and_no_other_name(services: dict[str, Any]) -> None:
    assert services["detector"]["environment"].keys() == names_of(*Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "groups"), [("train", ("kafka", "input", "registry", "state", "alerts", "rules")), ("simulator", ("kafka",))]
)
def test_a_command_gets_the_settings_it_reads_except_those_of_the_consumer_group(
    services: dict[str, Any], name: str, groups: tuple[str, ...]
) -> None:
    of_the_group = {f"{PREFIX}KAFKA__{setting}" for setting in ("GROUP_ID", "INSTANCE_ID", "START")}

    assert services[name]["environment"].keys() == names_of(*groups) - of_the_group


def test_a_setting_from_dot_env_or_the_shell_is_passed_on_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = dot_env() | {
        f"{PREFIX}DEAD_LETTERS__MAX_SHARE": "1",
        f"{PREFIX}KAFKA__EXTRA": '{"client_rack": "eu-1a"}',
        f"{PREFIX}REDIS__CLUSTER": "true",
        f"{PREFIX}HTTP__PORT": "9000",
    }

    detector = read_project(variables)["services"]["detector"]
    settings = settings_in(container_environment(detector, variables), monkeypatch)

    assert settings.dead_letters.max_share == 1.0
    assert settings.kafka.extra == {"client_rack": "eu-1a"}
    assert settings.redis.cluster
    assert settings.http.port == 9000
    assert detector["ports"] == ["127.0.0.1:8080:9000"]
    assert "os.environ.get('STREAM_DETECTOR_HTTP__PORT', '8080') + '/readyz'" in detector["healthcheck"]["test"][-1]


def test_every_setting_named_in_dot_env_reaches_the_detector(services: dict[str, Any]) -> None:
    named = set(re.findall(rf"^(?:# )?({PREFIX}\w+)=", (ROOT / ".env").read_text(), re.MULTILINE))

    assert f"{PREFIX}KAFKA__SASL_PASSWORD" in named
    assert named <= services["detector"]["environment"].keys()


def test_demo_settings_are_valid(services: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(container_environment(services["detector"], dot_env()), monkeypatch)

    assert settings.kafka.brokers == "kafka:9092"
    assert settings.kafka.alerts_topic == "sensor-alerts"
    assert settings.redis.url.get_secret_value() == "redis://redis:6379/0"
    assert settings.model.directory == Path("/models/pumps")


def test_settings_of_the_users_own_kafka_reach_the_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = dot_env() | PLANT | {f"{PREFIX}KAFKA__SASL_PASSWORD": "secret"}

    project = read_project(variables)
    settings = settings_in(container_environment(project["services"]["detector"], variables), monkeypatch)

    assert settings.kafka.brokers == "kafka-1.plant.example:9092"
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == "secret"
    assert project["services"]["detector"]["volumes"] == ["/srv/models:/models"]


def test_simulated_fleet_is_the_one_trained_on(services: dict[str, Any]) -> None:
    history, training = (_parser(line[0]).parse_args(line) for line in command_lines(services["train"]))
    (stream,) = (_parser(line[0]).parse_args(line) for line in command_lines(services["simulator"]))

    assert [history.command, training.command, stream.command] == ["simulate", "train", "simulate"]
    fleets = [(each.sensors, each.seed, each.interval_seconds) for each in (history, stream)]
    assert fleets[0] == fleets[1]
    assert training.input == [history.output]
    assert training.output == Path(dot_env()[f"{PREFIX}MODEL__DIRECTORY"])
    assert history.fault_every_seconds is None
    assert stream.until_stopped


def test_the_detector_runs_the_command_of_the_image(services: dict[str, Any]) -> None:
    assert not {"command", "entrypoint"} & services["detector"].keys()
    assert (ROOT / "Dockerfile").read_text().splitlines()[-1] == 'CMD ["run"]'


def compose_command() -> list[str]:
    """Return `docker compose`; skip if it is missing or does not understand `required: false`."""
    if shutil.which("docker") is None:
        pytest.skip("there is no docker command")
    version = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True, check=False)
    if version.returncode:
        pytest.skip("docker has no Compose v2")
    return ["docker", "compose", "--project-directory", str(ROOT)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, {"detector", "redis", "kafka", "train", "simulator"}), (PLANT, {"detector", "redis"})],
    ids=["demo", "plant"],
)
def test_compose_accepts_the_project(changes: dict[str, str], expected: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    compose = compose_command()
    for name in dot_env():
        monkeypatch.delenv(name, raising=False)
    for name, value in changes.items():
        monkeypatch.setenv(name, value)

    checked = subprocess.run([*compose, "config", "--quiet"], capture_output=True, text=True, check=False)
    listed = subprocess.run([*compose, "config", "--services"], capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")
    assert set(listed.stdout.split()) == expected
