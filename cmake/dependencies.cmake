# Finds what Tidemark is built from and gives each part one name: Arrow::* (the Arrow C++ of the pyarrow wheel) and
# dep::* (Debian packages, and what tools/third_party.py fetches). Layers link these names and never a file.

# --- Arrow, from the wheel ---------------------------------------------------------------------------------------
find_package(Python ${TIDEMARK_PYTHON_MIN} REQUIRED COMPONENTS Interpreter OPTIONAL_COMPONENTS Development.Module)
execute_process(
  COMMAND "${Python_EXECUTABLE}" -c
          "import pyarrow as p; print(p.__version__, p.get_include(), p.get_library_dirs()[0], sep='\\n')"
  OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${Python_EXECUTABLE} cannot import pyarrow: run `make init`, or give "
                      "-DPython_EXECUTABLE=<python with pyarrow>.")
endif()
string(REPLACE "\n" ";" found "${found}")
list(GET found 0 TIDEMARK_ARROW_VERSION)
list(GET found 1 TIDEMARK_ARROW_INCLUDE)
list(GET found 2 TIDEMARK_ARROW_LIBDIR)
if(NOT EXISTS "${TIDEMARK_ARROW_LIBDIR}/libarrow.so.${TIDEMARK_ARROW_ABI}")
  message(FATAL_ERROR "pyarrow ${TIDEMARK_ARROW_VERSION} has no libarrow.so.${TIDEMARK_ARROW_ABI}; "
                      "cmake/versions.cmake and pyproject.toml must name the same Arrow.")
endif()
message(STATUS "Arrow ${TIDEMARK_ARROW_VERSION}: ${TIDEMARK_ARROW_LIBDIR}")

