# tidemark_layer(<name> [ARROW] [PCH <header>...] [DEPS <layer>...] [LIBS <target>...])
#
# Makes a layer of the folder it is called from, by what the files are named:
#   *_test.cc      one GoogleTest program, tidemark_<name>_test, its tests known to ctest
#   *_testing.cc   tidemark_<name>_testing: support for tests, linked by the tests of this layer and of those that list
#                  it in DEPS (a conformance suite, for example)
#   *_bench.cc     one Google Benchmark program, tidemark_<name>_bench, with TIDEMARK_BENCH; without it, where the
#                  benchmark library is there, only when it is asked for by name
#   main.cc        left to the caller
#   other *.cc     the static library tidemark_<name>; without any, it is an interface library
# Includes are written from src/ and include/: "base/clock.h", "adapters/lmdb/env.h", "tidemark/error.h".
# ARROW links Arrow and its compute library and uses the shared precompiled header (cmake/pch). PCH gives the layer one of
# its own instead, with Arrow and these headers: worth it where many files include one that takes seconds.

set(TIDEMARK_PCH_STD
    <algorithm> <cstdint> <expected> <functional> <map> <memory> <optional> <span> <string> <string_view>
    <unordered_map> <utility> <variant> <vector>)

function(tidemark_pch_target name source)
  add_library(${name} OBJECT "${PROJECT_SOURCE_DIR}/cmake/pch/${source}")
  target_link_libraries(${name} PUBLIC Arrow::arrow Arrow::compute)
  target_precompile_headers(${name} PRIVATE ${TIDEMARK_PCH_STD} <arrow/api.h> ${ARGN})
endfunction()

# Tests spend their time in the code under test: optimizing their own would take a third of the build.
function(tidemark_test_options target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O0>)
endfunction()

tidemark_pch_target(tidemark_arrow_pch arrow.cc)
if(TIDEMARK_TESTS)
  tidemark_pch_target(tidemark_arrow_test_pch arrow_test.cc <gmock/gmock.h> <gtest/gtest.h>)
  target_link_libraries(tidemark_arrow_test_pch PUBLIC dep::gtest)
  tidemark_test_options(tidemark_arrow_test_pch)
endif()

define_property(GLOBAL PROPERTY TIDEMARK_LAYERS BRIEF_DOCS "Static libraries that libtidemark.so is made of")

# tidemark_units(<out> <target> <source>...): what to compile for these sources. With TIDEMARK_UNITY, units of eight, each a
# file that includes them: parsing what they all include, and instantiating the same templates, is most of the work. So names
# in the anonymous namespaces of a layer differ. Sources with definitions of their own stay alone. The units name their sources
# from src/, so that ccache knows them in every checkout.
function(tidemark_units out target)
  set(units "")
  set(unit_texts "")
  set(unit "")
  set(count 0)
  foreach(source IN LISTS ARGN)
    get_source_file_property(own "${source}" COMPILE_DEFINITIONS)
    if(own OR NOT TIDEMARK_UNITY)
      list(APPEND units "${source}")
      continue()
    endif()
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY "${PROJECT_SOURCE_DIR}/src")
    string(APPEND unit "#include \"${source}\"\n")
    math(EXPR count "${count} + 1")
    math(EXPR full "${count} % 8")
    if(full EQUAL 0)
      list(APPEND unit_texts "${unit}")
      set(unit "")
    endif()
  endforeach()
  if(unit)
    list(APPEND unit_texts "${unit}")
  endif()
  set(number 0)
  foreach(text IN LISTS unit_texts)
    set(file "${PROJECT_BINARY_DIR}/units/${target}_${number}.cc")
    file(CONFIGURE OUTPUT "${file}" CONTENT "${text}" @ONLY)
    list(APPEND units "${file}")
    math(EXPR number "${number} + 1")
  endforeach()
  set(${out} "${units}" PARENT_SCOPE)
endfunction()

# What all targets of a layer have: warnings, include folders, Arrow with its precompiled header.
function(tidemark_layer_target target arrow pch)
  tidemark_warnings(${target})
  if(TIDEMARK_UNITY)
    # A unit of many sources is no header, though GCC takes types of its anonymous namespaces for such.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/include")
  target_compile_definitions(${target} PRIVATE "TIDEMARK_VERSION=\"${PROJECT_VERSION}\"")
  target_link_libraries(${target} PRIVATE Threads::Threads)
  if(arrow)
    target_link_libraries(${target} PUBLIC Arrow::arrow Arrow::compute)
    target_precompile_headers(${target} REUSE_FROM ${pch})
  endif()
endfunction()

