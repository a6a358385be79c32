"""Prints a Feast registry as JSON; run by the Python that has Feast, FILE its argument.

The file is a protobuf message and is only decoded: functions that a registry holds, pickled, are
not loaded, and their bytes are not printed; the text of one is, which Feast keeps beside them.
"""

import sys

from feast.protos.feast.core.Registry_pb2 import Registry  # type: ignore[import-not-found]
from google.protobuf.json_format import MessageToJson  # type: ignore[import-untyped]


def main(path: str) -> None:
    registry = Registry()
    with open(path, "rb") as file:
        registry.ParseFromString(file.read())
    for view in registry.on_demand_feature_views:
        view.spec.user_defined_function.ClearField("body")
        view.spec.feature_transformation.user_defined_function.ClearField("body")
    for view in registry.stream_feature_views:
        view.spec.ClearField("user_defined_function")
        view.spec.ClearField("feature_transformation")
    print(MessageToJson(registry))


if __name__ == "__main__":
    main(sys.argv[1])
