"""How an open question is asked and its answer written down.

An answer is a finding: nothing here fails a test."""

import json
import os
import re
from collections.abc import Callable
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

from support.target import read_target

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
    return str(error.code) if status is None else str(status.name)


def record(question: str, answer: str) -> None:
    """Appends a finding to print, comparable between targets and runs."""
    line = json.dumps({"question": question, "answer": _without_ids(answer)})
    with open(os.environ[VARIABLE], "a", encoding="utf-8") as findings:
        findings.write(f"{line}\n")


def _without_ids(text: str) -> str:
    target = read_target()
    text = text.replace(f"projects/{target.project}", "projects/PROJECT_ID")
    text = re.sub(r"projects/[0-9]+", "projects/NUMBER", text)
    text = re.sub(r"(endpoints|models|operations)/[0-9]{6,}", r"\1/ID", text)
    return text.replace(target.prefix, "PREFIX")
