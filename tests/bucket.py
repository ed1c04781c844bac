"""A bucket on loopback, behind a server that speaks S3 as Amazon's does."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glam.environment import LOOPBACK
from infra.health import answers
from tests.browser.conftest import free_ports

NAME = "results"
SECRET = "bucket-secret"
PATIENCE_SECONDS = 60


class Bucket:
    """Empty at first; `variables` is the environment of who writes into it."""

    def __init__(self, folder: Path):
        (port,) = free_ports(1)
        self.endpoint = f"http://{LOOPBACK}:{port}"
        self._log = folder / "bucket.log"
        self._command = [sys.executable, "-m", "moto.server", "--host", LOOPBACK, "--port", str(port)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def variables(self) -> dict[str, str]:
        return {
            "GLAM_MLFLOW_ARTIFACTS": f"s3://{NAME}/of/glam",
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def open(self) -> None:
        """Starts the server and makes the bucket."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answers(f"{self.endpoint}/moto-api/data.json"):
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)
        self._client().create_bucket(Bucket=NAME)

    def close(self) -> None:
        """Ends the server; what was in the bucket is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def files(self) -> dict[str, bytes]:
        """Everything in it, by name."""
        client = self._client()
        names = [
            each["Key"]
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=NAME)
            for each in page.get("Contents", [])
        ]
        return {name: client.get_object(Bucket=NAME, Key=name)["Body"].read() for name in names}

    def _client(self):
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id="somebody",
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )


@contextmanager
def bucket_on_loopback(folder: Path) -> Iterator[Bucket]:
    """Open until the block ends."""
    bucket = Bucket(folder)
    try:
        bucket.open()
        yield bucket
    finally:
        bucket.close()
