"""Runs one model server and ends with whoever started it.

The emulator holds the other end of standard input. When that closes, by a normal end or by kill -9,
the whole process group (launcher, Java, Python workers) is killed and the scratch folder removed. A
guard process does the same when this one is killed. SIGTERM is passed on to the server, whose end
ends the group. Usage:
supervise.py SCRATCH_FOLDER COMMAND [ARGUMENT ...]; it must lead its own process group.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading


def end(scratch: str) -> None:
    """Kills every process of the group, this one included."""
    shutil.rmtree(scratch, ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def wait_for_end_of(stream: int) -> None:
    while os.read(stream, 4096):
        pass


def watch_starter(scratch: str) -> None:
    wait_for_end_of(0)
    end(scratch)


def start_guard(scratch: str) -> None:
    """A second process of the group: the pipe closes when this one ends, also by kill -9."""
    alive, held = os.pipe()
    if os.fork() == 0:
        os.close(held)
        wait_for_end_of(alive)
        end(scratch)
    os.close(alive)


def main() -> None:
    scratch, command = sys.argv[1], sys.argv[2:]
    if os.getpgrp() != os.getpid():
        sys.exit("supervise.py must lead its own process group.")
    # A closed log or an interrupt in the terminal must not end the watch before the group is dead.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    server: subprocess.Popen[bytes] | None = None

    def pass_on(*_: object) -> None:
        if server is None:
            end(scratch)
        else:
            server.terminate()

    signal.signal(signal.SIGTERM, pass_on)
    start_guard(scratch)
    threading.Thread(target=watch_starter, args=(scratch,), daemon=True).start()
    try:
        # The command is the runtime's own: nothing of a container spec gets here.
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
        code = server.wait()
        print(f"The model server's process ended with exit code {code}.", flush=True)
    except OSError as error:
        print(f"The model server could not be started: {error}.", flush=True)
    end(scratch)


if __name__ == "__main__":
    main()
