// The house rules that no compiler checks: which folder may include which, what a header starts with, what has a test,
// what lies where. A failure names the file and the rule.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = HEARTH_SOURCE_DIR;

// What .gitignore names, and git's own.
const std::set<std::string> kNotOurs = {".git", "build", "built", "node_modules", "hearth-data", ".cache"};

// What a folder may include of this project: its own files, and those directly in the folders named. Arrows point down.
const std::map<std::string, std::set<std::string>> kArrows = {
    {"db/base", {}},
    {"db/model", {"db/base"}},
    {"db/documents", {"db/base", "db/model"}},
    {"db/store", {"db/base", "db/model"}},
    {"db/log", {"db/base", "db/model", "db/store"}},
    {"db/log/postgres", {"db/base", "db/model", "db/store", "db/log", "db/cluster"}},
    {"db/cluster", {"db/base", "db/model", "db/log"}},
    {"db/commit", {"db/base", "db/model", "db/store", "db/log"}},
    {"db/dump", {"db/base", "db/model", "db/store", "db/log", "db/documents"}},
    {"db/events", {"db/base", "db/model"}},
    {"db/topics", {"db/base", "db/model"}},
    {"db/read", {"db/base", "db/model", "db/store", "db/log", "db/commit"}},
    {"db/shard",
     {"db/base", "db/model", "db/store", "db/log", "db/commit", "db/events", "db/topics", "db/documents", "db/read"}},
    {"db/upkeep", {"db/base", "db/model", "db/store", "db/log", "db/commit", "db/documents", "db/dump", "db/shard"}},
    {"db/calls", {"db/base", "db/model"}},
    {"db",
     {"db/base", "db/model", "db/store", "db/commit", "db/cluster", "db/calls", "db/read", "db/shard", "db/upkeep"}},
    {"rules/language", {"db/base", "db/model"}},
    {"rules", {"db/base", "db/model", "db", "rules/language"}},
    {"net/auth", {"db/base", "db/model", "rules", "rules/language/text.h"}},
    {"net/io", {"db/base", "db/model"}},
    {"net/peer", {"db/base", "db/model", "db/cluster", "db/log", "net/io", "net/http", "net/host_namespace.h"}},
    {"net/websocket", {"db/base", "db/model", "net/io"}},
    {"net/http", {"db/base", "db/model", "net/io", "net/websocket"}},
    {"net/outgoing", {"db/base", "db/model", "net/io", "net/http"}},
    {"net/rest",
     {"db/base", "db/model", "rules", "rules/language/text.h", "net/auth", "net/io", "net/http", "net/error_reply.h",
      "net/host_namespace.h"}},
    {"net/wire",
     {"db/base", "db/model", "rules", "net/auth", "net/io", "net/websocket", "net/http", "net/error_reply.h",
      "net/host_namespace.h"}},
    {"net/session", {"db/base", "db/model", "rules", "net/io", "net/websocket"}},
    {"net/supabase",
     {"db/base", "db/model", "rules", "net/auth", "net/io", "net/websocket", "net/http", "net/session",
      "net/error_reply.h", "net/host_namespace.h"}},
    {"net/yjs",
     {"db/base", "db/model", "db/documents", "rules", "net/auth", "net/io", "net/websocket", "net/http", "net/session",
      "net/host_namespace.h"}},
    {"net/webhooks",
     {"db/base", "db/model", "rules", "net/auth", "net/io", "net/outgoing", "net/http", "net/rest", "net/error_reply.h",
      "net/host_namespace.h"}},
    {"net/admin",
     {"db/base", "db/model", "db/cluster/figures.h", "rules", "net/auth", "net/io", "net/http", "net/error_reply.h"}},
    {"net/admin/api",
     {"db/base", "db/model", "rules", "rules/language/text.h", "net/auth", "net/io", "net/http", "net/rest",
      "net/admin", "net/error_reply.h"}},
    {"net",
     {"db/base", "db/model", "rules", "net/auth", "net/io", "net/outgoing", "net/http", "net/rest", "net/wire",
      "net/supabase", "net/yjs", "net/admin", "net/admin/api", "net/webhooks", "net/peer"}},
    {"net/c", {"db/base", "db/model", "db", "rules", "net", "net/io/log.h", "net/rest/change_feed.h"}},
    {"tools/bench",
     {"db/base", "db/model", "db/log/commit_log.h", "db/log/postgres", "db", "rules", "net", "net/auth", "net/io",
      "net/wire/limits.h", "tools"}},
    {"tools/backup", {"db/base", "db/model", "db/dump", "rules", "net/io", "net/outgoing", "tools"}},
    {"tools",
     {"db/base",
      "db/model",
      "db/log/postgres",
      "db/cluster",
      "db/dump",
      "db/read",
      "db/upkeep",
      "db",
      "net/peer",
      "net/admin/cluster_door.h",
      "rules",
      "rules/language/text.h",
      "net",
      "net/admin/console.h",
      "net/auth",
      "net/io",
      "net/outgoing",
      "net/webhooks/options.h",
      "net/wire/limits.h",
      "tools/backup",
      "tools/bench"}},
};

