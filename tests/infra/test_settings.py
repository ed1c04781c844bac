"""Settings from the environment: what is refused, who gets what, and that no secret is ever shown."""

import configparser
from pathlib import Path

import pytest

from infra import settings
from infra.databases import DatabaseError, check_databases
from infra.programs import Site, programs, write_mlflow_auth
from infra.settings import WITHHELD, Settings, check_settings
from infra.stack_file import Ports
from infra.supervision import supervisor_config
from tests.browser.conftest import free_ports

SECRET = "s3cr%t@pw/1"
QUOTED = "s3cr%25t%40pw%2F1"
FULL = {
    "GLAM_PREFECT_DATABASE": f"postgresql+asyncpg://glam:{QUOTED}@127.0.0.1:1/prefect",
    "GLAM_MLFLOW_DATABASE": f"postgresql://glam:{QUOTED}@127.0.0.1:1/mlflow",
    "PREFECT_SERVER_API_AUTH_STRING": "admin:prefect-secret",
    "GLAM_MLFLOW_AUTH": "1",
    "MLFLOW_TRACKING_USERNAME": "boss",
    "MLFLOW_TRACKING_PASSWORD": "mlflow-secret-1",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "form-secret",
    "GLAM_MLFLOW_ARTIFACTS": "s3://bucket/prefix",
    "AWS_SECRET_ACCESS_KEY": "bucket-secret",
    "AWS_SESSION_TOKEN": "bucket-token",
}
SECRETS = (SECRET, QUOTED, "prefect-secret", "mlflow-secret-1", "form-secret", "bucket-secret", "bucket-token")


