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
