"""The OpenAPI document is true: requests made of it are answered as it says, never by 5xx."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.errors import SerializationNotPossible
from schemathesis.generation import GenerationMode
from schemathesis.generation.hypothesis import builder
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

sys.path.insert(0, str(Path(__file__).parents[2] / "python"))

from server_process import ServerProcess

DOCUMENT = Path(__file__).parents[3] / "src" / "server" / "v1" / "openapi.json"
SCHEMA = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text()))
# Its systematic cases have a test of their own: there are too many for schemas as nested as these.
SCHEMA.config.phases.coverage.enabled = False
CASES_MAX = 150  # of these, for each operation
PROJECT = "/v1/projects/default"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def filled() -> Iterator[ServerProcess]:
    """A server with a table, so that some of the requests find something."""
    with TemporaryDirectory() as folder, ServerProcess(Path(folder)) as running:
        schema = {
            "name": "events",
            "entities": ["id"],
            "schema": [
                {"name": "id", "type": "int64"},
                {"name": "event_timestamp", "type": "timestamp"},
                {"name": "x", "type": "float64"},
            ],
        }
        made = running.post_json(f"{PROJECT}/tables", {"schema": schema})
        assert made.status == 201, made.text
        row = {"id": 1, "event_timestamp": "2026-05-01", "x": 0.5}
        assert running.post_json(f"{PROJECT}/views/events/ingest", [row]).status == 200
        yield running


@SCHEMA.parametrize()
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_answers_are_as_the_document_says(case: schemathesis.Case, filled: ServerProcess) -> None:
    if "project" in case.path_parameters:
        case.path_parameters["project"] = "default"
    if "view" in case.path_parameters:
        case.path_parameters["view"] = "events"
    response = case.call(base_url=filled.url)
    case.validate_response(response, checks=CHECKS)


OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_so_are_those_to_systematic_requests(
    operation: schemathesis.schemas.APIOperation, filled: ServerProcess
) -> None:
    """Goal: each parameter and member at its bounds, missing, twice, and of another type."""
    cases = builder._iter_coverage_cases(
        operation=operation,
        generation_modes=list(GenerationMode),
        generate_duplicate_query_parameters=True,
        unexpected_methods=set(),
        generation_config=SCHEMA.config.generation_for(operation=operation),
    )
    asked = 0
    for case in islice(cases, CASES_MAX):
        if "project" in case.path_parameters:
            case.path_parameters["project"] = "default"
        with suppress(SerializationNotPossible):  # Arrow and Parquet, which it cannot write
            response = case.call(base_url=filled.url)
            case.validate_response(response, checks=CHECKS)
            asked += 1
    assert asked > 0