// Files that may include less than their folder.
const std::map<std::string, std::set<std::string>> kFileArrows = {
    {"db/database.h", {"db/base", "db/model"}},
    {"db/host.h", {"db/base", "db/model", "db"}},
    {"rules/auth.h", {"db/base", "db/model"}},
    {"net/error_reply.h", {"db/base"}},
    {"net/host_namespace.h", {}},
};

// Heavy or revealing headers: where they may be included, and always in .cc files only, but for kWrappers.
const std::map<std::string, std::set<std::string>> kLibraries = {
    {"rocksdb/", {"db/store", "tests"}},
    {"simdjson", {"db/model", "tests"}},
    {"boost/", {"db/dump", "net/io", "net/http", "tests"}},
    {"openssl/",
     {"db/dump", "db/model", "net/auth", "net/io", "net/peer", "net/websocket", "net/webhooks", "rules", "tools",
      "tools/bench", "tests"}},
    {"spdlog/", {"net/io"}},
    {"prometheus/", {"net/admin"}},
    {"CLI/", {"tools", "tools/bench"}},
    {"cjose/", {"net/auth", "tests"}},
    {"curl/", {"net/outgoing"}},
    {"libpq", {"db/log/postgres"}},
    {"catch2/", {"tests"}},
};
const std::map<std::string, std::string> kWrappers = {
    {"db/store/snapshot_state.h", "what the two files that make snapshots share"},
    {"net/outgoing/curl.h", "the one place that sets libcurl up"},
};

