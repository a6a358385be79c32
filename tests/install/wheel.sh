#!/bin/bash
# Proves that the wheel stands on its own: builds it, installs it into a fresh virtual environment outside of the tree,
# and runs the SDK and the program there with an empty environment. Fails if the import takes 0.2 s or more, if all that
# is installed takes 300 MB or more, or if any installed file names the tree or the environment it was built in.
#   wheel.sh [wheel]      the wheel to test; without it, one is built into dist/
set -euo pipefail
cd "$(dirname "$0")/../.."
tree=$PWD
import_seconds_max=0.2
installed_mb_max=300

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

wheel=${1:-}
if [[ -z $wheel ]]; then
  tools/dist.sh
  wheel=$(echo dist/*.whl)
fi
[[ -f $wheel ]] || fail "there is not one wheel: $wheel"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/python -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "$wheel"
clean=(env -i "PATH=$work/venv/bin:/usr/bin:/bin" "HOME=$work" LANG=C.UTF-8)
cd "$work"

# Size: everything but what every environment begins with.
packages=$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
megabytes=$(du -sm --exclude='pip*' --exclude='setuptools*' --exclude='_distutils_hack' "$packages" | cut -f1)
((megabytes < installed_mb_max)) || fail "$megabytes MB are installed: $(du -sm "$packages"/* | sort -rn | head -5)"

# Nothing of the machine that built it. pip notes where the wheel came from, which is no part of the wheel.
found=$(grep -rlaF --exclude=direct_url.json --exclude=REQUESTED -e "$tree" -e '/.venv/' "$packages"/tidemark* || true)
[[ -z $found ]] || fail "these name the tree or the environment they were built in: $found"

# The import: the median of seven, the first of which compiled the bytecode.
cat >import_seconds.py <<'PY'
import statistics, subprocess, sys
code = "import time; t = time.perf_counter(); import tidemark; print(time.perf_counter() - t)"
print(statistics.median(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(7)))
PY
seconds=$("${clean[@]}" python import_seconds.py)
"${clean[@]}" python -c "import sys; sys.exit(not $seconds < $import_seconds_max)" ||
  fail "import tidemark takes $seconds s"

# The program that is on the PATH, and the SDK, on one store.
[[ $("${clean[@]}" sh -c 'command -v tidemark') == "$work/venv/bin/tidemark" ]] || fail "tidemark is not on the PATH"
"${clean[@]}" tidemark --version
"${clean[@]}" tidemark init shop >/dev/null
cd shop
"${clean[@]}" tidemark apply >/dev/null
"${clean[@]}" tidemark materialize-incremental "$(date -u +%FT%TZ)" >/dev/null
"${clean[@]}" python - <<'PY'
from tidemark import FeatureStore

store = FeatureStore(".")
answer = store.get_online_features(["driver_stats:rating"], {"driver_id": [1001]}).to_dict()
assert answer["rating"][0] is not None, answer
table = store.get_historical_features(
    {"driver_id": [1001], "event_timestamp": ["2999-01-01"]}, features=["driver_stats:rating"]
).to_arrow()
assert table.num_rows == 1, table
counted = store.sql("select count(*) > 0 as some from shop.driver_stats").to_arrow()
assert counted.to_pylist() == [{"some": True}], counted
PY

# The server over TLS, asked by the SDK, by Python's own HTTPS and by Flight in one process. What is bundled is what runs,
# not what this machine happens to have.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls.key -out tls.pem -days 2 \
  -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,DNS:localhost 2>/dev/null
cat >over_tls.py <<'PY'
import re, subprocess, sys
from pathlib import Path

from tidemark import FeatureStore

packages = sys.argv[1]
BUNDLED = re.compile(r"/lib(sqlite3|lmdb|yaml-cpp|fmt|simdjson|crypto|ssl|protobuf|rdkafka|sasl2|lz4|zstd)[.]so")

def elsewhere(process):
    paths = {line.split()[-1] for line in Path(f"/proc/{process}/maps").read_text().splitlines()}
    return sorted(path for path in paths if BUNDLED.search(path) and not path.startswith(packages))

assert elsewhere("self") == [], elsewhere("self")
command = ["tidemark", "--store", ".", "serve", "--port", "0", "--flight-port", "0"]
server = subprocess.Popen(
    [*command, "--tls-cert", "tls.pem", "--tls-key", "tls.key"], stderr=subprocess.PIPE, text=True
)
try:
    urls = []
    for line in server.stderr:
        urls += re.findall(r"(?:https|grpc[+]tls)://[^\s,;]+", line)
        if len(urls) == 2:
            break
    url, flight_url = sorted(urls, reverse=True)
    store = FeatureStore(url=url, ca_file="tls.pem")
    answer = store.get_online_features(["driver_stats:rating"], {"driver_id": [1001]}).to_dict()
    assert answer["rating"][0] is not None, answer
    assert elsewhere(server.pid) == [], elsewhere(server.pid)

    import ssl
    from urllib.request import urlopen

    with urlopen(f"{url}/health/live", context=ssl.create_default_context(cafile="tls.pem")) as live:
        assert live.status == 200

    from pyarrow import flight

    with flight.connect(flight_url, tls_root_certs=Path("tls.pem").read_bytes()) as client:
        listed = list(client.list_flights())
    assert listed, "Flight lists nothing"
finally:
    server.terminate()
assert server.wait() == 0, server.returncode
PY
"${clean[@]}" python over_tls.py "$packages"
echo "wheel: $(basename "$wheel"): $megabytes MB installed, import tidemark in ${seconds:0:6} s"
