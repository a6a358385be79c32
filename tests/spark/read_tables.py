"""Reads tables by Spark through the store's catalog, and prints their rows as JSON.

Runs in an environment of its own, which has pyspark and not Tidemark:

    read_tables.py REGISTRY WAREHOUSE JARS TABLE...
"""

import base64
import datetime as dt
import decimal
import json
import sys

from pyspark.sql import Row, SparkSession


def plain(value):
    """A value as JSON has it; times in UTC."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, Row):
        return {name: plain(each) for name, each in value.asDict().items()}
    if isinstance(value, dict):
        return [[plain(key), plain(each)] for key, each in value.items()]
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def main():
    """One table after another, in one session."""
    registry, warehouse, jars, *tables = sys.argv[1:]
    catalog = "spark.sql.catalog.tidemark"
    settings = {
        "spark.jars": jars,
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
        f"{catalog}.uri": f"jdbc:sqlite:{registry}",
        f"{catalog}.warehouse": warehouse,
        f"{catalog}.jdbc.schema-version": "V1",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }
    builder = SparkSession.builder.master("local[1]").appName("tidemark")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    listed = sorted(
        row.tableName for row in spark.sql("SHOW TABLES IN tidemark.feature_store").collect()
    )
    rows = {
        table: [plain(row) for row in spark.table(f"tidemark.feature_store.`{table}`").collect()]
        for table in tables or listed
    }
    print(json.dumps({"listed": listed, "rows": rows}))
    spark.stop()


if __name__ == "__main__":
    main()