// Headers whose test has another name: parts of something that is tested as a whole.
const std::map<std::string, std::string> kTestedIn = {
    {"db/commit/cached_view.h", "tests/db/commit/leaf_cache_test.cc"},
    {"db/commit/ephemeral.h", "tests/db/ephemeral_test.cc"},
    {"db/commit/expiry.h", "tests/db/expiry_test.cc"},
    {"db/commit/pending_tree.h", "tests/db/commit/committer_test.cc"},
    {"db/log/log_reader.h", "tests/db/changes_test.cc"},
    {"db/cluster/bus.h", "tests/db/cluster/member_test.cc"},
    {"db/cluster/directory.h", "tests/db/cluster/member_test.cc"},
    {"db/cluster/log_bytes.h", "tests/db/cluster/member_test.cc"},
    {"db/cluster/replica.h", "tests/db/cluster_replica_test.cc"},
    {"net/admin/cluster_door.h", "tests/sdk/console_cluster.test.mjs"},
    {"net/peer/peer_port.h", "tests/net/peer/bus_test.cc"},
    {"net/peer/tls_pump.h", "tests/net/peer/bus_test.cc"},
    {"db/model/beside.h", "tests/db/beside_test.cc"},
    {"db/model/change.h", "tests/db/changes_test.cc"},
    {"db/model/document_plan.h", "tests/db/documents/tree_value_test.cc"},
    {"db/cluster/replica.h", "tests/db/cluster_replica_test.cc"},
    {"db/shard/beginning.h", "tests/db/resume_test.cc"},
    {"db/shard/mirrors.h", "tests/db/mirrors_test.cc"},
    {"net/c/loop.h", "tests/installed/app.c"},
    {"net/webhooks/api.h", "tests/sdk/webhooks.test.mjs"},
    {"net/webhooks/asks.h", "tests/sdk/webhooks.test.mjs"},
    {"net/webhooks/hook_line.h", "tests/net/webhooks/deliverer_test.cc"},
    {"net/webhooks/mailbox.h", "tests/net/webhooks/deliverer_test.cc"},
    {"db/dump/standing.h", "tests/db/upkeep/fold_test.cc"},
    {"db/log/versions.h", "tests/db/past_test.cc"},
    {"db/read/past.h", "tests/db/past_test.cc"},
    {"db/read/changes.h", "tests/db/changes_test.cc"},
    {"net/rest/change_feed.h", "tests/sdk/history.test.mjs"},
    {"net/rest/past.h", "tests/sdk/history.test.mjs"},
    {"db/store/snapshot.h", "tests/db/store/tree_store_test.cc"},
    {"db/store/snapshot_state.h", "tests/db/store/tree_store_test.cc"},
    {"db/calls/callbacks.h", "tests/db/closing_test.cc"},
    {"db/child_events.h", "tests/db/database_test.cc"},
    {"db/documents/item.h", "tests/db/documents/document_test.cc"},
    {"db/base/bytes.h", "tests/db/dump/dump_file_test.cc"},
    {"db/dump/lane.h", "tests/db/dump/restore_documents_test.cc"},
    {"db/engine.h", "tests/db/database_test.cc"},
    {"db/host.h", "tests/db/client_test.cc"},
    {"db/calls/gate.h", "tests/db/closing_test.cc"},
    {"db/shard/namespace_state.h", "tests/db/database_test.cc"},
    {"db/events/row_registry.h", "tests/db/rows_test.cc"},
    {"db/model/document_updates.h", "tests/db/documents_test.cc"},
    {"db/model/forms.h", "tests/db/model/event_test.cc"},
    {"db/model/row_change.h", "tests/db/rows_test.cc"},
    {"db/model/topic.h", "tests/db/rows_test.cc"},
    {"db/shard/swap.h", "tests/db/upkeep/backups_test.cc"},
    {"db/model/namespace_name.h", "tests/db/database_test.cc"},
    {"db/model/precondition.h", "tests/db/model/tree_view_test.cc"},
    {"db/model/row_pattern.h", "tests/db/model/row_filter_test.cc"},
    {"db/model/stats.h", "tests/db/read/stats_test.cc"},
    {"rules/guarding.h", "tests/rules/guard_test.cc"},
    {"rules/language/part_counts.h", "tests/rules/coverage_test.cc"},
    {"net/c/hearth.h", "tests/installed/app.c"},
    {"net/wire/limits.h", "tests/net/wire/session_test.cc"},
    {"net/io/addresses.h", "tests/net/http/drain_test.cc"},
    {"net/io/bytes.h", "tests/net/http/bytes_test.cc"},
    {"net/io/connection.h", "tests/net/http/exchange_test.cc"},
    {"net/io/counters.h", "tests/net/io/listener_test.cc"},
    {"net/http/gzip.h", "tests/net/http/bytes_test.cc"},
    {"net/http/http_session.h", "tests/net/http/exchange_test.cc"},
    {"net/io/hub.h", "tests/net/http/drain_test.cc"},
    {"net/io/io_loop.h", "tests/net/io/io_pool_test.cc"},
    {"net/io/outbox.h", "tests/net/http/bytes_test.cc"},
    {"net/io/peer.h", "tests/net/http/forwarded_test.cc"},
    {"net/io/protocol.h", "tests/net/http/exchange_test.cc"},
    {"net/http/passed_answer.h", "tests/net/peer/relay_test.cc"},
    {"net/peer/relay_directory.h", "tests/sdk/cluster.test.mjs"},
    {"net/peer/relay_dials.h", "tests/net/peer/relay_test.cc"},
    {"net/peer/relay_journey.h", "tests/net/peer/relay_test.cc"},
    {"net/peer/relay_line.h", "tests/net/peer/relay_test.cc"},
    {"net/peer/relay_nodes.h", "tests/net/peer/relay_test.cc"},
    {"net/peer/splice.h", "tests/net/peer/relay_test.cc"},
    {"net/http/request.h", "tests/net/http/exchange_test.cc"},
    {"net/http/response_head.h", "tests/net/http/exchange_test.cc"},
    {"net/http/serve.h", "tests/net/io/listener_test.cc"},
    {"net/websocket/frame.h", "tests/net/http/bytes_test.cc"},
    {"net/outgoing/curl.h", "tests/net/outgoing/fetch_test.cc"},
    {"net/admin/api/activity_wait.h", "tests/sdk/admin_api.test.mjs"},
    {"net/admin/api/api.h", "tests/sdk/admin_api.test.mjs"},
    {"net/admin/api/settings.h", "tests/scripts/upkeep_test.cc"},
    {"net/admin/api/upkeep.h", "tests/scripts/upkeep_test.cc"},
    {"net/rest/desk.h", "tests/scripts/upkeep_test.cc"},
    {"db/model/live.h", "tests/db/live_test.cc"},
    {"db/shard/stored_documents.h", "tests/db/live_test.cc"},
    {"net/admin/console.h", "tests/sdk/console.test.mjs"},
    {"net/rest/peek.h", "tests/scripts/peek.script"},
    {"net/session/home_session.h", "tests/sdk/supabase_realtime.test.mjs"},
    {"net/supabase/channel_name.h", "tests/sdk/supabase_channels.test.mjs"},
    {"net/supabase/pages.h", "tests/sdk/supabase_channels.test.mjs"},
    {"net/supabase/realtime.h", "tests/sdk/supabase_realtime.test.mjs"},
    {"net/supabase/realtime_channel.h", "tests/sdk/supabase_realtime.test.mjs"},
    {"net/supabase/realtime_socket.h", "tests/sdk/supabase_realtime.test.mjs"},
    {"net/supabase/services.h", "tests/sdk/supabase_realtime.test.mjs"},
    {"net/yjs/acceptor.h", "tests/sdk/yjs.test.mjs"},
    {"net/yjs/document_client.h", "tests/sdk/yjs.test.mjs"},
    {"net/yjs/sockets.h", "tests/sdk/yjs.test.mjs"},
    {"net/wire/acceptor.h", "tests/net/wire/long_poll_test.cc"},
    {"net/wire/dialogue.h", "tests/net/wire/socket_test.cc"},
    {"net/wire/polls.h", "tests/net/wire/long_poll_test.cc"},
};

