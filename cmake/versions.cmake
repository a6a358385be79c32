# The one place for C++ side versions. Tidemark's own version is read from here by CMake and by pyproject.toml;
# Python packages are pinned in tools/requirements.txt, Debian packages are listed in tools/setup.
set(TIDEMARK_VERSION "0.1.0")

set(TIDEMARK_PYTHON_MIN 3.11)
set(TIDEMARK_ARROW_ABI 2600)  # of libarrow.so.<ABI>; pyproject.toml names the pyarrow that carries it
set(TIDEMARK_SQLITE_MIN 3.37)
set(TIDEMARK_FMT_MIN 8.1)
set(TIDEMARK_YAML_CPP_MIN 0.7)
set(TIDEMARK_NLOHMANN_JSON_MIN 3.10)
set(TIDEMARK_CLI11_MIN 2.1)
set(TIDEMARK_OPENSSL_MIN 3.0)
set(TIDEMARK_BOOST_MIN 1.81)
set(TIDEMARK_SIMDJSON_MIN 3.0)
set(TIDEMARK_PROTOBUF_MIN 3.21)
set(TIDEMARK_CURL_MIN 7.85)

# Fetched by tools/third_party.py: the checksums are those of the archives.
set(TIDEMARK_ADBC_VERSION "1.13.0")  # of the Python package adbc-driver-manager, its sources
set(TIDEMARK_ADBC_SHA256 "72d616e43d03b735e4000b653307531a2d1820f1f7e0ce949656f0ab939bd53e")
set(TIDEMARK_DUCKDB_VERSION "1.5.6")
set(TIDEMARK_DUCKDB_PACKAGE "@duckdb/node-bindings-linux-x64")  # of npm; it has libduckdb.so
set(TIDEMARK_DUCKDB_PACKAGE_VERSION "1.5.6-r.1")
set(TIDEMARK_DUCKDB_SHA256 "1b9f82478539bb9a1d1df44bd103121a12ae52142c07158dc52b97d2ec1d69ff")
