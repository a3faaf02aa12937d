// A client of a wire::Session over a real database in a folder of its own, without a socket: says messages, hears what
// would be sent. For tests of the protocol.
#pragma once

#include <catch2/catch.hpp>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "db/base/random.h"
#include "db/host.h"
#include "net/auth/verifier.h"
#include "net/wire/session.h"
#include "rules/guard.h"

namespace hearth::net::wire::test {

class Server {
 public:
  explicit Server(rules::Guard::Options options = {.dev = true, .admin_secret = "", .default_namespace = "demo"},
                  Verifier::Options auth = {}, const db::Clock* clock = nullptr)
      : folder_(std::filesystem::temp_directory_path() / ("hearth-wire-" + db::random_hex(8))),
        database_(open(folder_.string(), clock)),
        guard_(*database_, std::move(options)),
        verifier_(guard_, std::move(auth)) {}
  ~Server() {
    verifier_.replace({});  // as the real one: a thread that fetches keys asks the guard
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  db::Host& database() { return *database_; }
  rules::Guard& guard() { return guard_; }
  const Verifier& verifier() const { return verifier_; }

 private:
  static std::unique_ptr<db::Host> open(std::string folder, const db::Clock* clock) {
    db::Database::Options options;
    options.folder = std::move(folder);
    options.sync = db::SyncMode::Os;
    options.clock = clock;
    return db::Host::open(std::move(options)).value();
  }

  std::filesystem::path folder_;
  std::unique_ptr<db::Host> database_;
  rules::Guard guard_;
  Verifier verifier_;
};

class Client {
 public:
  explicit Client(Server& server, const std::string& space = "demo", std::string_view replaces = "",
                  rules::Auth auth = {}, http::Whence whence = http::Whence::Here)
      : signal_(std::make_shared<Signal>()),
        session_(server.guard().open(space, std::move(auth), replaces, [signal = signal_] { signal->raise(); }).value(),
                 server.verifier(), {.whence = whence}) {}

  Session& session() { return session_; }

  void say(Incoming&& message) { session_.on_message(std::move(message), unheard_); }

  // The `s` of its hello: the name of its session.
  std::string id() const {
    const std::string hello = session_.hello(db::Timestamp(0), "h");
    const size_t at = hello.find(R"("s":")") + 5;
    return hello.substr(at, hello.find('"', at) - at);
  }

  void say(std::string text) { say(parse_message({.text = std::move(text)})); }

  // Asks, with the next number, and returns it.
  int64_t ask(const std::string& action, const std::string& body) {
    const int64_t number = ++last_;
    say(R"({"t":"d","d":{"r":)" + std::to_string(number) + R"(,"a":")" + action + R"(","b":)" + body + "}}");
    return number;
  }

  // The next message, whatever it is; "" when the session is over, or none comes in time. Data messages without their
  // envelope.
  std::string hear() {
    while (heard_ == unheard_.size() && !over_) {
      if (!signal_->wait()) return "nothing heard";
      unheard_.clear();
      heard_ = 0;
      over_ = !session_.on_items(unheard_);
    }
    if (heard_ == unheard_.size()) return "";
    std::string text = text_of(unheard_[heard_++]);
    static constexpr std::string_view kData = R"({"t":"d","d":)";
    if (text.starts_with(kData)) text = text.substr(kData.size(), text.size() - kData.size() - 1);
    return text;
  }

  std::vector<std::string> hear(size_t count) {
    std::vector<std::string> all;
    while (all.size() < count) all.push_back(hear());
    return all;
  }

  // All up to and with the answer to a request asked now: whatever was on its way.
  std::vector<std::string> hear_all() {
    const std::string end = ok(ask("s", "{}"));
    std::vector<std::string> all;
    for (;;) {
      std::string next = hear();
      if (next == end || next.empty() || next == "nothing heard") return all;
      all.push_back(std::move(next));
    }
  }

  // Asks and returns the body of the answer, which must be what comes next.
  std::string answer(const std::string& action, const std::string& body) {
    const std::string start = R"({"r":)" + std::to_string(ask(action, body)) + R"(,"b":)";
    const std::string heard = hear();
    return heard.starts_with(start) ? heard.substr(start.size(), heard.size() - start.size() - 1) : heard;
  }

  static std::string done(const std::string& data = R"("")") { return R"({"s":"ok","d":)" + data + "}"; }
  static std::string refusal(const std::string& status, const std::string& text) {
    return R"({"s":")" + status + R"(","d":")" + text + R"("})";
  }
  static std::string ok(int64_t number, const std::string& data = R"("")") {
    return R"({"r":)" + std::to_string(number) + R"(,"b":)" + done(data) + "}";
  }
  // The same for the request asked last.
  std::string ok(const std::string& data = R"("")") const { return ok(last_, data); }
  std::string refused(const std::string& status, const std::string& text) const {
    return R"({"r":)" + std::to_string(last_) + R"(,"b":)" + refusal(status, text) + "}";
  }
  static std::string pushed(const std::string& path, const std::string& data) {
    return R"({"a":"d","b":{"p":")" + path + R"(","d":)" + data + "}}";
  }
  static std::string merged(const std::string& path, const std::string& data) {
    return R"({"a":"m","b":{"p":")" + path + R"(","d":)" + data + "}}";
  }

 private:
  struct Signal {
    std::mutex mutex;  // Guards raised.
    std::condition_variable changed;
    bool raised = false;

    void raise() {
      const std::lock_guard lock(mutex);
      raised = true;
      changed.notify_one();
    }
    bool wait() {
      std::unique_lock lock(mutex);
      const bool came = changed.wait_for(lock, std::chrono::seconds(10), [this] { return raised; });
      raised = false;
      return came;
    }
  };

  std::shared_ptr<Signal> signal_;
  Session session_;
  std::vector<Outgoing> unheard_;  // from heard_ on
  size_t heard_ = 0;
  bool over_ = false;
  int64_t last_ = 0;
};

}  // namespace hearth::net::wire::test
