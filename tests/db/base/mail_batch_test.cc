#include "db/base/mail_batch.h"

#include <catch2/catch.hpp>
#include <thread>

using namespace hearth::db;

namespace {

struct Counted : MailBatch::Part {
  void deliver() override {
    ++delivered;
    at = ++last;
    was_open = MailBatch::is_open();
  }
  static inline int last = 0;
  int at = 0;
  int delivered = 0;
  bool was_open = false;
};

}  // namespace

TEST_CASE("MailBatch: each part is delivered once, at the end of the outermost", "[base]") {
  Counted one, other;
  CHECK_FALSE(MailBatch::is_open());
  {
    const MailBatch batch;
    MailBatch::add(one);
    {
      const MailBatch inner;
      MailBatch::add(one);
      MailBatch::add(other);
    }
    CHECK(one.delivered == 0);
    bool is_open_elsewhere = true;
    std::thread([&] { is_open_elsewhere = MailBatch::is_open(); }).join();
    CHECK_FALSE(is_open_elsewhere);
  }
  CHECK(one.delivered == 1);
  CHECK(other.delivered == 1);
  CHECK_FALSE(one.was_open);
  CHECK_FALSE(MailBatch::is_open());
  {
    const MailBatch batch;
    MailBatch::add(one);
    MailBatch::add(other, MailBatch::Order::First);
  }
  CHECK(one.delivered == 2);
  CHECK(other.at < one.at);
}