@pytest.fixture(autouse=True)
def everything_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drivers are extras."""
    monkeypatch.setattr(settings, "find_spec", lambda _name: object())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"GLAM_PREFECT_DATABASE": f"postgresql://glam:{QUOTED}@h/d"}, r"has to begin with postgresql\+asyncpg://"),
        ({"GLAM_MLFLOW_DATABASE": f"mysql://glam:{QUOTED}@h/d"}, "GLAM_MLFLOW_DATABASE begins with mysql://"),
        ({"GLAM_MLFLOW_DATABASE": SECRET}, "GLAM_MLFLOW_DATABASE is no address"),
        ({"GLAM_MLFLOW_DATABASE": f"postgresql://glam:{SECRET}@h/d"}, "of a password as %2F"),
        ({"GLAM_MLFLOW_ARTIFACTS": "gs://bucket/prefix"}, "GLAM_MLFLOW_ARTIFACTS begins with gs://"),
        ({"PREFECT_API_AUTH_STRING": "admin:other"}, "PREFECT_API_AUTH_STRING is not what"),
        ({"GLAM_MLFLOW_AUTH": "yes"}, "GLAM_MLFLOW_AUTH is 'yes': set it to 1"),
        ({"MLFLOW_TRACKING_USERNAME": ""}, r"needs MLFLOW_TRACKING_USERNAME \(the name of the administrator\) as well"),
        ({"MLFLOW_TRACKING_PASSWORD": "short"}, "has 5 characters; MLflow wants 12"),
    ],
)
def test_what_a_stack_cannot_start_with_is_refused_by_name_and_without_its_secret(
    changes: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        check_settings({**FULL, **changes})
    assert not any(secret in str(refusal.value) for secret in SECRETS)


def test_a_driver_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "find_spec", lambda _name: None)
    for variable, extra in (("GLAM_MLFLOW_DATABASE", "postgres"), ("GLAM_PREFECT_DATABASE", "postgres")):
        with pytest.raises(ValueError, match=rf"{variable} needs .*pip install 'glam\[{extra}\]'"):
            check_settings({variable: FULL[variable]})
    with pytest.raises(ValueError, match=r"pip install 'glam\[s3\]'"):
        check_settings({"GLAM_MLFLOW_ARTIFACTS": "s3://bucket/prefix"})


def test_good_settings_and_none_pass() -> None:
    check_settings(FULL)
    check_settings({**FULL, "PREFECT_API_AUTH_STRING": "admin:prefect-secret"})
    check_settings({})


def test_secrets_stand_on_no_command_line_and_in_no_configuration(tmp_path: Path) -> None:
    made = programs(Site(tmp_path, Ports(), settings=Settings.read(FULL)))
    (tmp_path / "mlflow").mkdir()
    write_mlflow_auth(tmp_path)
    shown = [
        supervisor_config(made),
        repr(Settings.read(FULL)),
        repr(made),
        (tmp_path / "mlflow/basic_auth.ini").read_text(),
    ]
    shown += [argument for program in made.values() for argument in program.arguments]
    assert [(secret, text) for text in shown for secret in SECRETS if secret in text] == []


def test_each_program_gets_the_secrets_that_it_needs_and_no_other(tmp_path: Path) -> None:
    made = programs(Site(tmp_path, Ports(), settings=Settings.read(FULL)))
    holders = {
        name: {secret for secret in SECRETS if any(secret in value for value in program.environment.values())}
        for name, program in made.items()
    }
    assert holders == {
        "prefect": {QUOTED, "prefect-secret"},
        "mlflow": {QUOTED, "mlflow-secret-1", "form-secret", "bucket-secret", "bucket-token"},
        "deployments": {"prefect-secret", "mlflow-secret-1", "bucket-secret", "bucket-token"},
        "dashboard": set(),
        "serve": set(),
        "ray": set(),
    }
    plain = {"GLAM_MLFLOW_AUTH", "GLAM_MLFLOW_ARTIFACTS"}
    assert set(FULL) - plain <= set(WITHHELD), "what is not withheld is inherited by all"
    without = {name: value for name, value in FULL.items() if name != "GLAM_MLFLOW_ARTIFACTS"}
    assert Settings.read(without).bucket_credentials == {}, "nobody needs them where there is no bucket"


def test_mlflow_is_told_its_driver_and_where_its_accounts_are(tmp_path: Path) -> None:
    odd = tmp_path / "100% odd"
    made = programs(Site(odd, Ports(), settings=Settings.read(FULL)))["mlflow"]
    assert made.environment["MLFLOW_BACKEND_STORE_URI"].startswith("postgresql+psycopg://glam:")
    assert made.arguments[-2:] == ("--app-name", "basic-auth")
    (odd / "mlflow").mkdir(parents=True)
    write_mlflow_auth(odd)
    config = configparser.ConfigParser()
    config.read(made.environment["MLFLOW_AUTH_CONFIG_PATH"])
    assert config["mlflow"]["database_uri"] == f"sqlite:///{odd}/mlflow/auth.db"


def test_a_text_is_shown_without_its_secrets() -> None:
    given = Settings.read(FULL)
    text = (
        f"cannot open postgresql://glam:{QUOTED}@h/d with {SECRET}, admin:prefect-secret, mlflow-secret-1, "
        "form-secret, bucket-secret, bucket-token"
    )
    hidden = given.hide(text)
    assert not any(secret in hidden for secret in SECRETS)
    assert hidden.startswith("cannot open postgresql://glam:***@h/d")
    assert Settings().hide(text) == text


@pytest.mark.parametrize(
    ("variable", "module"), [("GLAM_PREFECT_DATABASE", "asyncpg"), ("GLAM_MLFLOW_DATABASE", "psycopg")]
)
def test_a_database_that_is_not_there_is_named_without_its_password(variable: str, module: str) -> None:
    pytest.importorskip(module)
    (port,) = free_ports(1)
    given = Settings.read({variable: FULL[variable].replace(":1/", f":{port}/")})
    with pytest.raises(
        DatabaseError, match=rf"{variable}: the database '(prefect|mlflow)' at 127\.0\.0\.1:{port}"
    ) as failure:
        check_databases(given)
    assert not any(secret in str(failure.value) for secret in SECRETS)