// Headers with nothing to test, and why.
const std::map<std::string, std::string> kUntested = {
    {"db/cluster/figures.h", "plain values"},
    {"db/model/figures.h", "plain values"},
    {"db/model/dump_request.h", "plain values"},
    {"db/model/notice.h", "a plain value"},
    {"db/model/memory_limits.h", "plain values"},
    {"db/model/read.h", "plain values"},
    {"net/io/limits.h", "constants"},
    {"rules/auth.h", "a plain value"},
    {"net/io/spread.h", "a random number"},
    {"net/webhooks/options.h", "plain values"},
};

const std::set<std::string> kTopLevel = {
    "CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", ".ci", ".clang-format", ".clang-tidy",
    "findings",       ".gitignore",        ".npmrc",  "db",        "net", "rules",         "tests",
    "tools"};

constexpr size_t kLinesMax = 600;
constexpr double kCommentShareMin = 0.08;  // of the lines of all sources of the program

struct File {
  std::string path;  // from the root, as includes name it
  std::vector<std::string> lines;

  std::string folder() const { return fs::path(path).parent_path().string(); }
  std::string name() const { return fs::path(path).filename().string(); }
  std::string extension() const { return fs::path(path).extension().string(); }
  bool is_under(const std::string& top) const { return path.starts_with(top + "/"); }
};

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Everything that a person wrote: all files but vectors, corpora, lock files and pictures.
const std::vector<File>& written_files() {
  static const std::vector<File> files = [] {
    std::vector<File> found;
    for (auto at = fs::recursive_directory_iterator(kRoot); at != fs::recursive_directory_iterator(); ++at) {
      if (kNotOurs.contains(at->path().filename().string())) {
        at.disable_recursion_pending();
        continue;
      }
      const std::string path = at->path().lexically_relative(kRoot).string();
      if (!at->is_regular_file() || path.starts_with("tests/data/") || path.starts_with("tests/fuzz/corpus/") ||
          path.ends_with("package-lock.json") || path.ends_with(".webp")) {
        continue;
      }
      found.push_back({path, lines_of(at->path())});
    }
    std::sort(found.begin(), found.end(), [](const File& a, const File& b) { return a.path < b.path; });
    return found;
  }();
  return files;
}

