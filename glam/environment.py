"""The environment every process of ours starts with: nothing calls home, nothing listens beyond loopback.

The one place that switches telemetry off. `apply()` comes before the first import of Prefect, Ray,
MLflow, Streamlit or torch; child processes inherit it. What the user has set stands, except telemetry.
"""

import os
from collections.abc import Mapping, MutableMapping

LOOPBACK = "127.0.0.1"

TELEMETRY_OFF: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

DEFAULTS: Mapping[str, str] = {
    # Ray binds every interface unless it believes it runs on one desktop machine.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
    # Ray's future default: leave accelerator variables alone where no accelerator was asked for.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "GLOO_SOCKET_IFNAME": "lo",
    # What listens on loopback is not behind a proxy.
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
    # A pickle in the registry is code from outside.
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    # Warnings about git and rarely used progress bars, in the middle of our own output.
    "GIT_PYTHON_REFRESH": "quiet",
    "TOKENIZERS_PARALLELISM": "false",
    "STREAMLIT_SERVER_HEADLESS": "true",
}

CPU_ALLOCATOR: Mapping[str, str] = {
    # glibc gives large buffers back at every free; keeping them makes feed-forward layers 1.6 to 10
    # times faster on two cores. Read at process start, so training workers are started with it.
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
}


def apply(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets what our processes need; telemetry is off whatever was set before."""
    environment.update(TELEMETRY_OFF)
    for name, value in DEFAULTS.items():
        environment.setdefault(name, value)
