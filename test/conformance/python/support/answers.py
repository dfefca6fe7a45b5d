"""How an open question is asked and its answer written down.

An answer is a finding: nothing here fails a test."""

import json
import os
import re
from collections.abc import Callable
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.rpc import code_pb2

VARIABLE = "VERTEX_CONFORMANCE_FINDINGS"


def ask(question: str, call: Callable[[], Any]) -> None:
    """Calls, and records what came of it: the call's answer, or the code and words of a refusal."""
    try:
        result = call()
        answer = "OK" if result is None else f"OK: {result}"
    except GoogleAPICallError as error:
        answer = describe(error)
    except Exception as error:  # an answer that the client can't read is a finding too
        answer = f"the client raised {type(error).__name__}: {error}"
    record(question, answer)


def describe(error: GoogleAPICallError) -> str:
    """The code by its name, and the server's own words."""
    # Over REST the client puts the method and address before them.
    words = re.sub(r"^[A-Z]+ https?://\S+: ", "", str(error.message))
    return f"{_code_name(error)}: {' '.join(words.split())}"


def _code_name(error: GoogleAPICallError) -> str:
    status = getattr(error, "grpc_status_code", None)
    if status is not None:
        return str(status.name)
    if isinstance(error.code, int) and error.code < 17:  # an operation's error
        return str(code_pb2.Code.Name(error.code))
    return str(error.code)


def record(question: str, answer: str) -> None:
    """Appends a finding for scripts/conformance.ts to print."""
    line = json.dumps({"question": question, "answer": answer})
    with open(os.environ[VARIABLE], "a", encoding="utf-8") as findings:
        findings.write(f"{line}\n")


def without_ids(text: str, target_project: str) -> str:
    """Makes a project's number and id comparable between targets."""
    return re.sub(r"projects/[0-9]+", "projects/NUMBER", text).replace(target_project, "PROJECT_ID")
