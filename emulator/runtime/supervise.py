"""Runs one model server and ends with whoever started it.

The emulator holds the other end of standard input. When that closes, by a normal end or by kill -9, the whole process
group (launcher, Java, Python workers) is killed and the scratch folder removed. Usage:
supervise.py SCRATCH_FOLDER COMMAND [ARGUMENT ...]; it must lead its own process group.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Covers a kill -9 of this process itself, where the kernel offers it (Linux)."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):
        pass


def end(scratch: str) -> None:
    """Kills every process of the group, this one included."""
    shutil.rmtree(scratch, ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def watch_starter(scratch: str) -> None:
    while os.read(0, 4096):
        pass
    end(scratch)


def main() -> None:
    scratch, command = sys.argv[1], sys.argv[2:]
    if os.getpgrp() != os.getpid():
        sys.exit("supervise.py must lead its own process group.")
    # A closed log or an interrupt in the terminal must not end the watch before the group is dead.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: end(scratch))
    try:
        # No other thread runs yet, so what is called between fork and exec is safe.
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
        threading.Thread(target=watch_starter, args=(scratch,), daemon=True).start()
        code = child.wait()
        print(f"The model server's process ended with exit code {code}.", flush=True)
    except OSError as error:
        print(f"The model server could not be started: {error}.", flush=True)
    end(scratch)


if __name__ == "__main__":
    main()
