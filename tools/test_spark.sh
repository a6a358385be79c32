#!/bin/bash
# Spark reads Tidemark's tables: tests/spark. What it needs is fetched once into a folder outside of the tree
# (TIDEMARK_SPARK, or ~/.cache/tidemark/spark): pyspark in an environment of its own, 460 MB, and by Maven
# Iceberg's runtime and a driver for the registry, 60 MB. Needs Java 17 and mvn. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

spark=4.1.4
jars=(
  org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0
  org.xerial:sqlite-jdbc:3.50.3.0
)
cache=${TIDEMARK_SPARK:-$HOME/.cache/tidemark/spark}
for program in java mvn; do
  command -v "$program" >/dev/null || {
    echo "make test-spark needs $program: apt-get install openjdk-17-jdk-headless maven" >&2
    exit 1
  }
done

mkdir -p "$cache/jars"
if [[ ! -e $cache/spark-$spark ]]; then
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install --quiet "pyspark==$spark"
  touch "$cache/spark-$spark"
fi
paths=()
for jar in "${jars[@]}"; do
  IFS=: read -r _ name version <<<"$jar"
  path=$cache/jars/$name-$version.jar
  if [[ ! -e $path ]]; then
    mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
      "-Dartifact=$jar" "-DoutputDirectory=$cache/jars"
  fi
  paths+=("$path")
done

cmake --build --preset release --target iceberg_tables >/dev/null
export TIDEMARK_SPARK_PYTHON=$cache/venv/bin/python
TIDEMARK_SPARK_JARS=$(IFS=,; echo "${paths[*]}")
export TIDEMARK_SPARK_JARS
PYTHONPATH=$PWD/python/src .venv/bin/python -m pytest -q tests/spark "$@"
