# hearth_library(NAME FOLDER [COLD] [APART] [TOGETHER] [WITH library] [DEPENDS library…] [PRIVATE target…])
#
# A static library hearth_NAME of the folder's own .cc files (not of its subfolders). APART: it is no part of libhearth.
# COLD: nothing of it runs for each read, write or event. It is compiled with -O1, in 60 % of the time.
#
# Every unit parses the standard library and our headers again, and compiles the templates it uses again. So a unity build
# (all presets but dev) has few and large units of what is COLD: WITH compiles the folder in the one unit of a COLD library
# above, which says TOGETHER. Their anonymous namespaces are one then. Not of what is hot: GCC inlines otherwise in large units
# (with all of db/model in two units and db/shard in one, limitToLast took 11 to 19 % more instructions, and a path 6 %).
add_library(hearth_flags INTERFACE)
target_include_directories(hearth_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(hearth_flags INTERFACE -Wall -Wextra -Wconversion -Wno-sign-conversion -Werror -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # GCC 12 sees overlaps in std::string's operator+ that are none (GCC bug 105651).
  target_compile_options(hearth_flags INTERFACE -Wno-restrict)
  # Its garbage is not collected before there is 1 GB of it: an eighth of the time that a unit takes, for a quarter more memory.
  target_compile_options(hearth_flags INTERFACE "SHELL:--param ggc-min-heapsize=1048576")
endif()
if(CMAKE_UNITY_BUILD)
  # A class of one .cc file may have members of its anonymous namespace: in a unit of several files GCC takes that file for
  # a header.
  target_compile_options(hearth_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
target_compile_definitions(hearth_flags INTERFACE HEARTH_VERSION="${PROJECT_VERSION}"
  SPDLOG_FMT_EXTERNAL SPDLOG_COMPILED_LIB)
target_link_libraries(hearth_flags INTERFACE Threads::Threads)
if(HEARTH_SANITIZE)
  # Files of tests go without UBSan, which is for what they test: it would take a quarter of the time to compile them.
  string(REPLACE "," ";" for_tests "${HEARTH_SANITIZE}")
  list(REMOVE_ITEM for_tests undefined)
  list(JOIN for_tests "," for_tests)
  set(is_test $<BOOL:$<TARGET_PROPERTY:HEARTH_IS_TEST>>)
  target_compile_options(hearth_flags INTERFACE $<$<NOT:${is_test}>:-fsanitize=${HEARTH_SANITIZE}> -fno-sanitize-recover=all)
  if(for_tests)
    target_compile_options(hearth_flags INTERFACE $<${is_test}:-fsanitize=${for_tests}>)
  endif()
  if(HEARTH_SANITIZE MATCHES address.*undefined AND NOT HEARTH_EVERY_CHECK)
    # Three checks of UBSan are two thirds of the time that a file takes to compile. AddressSanitizer sees what the first two are
    # for where it happens; the third is for machines that this one is not. tools/test --long has them all.
    target_compile_options(hearth_flags INTERFACE $<$<NOT:${is_test}>:-fno-sanitize=null,object-size,alignment>)
  endif()
  target_link_options(hearth_flags INTERFACE -fsanitize=${HEARTH_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # With sanitizers GCC 12 takes moved std::functions in <regex> for uninitialized.
    target_compile_options(hearth_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
  if(HEARTH_SANITIZE MATCHES thread)
    # Fences in headers of others, which TSan does not see.
    target_compile_options(hearth_flags INTERFACE -Wno-tsan)
  endif()
endif()

function(hearth_library name folder)
  cmake_parse_arguments(ARG "COLD;APART;TOGETHER" "WITH" "DEPENDS;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cc)
  set(home ${name})
  if(CMAKE_UNITY_BUILD AND ARG_WITH)
    set(home ${ARG_WITH})
  endif()
  set_property(GLOBAL PROPERTY HEARTH_HOME_${name} ${home})
  set(depends)
  foreach(library ${ARG_DEPENDS})
    get_property(home_of_library GLOBAL PROPERTY HEARTH_HOME_${library})
    if(NOT home_of_library STREQUAL home)
      list(APPEND depends hearth_${library})
    endif()
  endforeach()

  if(NOT home STREQUAL name)
    get_target_property(is_together hearth_${home} HEARTH_TOGETHER)
    if(NOT is_together OR NOT ARG_COLD)
      message(FATAL_ERROR "hearth_library: ${name} is COLD, and WITH names one that is COLD TOGETHER")
    endif()
    add_library(hearth_${name} INTERFACE)
    target_link_libraries(hearth_${name} INTERFACE hearth_${home})
    target_sources(hearth_${home} PRIVATE ${sources})
  elseif(sources)
    add_library(hearth_${name} STATIC ${sources})
    target_link_libraries(hearth_${name} PUBLIC hearth_flags)
    if(ARG_COLD AND ARG_TOGETHER)
      set_target_properties(hearth_${name} PROPERTIES HEARTH_TOGETHER ON UNITY_BUILD_BATCH_SIZE 0)  # one unit
    endif()
    if(ARG_COLD)
      # With -O1 GCC 12 takes empty optionals for uninitialized.
      target_compile_options(hearth_${name} PRIVATE $<$<CONFIG:Release>:-O1> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    endif()
    if(NOT ARG_APART)
      set_property(GLOBAL APPEND PROPERTY HEARTH_LAYERS ${name})
    endif()
  else()
    add_library(hearth_${name} INTERFACE)
    target_link_libraries(hearth_${name} INTERFACE hearth_flags ${depends})
    return()
  endif()

  target_link_libraries(hearth_${home} PUBLIC ${depends} PRIVATE ${ARG_PRIVATE})
endfunction()
