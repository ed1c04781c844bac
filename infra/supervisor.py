"""Supervisord, tied to the `glam up` that starts it: `python -m infra.supervisor CONFIG PARENT`."""

import signal
import sys

from supervisor import supervisord

from infra.lifeline import end_with_parent

if __name__ == "__main__":
    end_with_parent(int(sys.argv[2]), signal.SIGTERM)
    supervisord.main(["--nodaemon", "--configuration", sys.argv[1]])
