#include "net/http/pending_answers.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using hearth::db::Answer;
using hearth::net::http::PendingAnswers;

TEST_CASE("PendingAnswers: an answer finds what waits for it, once", "[net][http]") {
  PendingAnswers waiting;
  int calls = 0;
  uint64_t told = 0;
  const auto done = waiting.expect([&](const Answer& answer) {
    ++calls;
    told = answer.sequence;
  });
  Answer answer;
  answer.sequence = 17;
  done(answer);
  CHECK(told == 17);
  done(answer);
  CHECK(calls == 1);
}

TEST_CASE("PendingAnswers: after close an answer finds nothing, and what waited is gone", "[net][http]") {
  const auto token = std::make_shared<int>(1);
  std::function<void(Answer)> late;
  bool called = false;
  {
    PendingAnswers waiting;
    late = waiting.expect([&called, token](const Answer&) { called = true; });
    waiting.hold(token);
    CHECK(token.use_count() == 3);
    waiting.close();
    CHECK(token.use_count() == 1);
    waiting.expect([&called, token](const Answer&) { called = true; })({});
    waiting.hold(token);
    CHECK(token.use_count() == 1);
  }
  late({});
  CHECK(!called);
}

TEST_CASE("PendingAnswers: anything may be waited for", "[net][http]") {
  std::function<void(int)> done, late;
  int told = 0;
  {
    PendingAnswers waiting;
    done = waiting.expect_a<int>([&](int answer) { told += answer; });
    late = waiting.expect_a<int>([&](int answer) { told += answer; });
    done(5);
    done(5);
    CHECK(told == 5);
  }
  late(7);
  CHECK(told == 5);
}

TEST_CASE("PendingAnswers: what is held lives until it is let go", "[net][http]") {
  PendingAnswers waiting;
  const auto token = std::make_shared<int>(1);
  const uint64_t first = waiting.hold(token);
  const uint64_t second = waiting.hold(token);
  CHECK(token.use_count() == 3);
  waiting.let_go(first);
  waiting.let_go(first);
  CHECK(token.use_count() == 2);
  waiting.let_go(second);
  CHECK(token.use_count() == 1);
}

TEST_CASE("PendingAnswers: close waits for what is running, and nothing runs after it", "[net][http]") {
  for (int round = 0; round < 50; ++round) {
    std::atomic<bool> is_closed = false;
    std::atomic<int> ran_late = 0;
    std::vector<std::function<void(Answer)>> calls;
    auto waiting = std::make_unique<PendingAnswers>();
    for (int i = 0; i < 200; ++i) {
      calls.push_back(waiting->expect([&](const Answer&) {
        std::this_thread::yield();
        if (is_closed) ++ran_late;
      }));
    }
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 2; ++t) {
      threads.emplace_back([&calls, t] {
        for (size_t i = t; i < calls.size(); i += 2) calls[i]({});
      });
    }
    waiting->close();
    is_closed = true;
    waiting.reset();
    for (std::thread& thread : threads) thread.join();
    CHECK(ran_late == 0);
  }
}
