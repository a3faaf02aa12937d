#include "db/base/invariant.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <functional>
#include <string>

#include "db/base/result.h"

using namespace hearth::db;

namespace {

struct Outcome {
  int signal = 0;  // that ended the child; 0 when it exited
  std::string said;
};

// Runs `body` in a child process whose errors are read back.
Outcome run_in_child(const std::function<void()>& body) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    body();
    _exit(0);
  }
  close(ends[1]);
  Outcome outcome;
  char buffer[512];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
    outcome.said.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  outcome.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return outcome;
}

}  // namespace

TEST_CASE("An invariant that holds does nothing") {
  const Outcome outcome = run_in_child([] { invariant(true, "it holds"); });
  CHECK(outcome.signal == 0);
  CHECK(outcome.said.empty());
}

TEST_CASE("A broken invariant says where and why, and aborts") {
  const Outcome outcome = run_in_child([] { invariant(false, "batches are sorted"); });
  CHECK(outcome.signal == SIGABRT);
  INFO(outcome.said);
  CHECK(outcome.said.find("invariant_test.cc:") != std::string::npos);
  CHECK(outcome.said.find("batches are sorted") != std::string::npos);
}

TEST_CASE("To ask a result for what it does not hold is a bug that aborts") {
  const Result<int> bad = Error{ErrorCode::Io, "no"};
  const Result<int> good = 1;
  CHECK(run_in_child([&] { (void)bad.value(); }).signal == SIGABRT);
  CHECK(run_in_child([&] { (void)good.error(); }).signal == SIGABRT);
  CHECK(run_in_child([] { (void)Result<void>().error(); }).signal == SIGABRT);
}
