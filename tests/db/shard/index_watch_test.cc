#include "db/shard/index_watch.h"

#include <catch2/catch.hpp>
#include <future>
#include <mutex>
#include <thread>

#include "db/host.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using hearth::test::TempFolder;
using namespace std::chrono_literals;

namespace {

std::string line_of(const Notice& notice) {
  const bool is_begin = notice.kind == Notice::Kind::IndexBegun;
  std::string line = (is_begin ? "begun " : "built ") + notice.space + " " + notice.what + " " + notice.by;
  if (notice.children) line += " " + std::to_string(*notice.children);
  return line;
}

Index index_of(uint32_t id, bool is_complete) {
  const std::vector<std::string> at = {"rooms"};
  Index index;
  index.spec = make_index(at, "sent").value();
  index.id = id;
  index.is_complete = is_complete;
  return index;
}

// Notices of a database, as lines.
class Heard {
 public:
  OnNotice take() {
    return [this](const Notice& notice) {
      const std::lock_guard lock(mutex_);
      lines_.push_back(line_of(notice));
    };
  }
  std::vector<std::string> wait(size_t count) {
    for (int i = 0; i < 4'000; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (lines_.size() >= count) return lines_;
      }
      std::this_thread::sleep_for(5ms);
    }
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

IndexPlan indexes_of(Host& database, const std::string& name) {
  std::promise<Result<IndexPlan>> told;
  database.indexes(name, [&](Result<IndexPlan> plan) { told.set_value(std::move(plan)); });
  return told.get_future().get().value();
}

}  // namespace

TEST_CASE("IndexWatch: tells of an index once when it begins and once when it is complete", "[db]") {
  IndexWatch watch;
  std::vector<std::string> told;
  std::chrono::milliseconds took{0};
  const OnNotice tell = [&](const Notice& notice) {
    told.push_back(line_of(notice));
    took = notice.time;
  };
  const IndexWatch::Count count = [](const Index&) { return std::optional<uint64_t>(7); };
  const IndexWatch::Time start{};
  const auto look = [&](uint32_t number, const IndexPlan& plan, std::chrono::milliseconds at) {
    watch.look("chat", number, plan, tell, count, start + at);
  };
  look(1, {{index_of(1, true)}}, 0ms);
  CHECK(told.empty());
  look(1, {{index_of(1, true), index_of(2, false)}}, 10ms);
  look(2, {{index_of(2, false)}}, 10ms);
  look(1, {{index_of(1, true), index_of(2, false)}}, 20ms);
  CHECK(told == std::vector<std::string>{"begun chat /rooms sent", "begun chat /rooms sent"});
  look(1, {{index_of(1, true), index_of(2, true)}}, 35ms);
  CHECK(told.back() == "built chat /rooms sent 7");
  CHECK(took == 25ms);
  // What nobody wants any more has no end, and another of that id would be another.
  look(2, {}, 40ms);
  look(1, {{index_of(1, true), index_of(2, true)}}, 50ms);
  CHECK(told.size() == 3);
}

TEST_CASE("Database: an index is asked for, planned, begun and built, and each is told", "[db]") {
  const TempFolder folder;
  Heard heard;
  Database::Options options;
  options.folder = folder.path();
  options.sync = SyncMode::Os;
  options.on_notice = heard.take();
  options.indexes.own = R"([{"at": "/rooms", "by": "sent"}])";
  const auto database = Host::open(options).value();
  // Nothing is written yet: the settings ask for what no plan has.
  const IndexPlan asked = indexes_of(*database, "chat");
  REQUIRE(asked.indexes.size() == 1);
  CHECK(asked.indexes.front().id == 0);
  CHECK_FALSE(asked.indexes.front().is_complete);

  Namespace chat = database->space("chat").value();
  std::vector<std::pair<std::string, Value>> rooms;
  for (int i = 0; i < 1'200; ++i)
    rooms.emplace_back("r" + std::to_string(i), Value::object({{"sent", Value::integer(i)}}));
  REQUIRE(chat.set("rooms", Value::object(rooms)).ok());
  CHECK(heard.wait(2) == std::vector<std::string>{"begun chat /rooms sent", "built chat /rooms sent 1200"});
  const IndexPlan built = indexes_of(*database, "chat");
  REQUIRE(built.indexes.size() == 1);
  CHECK(built.indexes.front().id != 0);
  CHECK(built.indexes.front().is_complete);
}
