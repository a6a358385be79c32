"""The row http: look-ups over HTTP in Feast's format, beside `feast serve` and nginx."""

from __future__ import annotations

import json
import random
import statistics
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Any

from datasets import Sizes
from http_servers import (
    Client,
    ask,
    load,
    record,
    start_feast,
    start_nginx,
    start_tidemark,
)
from outcome import Outcome, Ratio, Settings
from processes import prepare, redis_server
from serving import FEAST_REDIS, LOOKUP, TIDEMARK, check_rows

PATH = "/get-online-features"
BODIES = 64  # distinct requests
COUNTS = (1, 100)  # entities of a request


def bodies(sizes: Sizes, count: int) -> list[str]:
    """Requests for different entities, all features of the data set."""
    chosen = random.Random(sizes.seed + count)
    features = [
        f"{view['name']}:{name}" for view in sizes.job()["views"] for name in view["features"]
    ]
    return [
        json.dumps(
            {
                "features": features,
                "entities": {"key": [chosen.randrange(sizes.keys) for _ in range(count)]},
                "full_feature_names": True,
            }
        )
        for _ in range(BODIES)
    ]


def values_of(body: bytes) -> dict[str, list[Any]]:
    """Column by column, whatever their order."""
    answer = json.loads(body)
    names = answer["metadata"]["feature_names"]
    return {name: each["values"] for name, each in zip(names, answer["results"], strict=True)}


def run_http(settings: Settings) -> Outcome:
    """Closed loops in turns, then open loops at half of what these reached."""
    sizes = replace(
        LOOKUP.scaled(settings.scale), keys=max(1000, LOOKUP.scaled(settings.scale).keys)
    )
    outcome = Outcome("http", "look-ups over HTTP, Feast's format, x 50 features", asdict(sizes))
    prepare(settings.python, [sizes], settings.work)
    client = Client(settings)
    requests = {count: bodies(sizes, count) for count in COUNTS}
    with ExitStack() as stack:
        redis_port = stack.enter_context(redis_server(settings.work))
        job = sizes.job() | {"check_rows": check_rows(sizes), "redis_port": redis_port}
        servers: dict[str, tuple[int, int]] = {}
        servers["tidemark"] = start_tidemark(stack, settings, load(settings, TIDEMARK, job))
        if settings.wants("feast"):
            folder = load(settings, FEAST_REDIS, job)
            servers["feast"] = start_feast(stack, settings, folder, redis_port)
        answers = {
            count: ask(servers["tidemark"][1], "POST", PATH, requests[count][0]) for count in COUNTS
        }
        if "feast" in servers:
            check(outcome, servers, requests)
        if settings.wants("nginx"):
            files = {f"{count}.json": answer for count, answer in answers.items()}
            servers["nginx"] = start_nginx(stack, settings, files)
        for repeat in range(settings.repeats):
            print(f"row http, repeat {repeat + 1} of {settings.repeats}", flush=True)
            for count in COUNTS:
                asked = [f"POST {PATH} {body}" for body in requests[count]]
                for name, server in servers.items():
                    wanted = [f"GET /{count}.json"] if name == "nginx" else asked
                    record(outcome, f"{name} at {count}", client.run(server, wanted))
        open_loops(settings, outcome, client, servers, requests)
    add_ratios(outcome)
    return outcome


def check(
    outcome: Outcome, servers: dict[str, tuple[int, int]], requests: dict[int, list[str]]
) -> None:
    """Feast's values and ours are the same."""
    for count in COUNTS:
        for body in requests[count][:8]:
            both = [
                values_of(ask(servers[name][1], "POST", PATH, body))
                for name in ("feast", "tidemark")
            ]
            if both[0] != both[1]:
                outcome.failures.append(f"answers for {count} entities differ from Feast's")
                return


def open_loops(
    settings: Settings,
    outcome: Outcome,
    client: Client,
    servers: dict[str, tuple[int, int]],
    requests: dict[int, list[str]],
) -> None:
    """Latencies at half of the rate that each server's closed loop reached.

    nginx, which computes nothing, has those that the machine and the load generator cause.
    """
    for count in COUNTS:
        asked = {"tidemark": [f"POST {PATH} {body}" for body in requests[count]]}
        if "nginx" in servers:
            asked["nginx"] = [f"GET /{count}.json"]
        rates = {
            name: outcome.figures[f"{name} at {count}"].median_of("rate") / 2 for name in asked
        }
        reports: dict[str, list[dict[str, Any]]] = {name: [] for name in asked}
        for _ in range(settings.repeats):
            for name, wanted in asked.items():
                reports[name].append(client.run(servers[name], wanted, rates[name]))
        for name, each in reports.items():
            prefix = f"open loop at {count}, {name},"
            outcome.numbers[f"{prefix} rate"] = round(rates[name])
            for key in ("p50_us", "p99_us"):
                outcome.numbers[f"{prefix} {key[:3]} us"] = round(
                    statistics.median(report[key] for report in each), 1
                )
            ratio = statistics.median(report["p99_us"] / report["p50_us"] for report in each)
            if name == "tidemark":
                outcome.ratios.append(Ratio(f"p99 / p50 at {count}, half load", ratio, 3.0, False))
            else:
                outcome.numbers[f"{prefix} p99 / p50"] = round(ratio, 2)


def add_ratios(outcome: Outcome) -> None:
    """Requests per CPU second against Feast and nginx."""
    for count in COUNTS:
        ours = outcome.figures[f"tidemark at {count}"].median_of("per_cpu_second")
        outcome.numbers[f"tidemark requests/CPU s at {count}"] = round(ours)
        for name, aim in (("feast", {1: 100.0, 100: 200.0}[count]), ("nginx", 0.75)):
            if f"{name} at {count}" not in outcome.figures:
                continue
            theirs = outcome.figures[f"{name} at {count}"].median_of("per_cpu_second")
            outcome.numbers[f"{name} requests/CPU s at {count}"] = round(theirs)
            if name == "nginx" and count != 1:
                outcome.numbers["ours / nginx at 100"] = round(ours / theirs, 2)
            else:
                outcome.ratios.append(Ratio(f"ours / {name} at {count}", ours / theirs, aim, True))