std::vector<File> files_with(const std::set<std::string>& extensions) {
  std::vector<File> found;
  for (const File& file : written_files()) {
    if (extensions.contains(file.extension())) found.push_back(file);
  }
  return found;
}

std::vector<File> sources() { return files_with({".cc", ".h"}); }
std::vector<File> headers() { return files_with({".h"}); }

struct Include {
  size_t line;
  std::string path;
  bool quoted;
};

std::vector<Include> includes_of(const File& file) {
  std::vector<Include> found;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    std::string_view line = file.lines[i];
    if (!line.starts_with("#include ")) continue;
    line.remove_prefix(std::string_view("#include ").size());
    const size_t end = line.find_first_of("\">", 1);
    found.push_back({i + 1, std::string(line.substr(1, end - 1)), line.front() == '"'});
  }
  return found;
}

std::string folder_of(const std::string& path) { return fs::path(path).parent_path().string(); }

// "6.1" of "6.1 Request", "6" of "6. Listening".
std::string section_at(std::string_view text) {
  std::string number(text.substr(0, text.find_first_not_of("0123456789.")));
  while (number.ends_with('.')) number.pop_back();
  return number;
}

std::set<std::string> sections_of(const fs::path& chapter) {
  std::set<std::string> found;
  for (const std::string& line : lines_of(chapter)) {
    const size_t start = line.starts_with("##") ? line.find_first_not_of("# ") : std::string::npos;
    if (start != std::string::npos) found.insert(section_at(std::string_view(line).substr(start)));
  }
  found.erase("");
  return found;
}

bool is_allowed(const File& from, const std::string& to) {
  if (from.is_under("tests")) return true;
  if (const auto found = kFileArrows.find(from.path); found != kFileArrows.end()) {
    return found->second.contains(folder_of(to));
  }
  const auto& arrows = kArrows.at(from.folder());
  return folder_of(to) == from.folder() || arrows.contains(folder_of(to)) || arrows.contains(to);
}

}  // namespace

TEST_CASE("tidy: every include follows an arrow of the design", "[tidy]") {
  for (const File& file : sources()) {
    INFO(file.path);
    const bool has_row = file.is_under("tests") || kArrows.contains(file.folder());
    CHECK(has_row);  // a new folder needs its arrows
    if (!has_row) continue;
    for (const Include& include : includes_of(file)) {
      if (!include.quoted) continue;
      INFO(file.path << ":" << include.line << " includes " << include.path);
      CHECK(fs::exists(kRoot / include.path));  // written from the root
      CHECK(is_allowed(file, include.path));
      CHECK((file.is_under("tests") || !include.path.starts_with("tests/")));  // nothing sees the tests
    }
  }
}

TEST_CASE("tidy: libraries stay in their folders, heavy headers in .cc files", "[tidy]") {
  for (const File& file : sources()) {
    for (const Include& include : includes_of(file)) {
      if (include.quoted) continue;
      for (const auto& [library, folders] : kLibraries) {
        if (!include.path.starts_with(library)) continue;
        INFO(file.path << ":" << include.line << " includes " << include.path);
        CHECK((folders.contains(file.folder()) || (folders.contains("tests") && file.is_under("tests"))));
        CHECK((file.extension() == ".cc" || file.is_under("tests") || kWrappers.contains(file.path)));
      }
    }
  }
}

