// A client of a database on the test's thread, and short words for what it asks. Thread: one.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "db/client.h"
#include "db/host.h"
#include "db/model/json.h"
#include "tests/support/temp_folder.h"

namespace hearth::test {

using namespace hearth::db;

inline Path at(std::string_view text) { return Path::parse(text).value(); }
inline Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }
inline std::string text(const Value& value) { return to_json(value, JsonStyle::Export); }

inline std::unique_ptr<Host> open(const TempFolder& folder, std::chrono::milliseconds grace = std::chrono::hours(1)) {
  Database::Options options;
  options.folder = folder.path();
  options.shards = 2;
  options.disconnect_grace = grace;
  return Host::open(options).value();
}

inline Write set(std::string_view path, Value value) {
  Write write;
  write.base = at(path);
  write.overwrites.push_back({write.base, Slot::Value, std::move(value)});
  return write;
}

inline Read get(std::string_view path) {
  Read read;
  read.path = at(path);
  return read;
}

inline Listen listen_to(std::string_view path) {
  Listen listen;
  listen.path = at(path);
  return listen;
}

// A client on the test's thread. Items as words: "a<request>[=<first value or value>]", "e<listener> <path>=<body>",
// "end".
class Talk {
 public:
  explicit Talk(Host& database, std::string_view replaces = "", std::string_view space = "t")
      : client(database.client(space, replaces, [this] { wake(); }).value()) {}

  // All up to and with the answer to `request`, or the end.
  std::vector<Item> items_until(uint64_t request) {
    std::vector<Item> items;
    for (int in_vain = 0;;) {
      for (; !ahead_.empty(); ahead_.erase(ahead_.begin())) {
        items.push_back(ahead_.front());
        const auto* answer = std::get_if<Answer>(&items.back());
        if ((answer != nullptr && answer->request == request) || std::holds_alternative<Ended>(items.back())) {
          ahead_.erase(ahead_.begin());
          return items;
        }
      }
      std::unique_lock lock(mutex_);
      more_.wait_for(lock, std::chrono::milliseconds(50), [this] { return woken_; });
      woken_ = false;
      lock.unlock();
      ahead_ = client->take();
      if (ahead_.empty()) REQUIRE(++in_vain < 2'000);
    }
  }

  std::vector<std::string> until(uint64_t request) {
    std::vector<std::string> words;
    for (const Item& item : items_until(request)) words.push_back(word(item));
    return words;
  }

  static std::string word(const Item& item) {
    if (std::holds_alternative<Ended>(item)) return "end";
    if (const auto* event = std::get_if<Event>(&item)) {
      const std::string name = "e" + std::to_string(event->listener) + " ";
      return name + (event->kind == Event::Kind::Revoked ? "revoked" : body_text(*event->body));
    }
    if (const auto* event = std::get_if<RowEvent>(&item)) return row_word(*event);
    if (const auto* event = std::get_if<TopicEvent>(&item)) return topic_word(*event);
    const auto& answer = std::get<Answer>(item);
    std::string line = "a" + std::to_string(answer.request);
    if (!answer.status.ok()) return line + " refused";
    if (answer.first != nullptr) return line + " " + body_text(*answer.first);
    return answer.value.is_null() ? line : line + " =" + text(answer.value);
  }

 private:
  // "r<listener> <bindings> <table>/<key> <before> -> <after>"
  static std::string row_word(const RowEvent& event) {
    std::string line = "r" + std::to_string(event.listener) + " ";
    if (event.is_missed) return line + "missed";
    const RowChange& change = *event.change;
    line += std::to_string(event.bindings) + " " + change.table.text() + "/" + change.key + " ";
    return line + (event.shows_before ? text(change.before) : "?") + " -> " + text(change.after);
  }
  // "t<listener> <event>=<bytes>", "t<listener> +key=value -key=value", "t<listener> all key=value"
  static std::string topic_word(const TopicEvent& event) {
    const TopicMessage& message = *event.message;
    std::string line = "t" + std::to_string(event.listener);
    if (message.kind == TopicMessage::Kind::Said) {
      return line + " " + message.event + "=" + message.bytes + (event.is_replayed ? " again" : "");
    }
    const bool is_all = message.kind == TopicMessage::Kind::Present;
    if (is_all) line += " all";
    for (const TopicEntry& entry : message.joined) line += (is_all ? " " : " +") + entry.key + "=" + entry.value;
    for (const TopicEntry& entry : message.left) line += " -" + entry.key + "=" + entry.value;
    return line;
  }
  static std::string body_text(const Body& body) {
    if (body.kind() == Body::Kind::Put) return body.told_path() + "=" + text(body.value());
    std::string line = body.path().text() + "+";
    for (const auto& [path, value] : body.entries()) line += " " + path + "=" + text(value);
    return line;
  }
  void wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    more_.notify_one();
  }

  std::mutex mutex_;  // Guards woken_.
  std::condition_variable more_;
  bool woken_ = false;
  std::vector<Item> ahead_;

 public:
  std::unique_ptr<Client> client;  // goes first: it wakes
};

using Words = std::vector<std::string>;

}  // namespace hearth::test
