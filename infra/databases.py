"""Whether a database of the stack is there, asked before any server starts that would try for minutes."""

import asyncio

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from infra.settings import MLFLOW_DATABASE, PREFECT_DATABASE, Settings

PATIENCE_SECONDS = 5


class DatabaseError(RuntimeError):
    """A database cannot be used; the message says which, where and why, without its password."""


def check_databases(settings: Settings) -> None:
    """Opens and closes a connection to each that is not a file of the store. Raises DatabaseError."""
    for variable, address in (
        (PREFECT_DATABASE, settings.prefect_database),
        (MLFLOW_DATABASE, settings.mlflow_backend),
    ):
        if address is None:
            continue
        url = make_url(address)
        try:
            _ask(url)
        except Exception as error:  # each driver has its own
            reason = settings.hide(" ".join(str(getattr(error, "orig", error)).split()) or type(error).__name__)
            raise DatabaseError(
                f"{variable}: the database {url.database!r} at {url.host}:{url.port or 5432} cannot be used: {reason}"
            ) from None  # its traceback holds the password


def _ask(url: URL) -> None:
    if url.get_driver_name() == "asyncpg":
        asyncio.run(_ask_asyncpg(url))
        return
    engine = create_engine(url, connect_args={"connect_timeout": PATIENCE_SECONDS})
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1"))
    finally:
        engine.dispose()


async def _ask_asyncpg(url: URL) -> None:
    engine = create_async_engine(url, connect_args={"timeout": PATIENCE_SECONDS})
    try:
        async with engine.connect() as connection:
            await connection.execute(text("select 1"))
    finally:
        await engine.dispose()