TEST_CASE("tidy: a header opens with what it is, then #pragma once", "[tidy]") {
  for (const File& file : headers()) {
    INFO(file.path);
    const auto first_code = std::find_if(file.lines.begin(), file.lines.end(), [](const std::string& line) {
      return !line.empty() && !line.starts_with("//");
    });
    CHECK((!file.lines.empty() && file.lines.front().starts_with("// ")));
    CHECK((first_code != file.lines.end() && *first_code == "#pragma once"));
  }
}

TEST_CASE("tidy: each header has a test", "[tidy]") {
  std::set<std::string> excused;
  for (const File& file : headers()) {
    if (file.is_under("tests") || file.is_under("tools")) continue;
    const std::string test = "tests/" + file.path.substr(0, file.path.size() - 2) + "_test.cc";
    INFO(file.path << " and " << test);
    const bool is_excused = kTestedIn.contains(file.path) || kUntested.contains(file.path);
    if (is_excused) excused.insert(file.path);
    CHECK(fs::exists(kRoot / test) != is_excused);  // an exception must still be one
  }
  CHECK(excused.size() == kTestedIn.size() + kUntested.size());  // and of a header that is there
  for (const auto& [path, test] : kTestedIn) {
    INFO(path << " in " << test);
    CHECK(fs::exists(kRoot / test));
  }
}

TEST_CASE("tidy: the project stands alone: what it names and cites is in it", "[tidy]") {
  const std::string beside = std::string("sha") + "red";  // a folder of no checkout
  const std::vector<std::string> strangers = {"../" + beside, beside + "/spec", beside + "/conformance",
                                              beside + "/reviews", beside + "/repro"};
  const std::string mark = std::string(".md ") + "§";
  const std::string name_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.-";
  size_t count = 0;
  for (const File& file : written_files()) {
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      INFO(file.path << ":" << i + 1 << ": " << line);
      for (const std::string& stranger : strangers) {
        if (line.find(stranger) != std::string::npos) CHECK(false);
      }
      for (size_t at = line.find(mark); at != std::string::npos; at = line.find(mark, at + 1)) {
        const size_t start = line.find_last_not_of(name_letters, at) + 1;  // of the whole line: npos + 1
        const std::string chapter = line.substr(start, at + 3 - start);    // from the root, as includes are
        const std::string section = section_at(std::string_view(line).substr(at + mark.size()));
        INFO("section " << section << " of " << chapter);
        CHECK(sections_of(kRoot / chapter).contains(section));
        ++count;
      }
    }
  }
  CHECK(count > 100);  // citations are found at all
}

TEST_CASE("tidy: nothing strays at the top", "[tidy]") {
  for (const auto& entry : fs::directory_iterator(kRoot)) {
    const std::string name = entry.path().filename().string();
    if (kNotOurs.contains(name) || name == "compile_commands.json") continue;
    INFO(name);
    CHECK(kTopLevel.contains(name));
  }
  for (const std::string& name : kTopLevel) {
    INFO(name << " is missing");
    CHECK(fs::exists(kRoot / name));
  }
}

TEST_CASE("tidy: a file is one noun and not too long", "[tidy]") {
  for (const File& file : files_with({".cc", ".h", ".mjs", ".cmake", ".js", ".css", ".html"})) {
    INFO(file.path << " has " << file.lines.size() << " lines");
    CHECK(file.lines.size() <= kLinesMax);
  }
}

TEST_CASE("tidy: sources explain themselves", "[tidy]") {
  size_t comments = 0, lines = 0;
  for (const File& file : files_with({".cc"})) {
    if (file.is_under("tests")) continue;
    for (const std::string_view line : file.lines) {
      const size_t begin = line.find_first_not_of(' ');
      if (begin == std::string_view::npos) continue;
      ++lines;
      comments += line.substr(begin).starts_with("//") ? 1 : 0;
    }
  }
  INFO(comments << " of " << lines << " lines are comments");
  CHECK(static_cast<double>(comments) >= kCommentShareMin * static_cast<double>(lines));
}

