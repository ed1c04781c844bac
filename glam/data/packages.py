"""Which installed distributions the source `python_docs` reads; their versions are its identity.

Distributions of the lock without those of the `dev` extra. One that is not installed (a platform's
marker) gives no text, and the fingerprint says so. `mlflow-skinny` and `mlflow-tracing` are left
out because `mlflow` ships the same files.
"""

DOCUMENTED = (  # noqa: SIM905 - one name a line would be two hundred lines
    "aiohttp alembic altair anyio attrs cachetools click cloudpickle contourpy cyclopts datasets dateparser dill "
    "docker fastapi filelock flask fonttools fsspec gitpython google-auth graphene graphql-core httpcore httpx huey "
    "huggingface-hub humanize importlib-metadata itsdangerous jinja2 joblib jsonschema mako markdown markdown-it-py "
    "matplotlib mlflow mpmath multiprocess narwhals networkx numpy oauthlib opentelemetry-api opentelemetry-sdk "
    "packaging pandas pathspec pendulum pillow prefect prettytable prometheus-client psutil py-key-value-aio pyarrow "
    "pydantic pydantic-settings pydeck pydocket pygments pyparsing python-dateutil pytz ray redis referencing requests "
    "requests-oauthlib rich ruamel-yaml safetensors scikit-learn scipy setuptools skops sqlalchemy sqlparse starlette "
    "streamlit supervisor sympy tensorboardx tokenizers torch tqdm typer urllib3 uvicorn watchdog websockets werkzeug "
    "wcwidth yarl zipp"
).split()
"""Docstrings, documentation files and README."""

README_ONLY = (  # noqa: SIM905
    "aiohappyeyeballs aiosignal aiosqlite amplitude-analytics annotated-doc annotated-types apprise asgi-lifespan "
    "asyncpg beartype blinker certifi cffi charset-normalizer colorama coolname cronsim cryptography cycler "
    "databricks-sdk docstring-parser exceptiongroup flask-cors frozenlist gitdb graphviz greenlet gunicorn h11 h2 "
    "hf-xet hpack hyperframe idna jinja2-humanize-extension jsonpatch jsonpointer jsonschema-specifications kiwisolver "
    "markupsafe mdurl msgpack multidict opentelemetry-proto opentelemetry-semantic-conventions orjson propcache "
    "protobuf pyasn1 pyasn1-modules pycparser pydantic-core pydantic-extra-types python-dotenv python-json-logger "
    "python-multipart python-slugify pyyaml readchar regex rensa rfc3339-validator rich-rst rpds-py semver shellingham "
    "six smmap sniffio text-unidecode threadpoolctl toml truststore typing-extensions typing-inspection tzdata tzlocal "
    "uncalled-for xxhash"
).split()
"""README alone: compiled, generated or hardly documented in its source."""
