// GET /.console and what is below it: the page in which people look at a server. Its files are made of
// net/admin/console (its README.md says how) and are in the program; a server that is given none has no such page.
//
//   /.console, /.console/        index.html
//   /.console/NAME               a file; its name holds a hash of what is in it, so that it may be kept for ever
//   /ns/NAME/.console            index.html too, which then shows that namespace; and /ns/NAME/.console/about.json
//   /.console/about.json         {"version","dev","namespace"}: what the page must know before anybody has signed in
//
// The page is not trusted: it asks what any client asks, and who signs in there is judged by the same rules. In
// development it is for names of this machine alone, as `owner` is (net/http/origin.h).
//
// Thread: any.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/thread_pool.h"
#include "net/http/exchange.h"
#include "rules/guard.h"

namespace hearth::net::admin {

struct ConsoleFile {
  std::string_view name;     // "index.html"
  std::string_view tag;      // of its content, letters and digits
  std::string_view gzipped;  // once, when the program is built
  size_t bytes = 0;          // before
};

class Console {
 public:
  // All outlive it. `files`: null where there are none.
  Console(const rules::Guard& guard, db::ThreadPool& workers, const std::vector<ConsoleFile>* files)
      : guard_(guard), workers_(workers), files_(files) {}

  bool is_there() const { return files_ != nullptr && !files_->empty(); }

  // Answers it, now or later. False when the request is for something else. On the exchange's home thread.
  bool accept(const std::shared_ptr<http::Exchange>& exchange) const;

 private:
  void send(const std::shared_ptr<http::Exchange>& exchange, const ConsoleFile& file) const;

  const rules::Guard& guard_;
  db::ThreadPool& workers_;
  const std::vector<ConsoleFile>* const files_;
};

}  // namespace hearth::net::admin
