"""What decides the last bits of a result besides its configuration: recorded in manifests, compared between arms."""

import platform

import torch


def numerics(**layout: object) -> dict[str, object]:
    """`layout` (workers, threads, pieces of a batch) and the versions and processor that computed."""
    return {
        **layout,
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
