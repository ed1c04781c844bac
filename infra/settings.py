"""What the stack is told through the environment and through nothing else: databases, artifacts, authentication.

Nothing of it stands on a command line, in `stack.json`, in the supervisor's configuration or in our messages, and a
program's environment holds only what that program needs.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Self
from urllib.parse import quote, unquote, urlsplit

PREFECT_DATABASE = "GLAM_PREFECT_DATABASE"
MLFLOW_DATABASE = "GLAM_MLFLOW_DATABASE"
MLFLOW_ARTIFACTS = "GLAM_MLFLOW_ARTIFACTS"
MLFLOW_AUTH = "GLAM_MLFLOW_AUTH"
PREFECT_SERVER_AUTH = "PREFECT_SERVER_API_AUTH_STRING"
PREFECT_CLIENT_AUTH = "PREFECT_API_AUTH_STRING"
MLFLOW_USER, MLFLOW_PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
MLFLOW_ADMIN, MLFLOW_ADMIN_PASSWORD = "MLFLOW_AUTH_ADMIN_USERNAME", "MLFLOW_AUTH_ADMIN_PASSWORD"
MLFLOW_FORM_KEY = "MLFLOW_FLASK_SERVER_SECRET_KEY"
BUCKET_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
WITHHELD = (
    *(PREFECT_DATABASE, MLFLOW_DATABASE, PREFECT_SERVER_AUTH, PREFECT_CLIENT_AUTH),
    *(MLFLOW_USER, MLFLOW_PASSWORD, MLFLOW_ADMIN, MLFLOW_ADMIN_PASSWORD, MLFLOW_FORM_KEY),
    *BUCKET_CREDENTIALS,
)
"""What no program inherits; each is handed what it needs."""
SCHEMES = {
    PREFECT_DATABASE: ("postgresql+asyncpg", "asyncpg", "postgres"),
    MLFLOW_DATABASE: ("postgresql", "psycopg", "postgres"),
    MLFLOW_ARTIFACTS: ("s3", "boto3", "s3"),
}
"""How the value begins, the module that it needs, and the extra that brings that module."""
SHORTEST_PASSWORD = 12
"""MLflow's rule."""


