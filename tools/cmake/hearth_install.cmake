# What `cmake --install` gives: the program; libhearth, static and shared, made of the objects that were compiled once for
# both; the headers, which need nothing but the standard library; and how CMake and pkg-config find them.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY HEARTH_LAYERS)  # all that hearth_library() has made
foreach(layer ${layers})
  get_target_property(type hearth_${layer} TYPE)
  if(type STREQUAL STATIC_LIBRARY)
    list(APPEND objects $<TARGET_OBJECTS:hearth_${layer}>)
  endif()
endforeach()

add_library(hearth_static STATIC ${objects})
set_target_properties(hearth_static PROPERTIES OUTPUT_NAME hearth LINKER_LANGUAGE CXX)

# Debian's librocksdb.a can't go into a shared library (it is not compiled for that), so this one wants librocksdb.so.
find_library(ROCKSDB_SHARED NAMES rocksdb REQUIRED)
add_library(hearth_shared SHARED ${objects})
# Until 1.0 each minor version may have another interface, and so another name.
set_target_properties(hearth_shared PROPERTIES OUTPUT_NAME hearth LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} LINK_DEPENDS ${CMAKE_SOURCE_DIR}/tools/cmake/exports.map)
target_link_options(hearth_shared PRIVATE -Wl,--version-script=${CMAKE_SOURCE_DIR}/tools/cmake/exports.map)
target_link_libraries(hearth_shared PRIVATE ${ROCKSDB_SHARED} zstd simdjson::simdjson fmt::fmt spdlog::spdlog OpenSSL::SSL OpenSSL::Crypto
  ZLIB::ZLIB CURL::libcurl PkgConfig::cjose ${RE2_LIBRARY} ${PROMETHEUS_LIBRARY} Threads::Threads)

install(TARGETS hearth RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
install(TARGETS hearth_static hearth_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)

# Those that an app may include, and what they include. tests/installed compiles each by itself.
set(HEARTH_HEADERS db/database.h db/host.h db/client.h rules/guard.h net/server.h net/c/hearth.h net/io/log.h)
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -std=c++20 -MM -I${CMAKE_SOURCE_DIR} -x c++ ${HEARTH_HEADERS}
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE found COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "(db|rules|net)/[a-z0-9_/]+\\.h" headers "${found}")
list(REMOVE_DUPLICATES headers)
# They name each other as <hearth/db/…>, so that no folder db/ of an app's gets between them.
install(CODE "
  foreach(header ${headers})
    file(READ \"${CMAKE_SOURCE_DIR}/\${header}\" text)
    string(REGEX REPLACE \"#include \\\"(db|rules|net)/\" \"#include \\\"hearth/\\\\1/\" text \"\${text}\")
    file(WRITE \"${CMAKE_BINARY_DIR}/include/hearth/\${header}\" \"\${text}\")
    get_filename_component(folder \${header} DIRECTORY)
    file(INSTALL \"${CMAKE_BINARY_DIR}/include/hearth/\${header}\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}/hearth/\${folder}\")
  endforeach()" COMPONENT development)
install(FILES ${CMAKE_SOURCE_DIR}/net/c/hearth.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Hearth)
configure_package_config_file(${CMAKE_SOURCE_DIR}/tools/cmake/HearthConfig.cmake.in ${CMAKE_BINARY_DIR}/HearthConfig.cmake
  INSTALL_DESTINATION ${config_folder} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/HearthConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/HearthConfig.cmake ${CMAKE_BINARY_DIR}/HearthConfigVersion.cmake DESTINATION ${config_folder}
  COMPONENT development)
file(RELATIVE_PATH HEARTH_INCLUDE_FROM_LIB ${CMAKE_INSTALL_FULL_LIBDIR} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(${CMAKE_SOURCE_DIR}/tools/cmake/hearth.pc.in ${CMAKE_BINARY_DIR}/hearth.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/hearth.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# The packages (tools/packaging). The defaults are of the package alone: an install elsewhere writes nothing into /etc.
install(FILES ${CMAKE_SOURCE_DIR}/tools/packaging/hearth.service DESTINATION lib/systemd/system COMPONENT server)
install(FILES ${CMAKE_SOURCE_DIR}/tools/packaging/hearth.default DESTINATION /etc/default RENAME hearth COMPONENT defaults
  EXCLUDE_FROM_ALL)
install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/hearth COMPONENT server)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/tools/manual/ DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/hearth/manual COMPONENT server
  FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/hearth RENAME copyright COMPONENT server)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libhearth-dev RENAME copyright
  COMPONENT development)
# Manual pages are made for the packages alone: what makes them is needed for nothing else.
install(CODE "
  execute_process(COMMAND \"${CMAKE_SOURCE_DIR}/tools/packaging/man\" \"$<TARGET_FILE:hearth>\" ${PROJECT_VERSION} \"${CMAKE_BINARY_DIR}/man\"
    COMMAND_ERROR_IS_FATAL ANY)
  file(INSTALL \"${CMAKE_BINARY_DIR}/man/\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}\")"
  COMPONENT manual_pages EXCLUDE_FROM_ALL)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME hearth)
set(CPACK_PACKAGE_VENDOR Hearth)
set(CPACK_PACKAGE_CONTACT "Hearth <hearth@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "realtime JSON tree database that speaks the Firebase protocols")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL server defaults manual_pages development)
set(CPACK_COMPONENT_SERVER_GROUP program)
set(CPACK_COMPONENT_DEFAULTS_GROUP program)
set(CPACK_COMPONENT_MANUAL_PAGES_GROUP program)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME hearth)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS ca-certificates)  # where token keys come by https
set(HEARTH_CONTROL_FILES conffiles postinst prerm postrm)
list(TRANSFORM HEARTH_CONTROL_FILES PREPEND ${CMAKE_SOURCE_DIR}/tools/packaging/
  OUTPUT_VARIABLE CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libhearth-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/tools/packaging/library/postinst
  ${CMAKE_SOURCE_DIR}/tools/packaging/library/postrm)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "librocksdb-dev, libsimdjson-dev, libfmt-dev, libspdlog-dev, libssl-dev, libcurl4-openssl-dev, zlib1g-dev, libzstd-dev, liblz4-dev, libsnappy-dev, libbz2-dev, libre2-dev, libcjose-dev, libjansson-dev, prometheus-cpp-dev")
set(CPACK_COMPONENT_GROUP_PROGRAM_DESCRIPTION "The server and its tools.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "libhearth, static and shared, with headers for C++ and C.")
include(CPack)
