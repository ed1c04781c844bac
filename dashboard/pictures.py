"""Charts as files, drawn by a process of its own: the drawing engine takes some 100 MB, and ends with it.

As a program (`python -m dashboard.pictures KIND`) it reads a Vega-Lite specification and writes the picture.
"""

import json
import subprocess
import sys

KINDS = {"svg": "image/svg+xml", "png": "image/png"}
WIDTH = 760
PATIENCE_SECONDS = 60
PIXELS_A_POINT = 2


def draw(specification: str, kind: str) -> bytes:
    """The picture of a specification. Raises CalledProcessError where it cannot be drawn."""
    return subprocess.run(
        [sys.executable, "-P", "-m", draw.__module__, kind],
        input=specification.encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=PATIENCE_SECONDS,
    ).stdout


def main(kind: str) -> None:
    """From stdin to stdout."""
    import vl_convert  # the engine is loaded by no other process

    chart = json.load(sys.stdin)
    chart.setdefault("width", WIDTH)
    chart["background"] = "white"
    # Nothing is fetched: a specification holds its data, and names no address.
    if kind == "svg":
        sys.stdout.write(vl_convert.vegalite_to_svg(chart, allowed_base_urls=[]))
    else:
        sys.stdout.buffer.write(vl_convert.vegalite_to_png(chart, scale=PIXELS_A_POINT, allowed_base_urls=[]))


if __name__ == "__main__":
    main(sys.argv[1])