@dataclass(frozen=True)
class Settings:
    """None: the default, which lies in the store and asks for no password."""

    prefect_database: str | None = field(default=None, repr=False)
    mlflow_database: str | None = field(default=None, repr=False)
    mlflow_artifacts: str | None = None
    prefect_auth: str | None = field(default=None, repr=False)
    """`user:password` that the server wants and the clients of the stack send."""
    prefect_client_auth: str | None = field(default=None, repr=False)
    mlflow_user: str | None = field(default=None, repr=False)
    mlflow_password: str | None = field(default=None, repr=False)
    """What clients of MLflow send, wherever it is."""
    mlflow_auth: bool = False
    mlflow_admin: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What MLflow's authentication wants in its environment."""
    bucket_credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Environment of what reads and writes artifacts, where they go to a bucket."""

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """As they are; `check_settings` says whether they will do."""
        admin = {
            MLFLOW_FORM_KEY: environment.get(MLFLOW_FORM_KEY),
            MLFLOW_ADMIN: environment.get(MLFLOW_ADMIN) or environment.get(MLFLOW_USER),
            MLFLOW_ADMIN_PASSWORD: environment.get(MLFLOW_ADMIN_PASSWORD) or environment.get(MLFLOW_PASSWORD),
        }
        server = environment.get(PREFECT_SERVER_AUTH) or None
        artifacts = environment.get(MLFLOW_ARTIFACTS) or None
        credentials = {name: value for name in BUCKET_CREDENTIALS if artifacts and (value := environment.get(name))}
        return cls(
            prefect_database=environment.get(PREFECT_DATABASE) or None,
            mlflow_database=environment.get(MLFLOW_DATABASE) or None,
            mlflow_artifacts=artifacts,
            prefect_auth=server,
            prefect_client_auth=environment.get(PREFECT_CLIENT_AUTH) or server,
            mlflow_user=environment.get(MLFLOW_USER) or None,
            mlflow_password=environment.get(MLFLOW_PASSWORD) or None,
            mlflow_auth=environment.get(MLFLOW_AUTH) == "1",
            mlflow_admin={name: value for name, value in admin.items() if value},
            bucket_credentials=credentials,
        )

    @property
    def mlflow_backend(self) -> str | None:
        """With its driver named: which one SQLAlchemy takes by itself changed with its release 2.1."""
        address = self.mlflow_database
        return None if address is None else address.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def prefect_clients(self) -> dict[str, str]:
        """Environment of what talks to Prefect."""
        return {PREFECT_CLIENT_AUTH: self.prefect_client_auth} if self.prefect_client_auth else {}

    @property
    def mlflow_clients(self) -> dict[str, str]:
        """Environment of what talks to MLflow."""
        pairs = {MLFLOW_USER: self.mlflow_user, MLFLOW_PASSWORD: self.mlflow_password}
        return {name: value for name, value in pairs.items() if value}

    def hide(self, text: str) -> str:
        """The text, with *** for every secret in it."""
        addresses = (self.prefect_database, self.mlflow_database)
        passwords = [password for address in addresses if address and (password := _password(address))]
        secrets = {*passwords, *(unquote(each) for each in passwords), self.mlflow_password, self.prefect_client_auth}
        secrets |= {value for name, value in self.mlflow_admin.items() if name != MLFLOW_ADMIN}
        secrets |= set(self.bucket_credentials.values())
        for secret in sorted((each for each in secrets if each), key=len, reverse=True):
            text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")
        return text


def check_settings(environment: Mapping[str, str] = os.environ) -> None:
    """Raises ValueError for what a stack cannot start with, naming the variable and not its value."""
    for variable in SCHEMES:
        if address := environment.get(variable):
            _check_address(variable, address)
    server, client = environment.get(PREFECT_SERVER_AUTH), environment.get(PREFECT_CLIENT_AUTH)
    if server and client and server != client:
        raise ValueError(f"{PREFECT_CLIENT_AUTH} is not what {PREFECT_SERVER_AUTH} asks for: make them the same")
    if (answer := environment.get(MLFLOW_AUTH, "0")) not in ("", "0", "1"):
        raise ValueError(f"{MLFLOW_AUTH} is {answer!r}: set it to 1, or unset it")
    if answer == "1":
        _check_mlflow_auth(environment)


def _password(address: str) -> str | None:
    try:
        return urlsplit(address).password
    except ValueError:  # nothing was started with it
        return None


def _check_address(variable: str, address: str) -> None:
    wanted, module, extra = SCHEMES[variable]
    scheme, separator, rest = address.partition("://")
    if not separator or not rest:
        raise ValueError(f"{variable} is no address: it begins with {wanted}://")
    if scheme != wanted:
        raise ValueError(f"{variable} begins with {scheme}://, and has to begin with {wanted}://")
    try:
        parts = urlsplit(address)
        # What follows the host is shown when the database is not there; an @ in it was meant for the password.
        complete = bool(parts.hostname) and parts.port != 0 and "@" not in parts.path + parts.query + parts.fragment
    except ValueError:
        complete = False
    if not complete:
        raise ValueError(f"{variable} has no host that can be read: write / : @ # of a password as %2F %3A %40 %23")
    if find_spec(module) is None:
        raise ValueError(f"{variable} needs {module}, which is not installed: pip install 'glam[{extra}]'")


def _check_mlflow_auth(environment: Mapping[str, str]) -> None:
    if find_spec("flask_wtf") is None:
        raise ValueError(f"{MLFLOW_AUTH}=1 needs Flask-WTF, which is not installed: pip install 'glam[mlflow-auth]'")
    wanted = {
        MLFLOW_FORM_KEY: "a long random text that stays the same",
        MLFLOW_USER: "the name of the administrator",
        MLFLOW_PASSWORD: "the administrator's password, of at least 12 characters",
    }
    if missing := [f"{name} ({what})" for name, what in wanted.items() if not environment.get(name)]:
        raise ValueError(f"{MLFLOW_AUTH}=1 needs {', '.join(missing)} as well")
    password = environment.get(MLFLOW_ADMIN_PASSWORD) or environment[MLFLOW_PASSWORD]
    if len(password) < SHORTEST_PASSWORD:
        raise ValueError(
            f"{MLFLOW_PASSWORD} has {len(password)} characters; MLflow wants {SHORTEST_PASSWORD} of an administrator"
        )