TEST_CASE("tidy: work left to do names its issue", "[tidy]") {
  const std::string mark = std::string("TO") + "DO";
  for (const File& file : files_with({".cc", ".h", ".mjs", ".cmake", ".txt", ".md", ""})) {
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string_view line = file.lines[i];
      const size_t at = line.find(mark);
      if (at == std::string_view::npos) continue;
      INFO(file.path << ":" << i + 1 << ": " << line);
      const std::string_view rest = line.substr(at + mark.size());
      CHECK((rest.size() > 2 && rest[0] == '(' && rest[1] >= '1' && rest[1] <= '9'));
    }
  }
}

TEST_CASE("tidy: no tabs, no blanks at a line's end, one newline at a file's end", "[tidy]") {
  for (const File& file : written_files()) {
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      INFO(file.path << ":" << i + 1 << ": " << line);
      if (line.find('\t') != std::string::npos) CHECK(false);
      if (!line.empty() && (line.back() == ' ' || line.back() == '\r')) CHECK(false);
    }
    INFO(file.path);
    CHECK((!file.lines.empty() && !file.lines.back().empty()));
    std::ifstream bytes(kRoot / file.path, std::ios::binary | std::ios::ate);
    bytes.seekg(-1, std::ios::end);
    CHECK(bytes.get() == '\n');
  }
}

TEST_CASE("tidy: each folder of sources has a README", "[tidy]") {
  std::set<std::string> folders = {"tests", "tests/sdk"};
  for (const File& file : sources()) {
    if (!file.is_under("tests")) folders.insert(file.folder());
  }
  for (const std::string& folder : folders) {
    INFO(folder);
    CHECK(fs::exists(kRoot / folder / "README.md"));
  }
}

TEST_CASE("tidy: links of README.md and the manual lead somewhere, and each chapter is listed", "[tidy]") {
  const std::string begin = "](";
  std::set<std::string> linked;  // from the root
  size_t chapters = 0;
  for (const File& file : files_with({".md"})) {
    const bool is_chapter = file.folder() == "tools/manual";
    if (!is_chapter && file.path != "README.md") continue;
    INFO(file.path);
    if (is_chapter) {
      ++chapters;
      CHECK((!file.lines.empty() && file.lines.front().starts_with("# ")));  // its title
    }
    bool is_code = false;
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      if (line.starts_with("```")) is_code = !is_code;
      if (is_code) continue;
      for (size_t at = line.find(begin); at != std::string::npos; at = line.find(begin, at + 1)) {
        const size_t start = at + begin.size();
        const std::string target = line.substr(start, line.find_first_of(")#", start) - start);
        INFO("line " << i + 1 << ": " << target);
        if (target.find("://") != std::string::npos) continue;
        CHECK(fs::exists(kRoot / file.folder() / target));
        if (!is_chapter) linked.insert(target);
      }
    }
  }
  CHECK(chapters > 10);
  for (const File& file : files_with({".md"})) {
    INFO(file.path << " is not in the table of README.md");
    if (file.folder() == "tools/manual") CHECK(linked.contains(file.path));
  }
}

TEST_CASE("tidy: lock files name versions and hashes, not addresses", "[tidy]") {
  size_t count = 0;
  for (auto at = fs::recursive_directory_iterator(kRoot); at != fs::recursive_directory_iterator(); ++at) {
    if (kNotOurs.contains(at->path().filename().string())) {
      at.disable_recursion_pending();
    } else if (at->path().filename() == "package-lock.json") {
      ++count;
      for (const std::string& line : lines_of(at->path())) {
        INFO(at->path().string() << ": " << line);
        if (line.find("\"resolved\"") != std::string::npos) CHECK(false);
      }
    }
  }
  CHECK(count == 2);  // of the SDK's tests, and of the console
}