function(tidemark_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ARROW" "" "DEPS;LIBS;PCH")
  list(TRANSFORM arg_DEPS PREPEND tidemark_ OUTPUT_VARIABLE deps)
  set(target tidemark_${name})
  set(pch tidemark_arrow_pch)
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  set(tests ${sources})
  set(testing ${sources})
  set(benches ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER testing INCLUDE REGEX "_testing\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|_testing|_bench|/main)\\.cc$")

  if(arg_PCH)
    set(pch tidemark_${name}_pch)
    tidemark_pch_target(${pch} arrow.cc ${arg_PCH})
    target_link_libraries(${pch} PUBLIC ${arg_LIBS})
  endif()
  if(sources)
    tidemark_units(units ${target} ${sources})
    add_library(${target} STATIC ${units})
    tidemark_layer_target(${target} "${arg_ARROW}" ${pch})
    target_link_libraries(${target} PUBLIC ${deps} ${arg_LIBS})
    set_property(GLOBAL APPEND PROPERTY TIDEMARK_LAYERS ${target})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE "${PROJECT_SOURCE_DIR}/include")
    target_link_libraries(${target} INTERFACE ${deps} ${arg_LIBS})
    if(arg_ARROW)
      target_link_libraries(${target} INTERFACE Arrow::arrow Arrow::compute)
    endif()
  endif()

  if(TIDEMARK_TESTS AND testing)
    add_library(${target}_testing STATIC ${testing})
    tidemark_layer_target(${target}_testing "${arg_ARROW}" tidemark_arrow_test_pch)
    tidemark_test_options(${target}_testing)
    target_link_libraries(${target}_testing PUBLIC ${target} dep::gtest)
  endif()
  if(TIDEMARK_TESTS AND tests)
    tidemark_layer_tests(${name} "${arg_ARROW}" "${arg_DEPS}" "${tests}")
  endif()
  if(benchmark_FOUND AND benches)
    add_executable(${target}_bench ${benches})
    if(NOT TIDEMARK_BENCH)
      set_target_properties(${target}_bench PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()
    tidemark_layer_target(${target}_bench "${arg_ARROW}" tidemark_arrow_pch)
    target_link_libraries(${target}_bench PRIVATE ${target} dep::benchmark)
  endif()
endfunction()

function(tidemark_layer_tests name arrow deps tests)
  set(target tidemark_${name}_test)
  tidemark_units(units ${target} ${tests})
  add_executable(${target} ${units})
  tidemark_layer_target(${target} "${arrow}" tidemark_arrow_test_pch)
  tidemark_test_options(${target})
  target_link_libraries(${target} PRIVATE tidemark_${name} dep::gtest GTest::gtest_main)
  foreach(layer IN LISTS name deps)
    if(TARGET tidemark_${layer}_testing)
      target_link_libraries(${target} PRIVATE tidemark_${layer}_testing)
    endif()
  endforeach()
  target_compile_definitions(${target} PRIVATE "TIDEMARK_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
  gtest_discover_tests(
    ${target}
    TEST_PREFIX "${name}."
    DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${name} TIMEOUT 300)
endfunction()

# tidemark_headers: compiles headers on their own, without any precompiled one. Built by `make check`, not by default.
# A header that the source of its name includes before all else is left out: clang-tidy, which runs over all sources but
# tests without a precompiled header, says if it does not compile alone.
function(tidemark_check_headers)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}" "src/*.h" "include/*.h")
  set(alone "")
  foreach(header IN LISTS headers)
    string(REGEX REPLACE "^(src|include)/" "" included "${header}")
    string(REGEX REPLACE "[.]h$" ".cc" source "${PROJECT_SOURCE_DIR}/${header}")
    if(EXISTS "${source}" AND NOT header MATCHES "_testing[.]h$")
      file(STRINGS "${source}" first LIMIT_COUNT 1 REGEX "^#include ")
      if(first STREQUAL "#include \"${included}\"")
        continue()
      endif()
    endif()
    string(MAKE_C_IDENTIFIER "${header}" name)
    file(CONFIGURE OUTPUT "headers/${name}.cc" CONTENT "#include \"${included}\"  // IWYU pragma: keep\n")
    list(APPEND alone "${PROJECT_BINARY_DIR}/headers/${name}.cc")
  endforeach()
  if(NOT alone OR NOT TIDEMARK_TESTS)
    return()
  endif()
  add_library(tidemark_headers OBJECT EXCLUDE_FROM_ALL ${alone})
  tidemark_layer_target(tidemark_headers "" "")
  target_compile_options(tidemark_headers PRIVATE -O0 -g0)
  target_link_libraries(
    tidemark_headers PRIVATE Arrow::parquet Arrow::dataset Arrow::flight dep::sqlite3 dep::lmdb dep::rdkafka dep::yaml_cpp dep::json
                             dep::fmt dep::xxhash dep::cli11 dep::adbc dep::protobuf dep::curl dep::gtest)
endfunction()
