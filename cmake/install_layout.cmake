# What `cmake --install` lays down, in one of two layouts:
#   a prefix  include/tidemark, lib/libtidemark.so with the libraries it needs or loads beside it, lib/cmake/tidemark,
#             bin/tidemark: for C++ users
#   a wheel   (SKBUILD) tidemark/_native, tidemark/libtidemark.so with libduckdb.so and libtidemark_flight.so,
#             tidemark/bin/tidemark; Arrow is pyarrow's own
# Nothing installed points back into the build tree or into .venv.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Libraries that are copied beside libtidemark.so; all others are expected on the system (C and C++ runtime).
set(TIDEMARK_BUNDLED "sqlite3|lmdb|yaml-cpp|fmt|crypto|ssl|rdkafka|sasl2|lz4|zstd|z")
set(TIDEMARK_BUNDLED_ARROW "arrow[a-z0-9_]*|parquet")

function(tidemark_install)
  if(SKBUILD)
    tidemark_install_wheel()
  else()
    tidemark_install_prefix()
  endif()
endfunction()

function(tidemark_install_wheel)
  set_target_properties(tidemark PROPERTIES INSTALL_RPATH "$ORIGIN:$ORIGIN/../pyarrow")
  install(TARGETS tidemark LIBRARY DESTINATION tidemark)
  tidemark_install_flight(tidemark "$ORIGIN:$ORIGIN/../pyarrow")
  tidemark_install_bundle(tidemark "${TIDEMARK_BUNDLED}")
  tidemark_install_third_party(tidemark)
  if(TARGET _native)
    set_target_properties(_native PROPERTIES INSTALL_RPATH "$ORIGIN:$ORIGIN/../pyarrow")
    install(TARGETS _native LIBRARY DESTINATION tidemark)
  endif()
  if(TARGET tidemark_program)
    set_target_properties(tidemark_program PROPERTIES INSTALL_RPATH "$ORIGIN/..:$ORIGIN/../../pyarrow")
    install(TARGETS tidemark_program RUNTIME DESTINATION tidemark/bin)
  endif()
endfunction()

function(tidemark_install_prefix)
  set(package "${CMAKE_INSTALL_LIBDIR}/cmake/tidemark")
  set_target_properties(tidemark PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS tidemark EXPORT tidemark-targets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/tidemark" DESTINATION include FILES_MATCHING PATTERN "*.h")
  tidemark_install_flight("${CMAKE_INSTALL_LIBDIR}" "$ORIGIN")
  tidemark_install_bundle("${CMAKE_INSTALL_LIBDIR}" "${TIDEMARK_BUNDLED}|${TIDEMARK_BUNDLED_ARROW}")
  tidemark_install_third_party("${CMAKE_INSTALL_LIBDIR}")
  if(TARGET tidemark_program)
    set_target_properties(tidemark_program PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
    install(TARGETS tidemark_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  endif()

  install(EXPORT tidemark-targets NAMESPACE tidemark:: FILE tidemark-config.cmake DESTINATION "${package}")
  write_basic_package_version_file(
    "${PROJECT_BINARY_DIR}/tidemark-config-version.cmake" VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/tidemark-config-version.cmake" DESTINATION "${package}")
endfunction()

# The Flight server, which `tidemark serve` loads from beside libtidemark.so.
function(tidemark_install_flight destination rpath)
  if(TARGET tidemark_flight)
    set_target_properties(tidemark_flight PROPERTIES INSTALL_RPATH "${rpath}")
    install(TARGETS tidemark_flight LIBRARY DESTINATION "${destination}")
  endif()
endfunction()

# DuckDB's library, which is loaded and not linked, and the licences of what was fetched.
function(tidemark_install_third_party destination)
  install(FILES "${TIDEMARK_DUCKDB_LIBRARY}" DESTINATION "${destination}")
  set(licences "${CMAKE_INSTALL_DATADIR}/licenses/tidemark")
  if(SKBUILD)
    set(licences "tidemark/licenses")
  endif()
  install(FILES "${TIDEMARK_THIRD_PARTY}/duckdb/LICENSE" DESTINATION "${licences}" RENAME duckdb.txt)
  install(FILES "${TIDEMARK_THIRD_PARTY}/adbc/LICENSE.txt" DESTINATION "${licences}" RENAME adbc.txt)
endfunction()

# Copies what libtidemark.so and libtidemark_flight.so need, directly or not, and is called lib(<names>).so*, under the name
# that the loader looks for.
function(tidemark_install_bundle destination names)
  set(libraries "\"$<TARGET_FILE:tidemark>\"")
  if(TARGET tidemark_flight)
    string(APPEND libraries " \"$<TARGET_FILE:tidemark_flight>\"")
  endif()
  install(
    CODE "
    file(GET_RUNTIME_DEPENDENCIES LIBRARIES ${libraries}
         RESOLVED_DEPENDENCIES_VAR needed
         PRE_INCLUDE_REGEXES \"^lib(${names})[.]so\"
         PRE_EXCLUDE_REGEXES \".\")
    set(into \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${destination}\")
    foreach(library IN LISTS needed)
      get_filename_component(name \"\${library}\" NAME)
      get_filename_component(real \"\${library}\" REALPATH)
      message(STATUS \"Bundling: \${into}/\${name}\")
      file(COPY_FILE \"\${real}\" \"\${into}/\${name}\" ONLY_IF_DIFFERENT)
    endforeach()")
endfunction()
