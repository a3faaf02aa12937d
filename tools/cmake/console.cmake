# cmake -D OUTPUT=FILE.cc -D FOLDER=WHERE -P console.cmake -- FILE…: makes the source that defines tools/console_files.h. Each
# file is gzipped once, into FOLDER, and the assembler puts it into the program as it is.
set(assembler "")
set(declarations "")
set(entries "")
set(count 0)
set(is_file FALSE)
file(MAKE_DIRECTORY "${FOLDER}")
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  set(path "${CMAKE_ARGV${i}}")
  if(is_file)
    get_filename_component(name "${path}" NAME)
    execute_process(COMMAND gzip -9nc "${path}" OUTPUT_FILE "${FOLDER}/${name}.gz" COMMAND_ERROR_IS_FATAL ANY)
    file(SHA256 "${path}" tag)
    string(SUBSTRING "${tag}" 0 20 tag)
    file(SIZE "${path}" bytes)
    set(symbol "hearth_console_file_${count}")
    string(APPEND assembler "asm(\".pushsection .rodata\\n.global ${symbol}\\n.hidden ${symbol}\\n.global ${symbol}_end\\n.hidden ${symbol}_end\\n\"\n"
      "    \"${symbol}:\\n.incbin \\\"${FOLDER}/${name}.gz\\\"\\n${symbol}_end:\\n.popsection\\n\");\n")
    string(APPEND declarations "extern const char ${symbol}[] __attribute__((visibility(\"hidden\")));\n"
      "extern const char ${symbol}_end[] __attribute__((visibility(\"hidden\")));\n")
    string(APPEND entries "      {\"${name}\", \"${tag}\", {${symbol}, size_t(${symbol}_end - ${symbol})}, ${bytes}},\n")
    math(EXPR count "${count} + 1")
  elseif(path STREQUAL "--")
    set(is_file TRUE)
  endif()
endforeach()
file(WRITE "${OUTPUT}" "// Made of net/admin/console/built.
#include \"tools/console_files.h\"

${assembler}
extern \"C\" {
${declarations}}

namespace hearth::tools {

const std::vector<net::admin::ConsoleFile>& console_files() {
  static const std::vector<net::admin::ConsoleFile> all = {
${entries}  };
  return all;
}

}  // namespace hearth::tools
")
