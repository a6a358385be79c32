"""The feature store of the Semantix ML Hub SDK.

    from tidemark.compat.semantix import FeatureStore, FeatureTable

A script written for `elemeno_ai_sdk.ml.features` runs when its import line is changed. Where its
tables are: on the server that `remote_server=` or the environment variable TIDEMARK_URL names,
or else in the folder that TIDEMARK_STORE names, or else in the current one. The server's key comes
from SEMANTIX_ML_APIKEY or MLHUB_API_KEY.

What differs: a call that fails raises a `tidemark.errors.TidemarkError` that says why, where the
older product logged it and went on.
"""

from tidemark.compat.semantix.feature_store import FeatureStore
from tidemark.compat.semantix.feature_table import FeatureTable

__all__ = ["FeatureStore", "FeatureTable"]
