"""The tables of docs/plan.md are those of the code."""

from pathlib import Path

from glam.plan.devices import DEVICES, Device
from glam.plan.held_against import Row, rows

DOCS = (Path(__file__).parents[2] / "docs" / "plan.md").read_text("utf-8")


def line_of(device: Device) -> str:
    peaks = ", ".join(f"{device.peak_flops[name] / 1e12:g}" if name in device.peak_flops else "-"
                      for name in ("bfloat16", "float32", "float64"))  # fmt: skip
    system = "-" if device.system_watts is None else f"{device.system_watts:g}"
    memory = f"{device.memory_bytes / 1e9:.1f} | {device.bandwidth_bytes_per_second / 1e9:,.0f}"
    return f"| `{device.name}` | {peaks} | {memory} | {device.data_sheet_watts:g} | {system} | {device.source} |"


def line_of_row(row: Row) -> str:
    what = f"{row.what} {row.unit}".strip()
    figures = f"{row.published:.4g} | {row.ours:.4g} | {100 * row.deviation:+.1f} %"
    return f"| {row.run} | {what} | {row.kind} | {figures} | {'within' if row.within else '**missed**'} |"


def test_every_device_is_listed_as_it_is() -> None:
    for device in DEVICES.values():
        assert line_of(device) in DOCS, device.name


def test_every_published_row_is_shown_as_it_comes_out() -> None:
    for row in rows():
        assert line_of_row(row) in DOCS, f"{row.run}: {row.what}"
