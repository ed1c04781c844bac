"""What a device can do at most, for model FLOPs utilisation (MFU); what is not known is None."""

import time

import torch

# Dense peaks of the data sheets in FLOP/s: bfloat16 (V100: float16) with float32 accumulation, without sparsity.
PEAK_FLOPS = {
    "V100": 125e12,
    "A100": 312e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "H200": 989e12,
    "B200": 2250e12,
}
"""By what a device's name holds; the first that fits. Untested on GPUs."""
DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
"""Of the products, by `train.precision`."""
PRODUCT_SIZE = 1024
NUM_PRODUCTS = 5


def peak_flops(device: torch.device, precision: str) -> float | None:
    """FLOP/s of a device: listed for GPUs, the best of a few products for processors; None where neither is known."""
    if device.type == "cpu":
        return _measured(DTYPES[precision])
    if precision != "bfloat16":
        return None  # what the sheets list is bfloat16
    name = torch.cuda.get_device_name(device)
    return next((peak for known, peak in PEAK_FLOPS.items() if known in name), None)


def _measured(dtype: torch.dtype) -> float:
    factors = torch.ones(2, PRODUCT_SIZE, PRODUCT_SIZE, dtype=dtype)
    best = 0.0
    for _ in range(NUM_PRODUCTS):
        start = time.perf_counter()
        torch.mm(factors[0], factors[1])
        best = max(best, 2 * PRODUCT_SIZE**3 / (time.perf_counter() - start))
    return best
