"""Whether the bucket of MLflow's artifacts is there, asked before any server starts."""

import os
from urllib.parse import urlsplit

from infra.settings import MLFLOW_ARTIFACTS, Settings

PATIENCE_SECONDS = 5
ENDPOINT = "MLFLOW_S3_ENDPOINT_URL"
"""MLflow's name for a server that is not Amazon's."""
IGNORE_TLS = "MLFLOW_S3_IGNORE_TLS"


class BucketError(RuntimeError):
    """The bucket cannot be used; the message says which, where and why, without the credentials."""


def check_bucket(settings: Settings) -> None:
    """Lists an entry of it, where there is a bucket, as MLflow does. Raises BucketError."""
    if settings.mlflow_artifacts is None:
        return
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    parts, endpoint = urlsplit(settings.mlflow_artifacts), os.environ.get(ENDPOINT) or None
    try:
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            verify=False if os.environ.get(IGNORE_TLS, "").lower() in ("true", "1") else None,
            config=Config(
                connect_timeout=PATIENCE_SECONDS, read_timeout=PATIENCE_SECONDS, retries={"total_max_attempts": 1}
            ),
        )
        client.list_objects_v2(Bucket=parts.netloc, Prefix=parts.path.strip("/"), MaxKeys=1)
    except (BotoCoreError, ClientError, ValueError) as error:  # ValueError: what is no address
        where = f" at {endpoint}" if endpoint else ""
        reason = settings.hide(" ".join(str(error).split()))
        raise BucketError(f"{MLFLOW_ARTIFACTS}: the bucket {parts.netloc!r}{where} cannot be used: {reason}") from None
