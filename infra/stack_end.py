"""`glam down`: the end of a store's stack, wherever it was started."""

from pathlib import Path

import psutil

from infra.lifeline import end, marked
from infra.stack import STOP_SECONDS, Say, StackError, say_line
from infra.stack_file import STACK_MARK, recorded_stack, remove_stack

OWNER_SECONDS = STOP_SECONDS + 10
"""For `glam up` to end what it started."""


def down(store_root: Path, *, say: Say = say_line) -> int:
    """Ends every process of the stack, says so when all are gone, and returns 0; 0 as well where nothing was up.

    Raises StackError, with their names, when some will not go.
    """
    store_root = store_root.absolute()
    stack = recorded_stack(store_root)
    if stack is None:
        say(f"nothing is up over {store_root}")
        return 0
    owner = stack.owner.find()
    left = marked(STACK_MARK, stack.mark)
    if owner is not None:
        end([owner], patience_seconds=OWNER_SECONDS)
    end(marked(STACK_MARK, stack.mark), patience_seconds=3)
    if stubborn := [each for each in marked(STACK_MARK, stack.mark) if each.status() != psutil.STATUS_ZOMBIE]:
        names = ", ".join(f"{each.name()} (pid {each.pid})" for each in stubborn)
        raise StackError(f"these processes of the stack over {store_root} will not end: {names}")
    remove_stack(store_root)
    say(f"The stack over {store_root} is down." if owner or left else f"nothing is up over {store_root}")
    return 0
