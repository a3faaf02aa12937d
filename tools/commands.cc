// What the commands of the program share: the flags that name a server, and the line that names a chapter of the
// manual.
#include "tools/commands.h"

#include <CLI/CLI.hpp>

namespace hearth::tools {

CLI::Option* add_server(CLI::App& command, std::string& url, std::string& token) {
  command.add_option("--token", token, "A credential of an admin (HEARTH_TOKEN); not needed with serve --dev");
  return command.add_option("--url", url, "A running server (HEARTH_URL)")->capture_default_str();
}

// Commands within a command get the line too: whoever asks for `hearth rules test --help` reads no other help.
void add_chapter(CLI::App& command, const std::string& chapter) {
  const std::string footer = command.get_footer();
  command.footer(footer + (footer.empty() ? "" : "\n\n") + "The manual: hearth help " + chapter);
  for (CLI::App* one : command.get_subcommands({})) add_chapter(*one, chapter);
}

}  // namespace hearth::tools