function(tidemark_arrow_target name file)
  add_library(Arrow::${name} SHARED IMPORTED GLOBAL)
  set_target_properties(
    Arrow::${name}
    PROPERTIES IMPORTED_LOCATION "${TIDEMARK_ARROW_LIBDIR}/lib${file}.so.${TIDEMARK_ARROW_ABI}"
               IMPORTED_SONAME "lib${file}.so.${TIDEMARK_ARROW_ABI}"
               INTERFACE_INCLUDE_DIRECTORIES "${TIDEMARK_ARROW_INCLUDE}"
               INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()
tidemark_arrow_target(arrow arrow)
tidemark_arrow_target(compute arrow_compute Arrow::arrow)
tidemark_arrow_target(parquet parquet Arrow::arrow)
tidemark_arrow_target(acero arrow_acero Arrow::compute)
tidemark_arrow_target(dataset arrow_dataset Arrow::acero Arrow::parquet)
tidemark_arrow_target(flight arrow_flight Arrow::arrow)

# --- Debian packages ---------------------------------------------------------------------------------------------
function(tidemark_dependency name)
  add_library(dep_${name} INTERFACE)
  add_library(dep::${name} ALIAS dep_${name})
  target_link_libraries(dep_${name} INTERFACE ${ARGN})
endfunction()

find_package(SQLite3 ${TIDEMARK_SQLITE_MIN} REQUIRED)
tidemark_dependency(sqlite3 SQLite::SQLite3)

find_path(LMDB_INCLUDE lmdb.h REQUIRED)
find_library(LMDB_LIBRARY NAMES liblmdb.so REQUIRED)
tidemark_dependency(lmdb "${LMDB_LIBRARY}")
target_include_directories(dep_lmdb SYSTEM INTERFACE "${LMDB_INCLUDE}")

find_path(RDKAFKA_INCLUDE librdkafka/rdkafka.h REQUIRED)
find_library(RDKAFKA_LIBRARY NAMES librdkafka.so REQUIRED)
tidemark_dependency(rdkafka "${RDKAFKA_LIBRARY}")
target_include_directories(dep_rdkafka SYSTEM INTERFACE "${RDKAFKA_INCLUDE}")

find_package(yaml-cpp ${TIDEMARK_YAML_CPP_MIN} REQUIRED)
if(TARGET yaml-cpp::yaml-cpp)
  tidemark_dependency(yaml_cpp yaml-cpp::yaml-cpp)
else()
  tidemark_dependency(yaml_cpp yaml-cpp)
endif()

find_package(nlohmann_json ${TIDEMARK_NLOHMANN_JSON_MIN} REQUIRED)
tidemark_dependency(json nlohmann_json::nlohmann_json)

find_package(fmt ${TIDEMARK_FMT_MIN} REQUIRED)
tidemark_dependency(fmt fmt::fmt)

find_package(CLI11 ${TIDEMARK_CLI11_MIN} REQUIRED)
tidemark_dependency(cli11 CLI11::CLI11)

find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
tidemark_dependency(xxhash)  # used inline: a source defines XXH_INLINE_ALL
target_include_directories(dep_xxhash SYSTEM INTERFACE "${XXHASH_INCLUDE}")

find_package(OpenSSL ${TIDEMARK_OPENSSL_MIN} REQUIRED COMPONENTS Crypto SSL)
tidemark_dependency(crypto OpenSSL::Crypto)

# The server's: Asio and Beast are headers only.
find_package(Boost ${TIDEMARK_BOOST_MIN} REQUIRED)
tidemark_dependency(boost Boost::headers)
tidemark_dependency(asio dep::boost OpenSSL::SSL)
if(TIDEMARK_SANITIZE MATCHES thread)  # which does not see Asio's fences, but does see its locks
  target_compile_options(dep_asio INTERFACE -Wno-tsan)
endif()
# Its package takes a later minor version for another library: the version is compared here.
find_package(simdjson REQUIRED)
if(simdjson_VERSION VERSION_LESS TIDEMARK_SIMDJSON_MIN)
  message(FATAL_ERROR "simdjson ${simdjson_VERSION} is too old; ${TIDEMARK_SIMDJSON_MIN} or newer is needed.")
endif()
# The wheel's libparquet exports a simdjson of another version: named after ours, so that its functions are not taken
# for those that our headers declare.
set_property(TARGET simdjson::simdjson APPEND PROPERTY INTERFACE_LINK_LIBRARIES Arrow::parquet)
tidemark_dependency(simdjson simdjson::simdjson)
# Its checks of use change the layout of its classes, and come by themselves into what is built without optimizing: the
# tests, whose code must agree with what they test.
target_compile_definitions(dep_simdjson INTERFACE SIMDJSON_DEVELOPMENT_CHECKS=0)
# Later versions have an error of its own for integers beyond 64 bits.
find_path(SIMDJSON_INCLUDE simdjson.h REQUIRED)
file(STRINGS "${SIMDJSON_INCLUDE}/simdjson.h" found REGEX "^ *BIGINT_ERROR," LIMIT_COUNT 1)
if(found)
  target_compile_definitions(dep_simdjson INTERFACE TIDEMARK_SIMDJSON_BIGINT)
endif()

find_package(Protobuf ${TIDEMARK_PROTOBUF_MIN} REQUIRED)
tidemark_dependency(protobuf protobuf::libprotobuf)

find_package(CURL ${TIDEMARK_CURL_MIN} REQUIRED)
# Its header alone: the library is loaded when it is first needed.
tidemark_dependency(curl)
target_include_directories(dep_curl SYSTEM INTERFACE "${CURL_INCLUDE_DIRS}")

find_package(Threads REQUIRED)
if(TIDEMARK_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
  tidemark_dependency(gtest GTest::gtest GTest::gmock)
endif()
if(TIDEMARK_BENCH)
  find_package(benchmark REQUIRED)
else()
  find_package(benchmark QUIET)
endif()
if(benchmark_FOUND)
  tidemark_dependency(benchmark benchmark::benchmark)
endif()

# --- fetched -----------------------------------------------------------------------------------------------------
# In .venv, which worktrees may share; a build without one (of an sdist) keeps its own.
if(EXISTS "${PROJECT_SOURCE_DIR}/.venv")
  set(TIDEMARK_THIRD_PARTY "${PROJECT_SOURCE_DIR}/.venv/third_party")
else()
  set(TIDEMARK_THIRD_PARTY "${PROJECT_BINARY_DIR}/third_party")
endif()
execute_process(
  COMMAND "${Python_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/tools/third_party.py" "${TIDEMARK_THIRD_PARTY}"
  COMMAND_ERROR_IS_FATAL ANY)
file(GLOB adbc_sources "${TIDEMARK_THIRD_PARTY}/adbc/adbc_driver_manager*.cc")
add_library(adbc_driver_manager STATIC ${adbc_sources})
target_include_directories(adbc_driver_manager SYSTEM PUBLIC "${TIDEMARK_THIRD_PARTY}/adbc")
target_compile_options(adbc_driver_manager PRIVATE -w)
target_link_libraries(adbc_driver_manager PUBLIC ${CMAKE_DL_LIBS})
tidemark_dependency(adbc adbc_driver_manager)

# DuckDB is loaded when it is first needed, from beside libtidemark.so: nothing links it.
set(TIDEMARK_DUCKDB_LIBRARY "${TIDEMARK_THIRD_PARTY}/duckdb/libduckdb.so")
file(MAKE_DIRECTORY "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}")
file(CREATE_LINK "${TIDEMARK_DUCKDB_LIBRARY}" "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/libduckdb.so" SYMBOLIC)
