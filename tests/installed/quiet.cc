// An app that did not ask for anything but a database: no line on its outputs, no signal handler, no thread that stays, no other
// folder, umask or locale. Run: quiet FOLDER; says one line when all is well.
#include <hearth/db/database.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace hearth::db;

namespace {

// Of those that run, all but RocksDB's own, which it keeps for the next store until the process ends: idle, and few.
size_t threads() {
  size_t count = 0;
  for (const auto& one : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(one.path() / "comm");
    std::string name;
    std::getline(file, name);
    if (!name.starts_with("rocksdb:")) ++count;
  }
  return count;
}

// Of what all the program's parts share.
struct Surroundings {
  std::vector<std::string> signals;
  std::string folder = std::filesystem::current_path();
  mode_t mask = umask(0);
  std::string locale = setlocale(LC_ALL, nullptr);

  Surroundings() {
    umask(mask);
    for (int signal = 1; signal < NSIG; ++signal) {
      struct sigaction action {};
      const bool is_one = sigaction(signal, nullptr, &action) == 0;
      void (*const handler)(int) = action.sa_handler;
      signals.emplace_back(is_one ? std::string(reinterpret_cast<const char*>(&handler), sizeof handler) : "");
    }
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    std::string mask_of_signals;
    for (int signal = 1; signal < NSIG; ++signal) mask_of_signals += sigismember(&blocked, signal) == 1 ? '1' : '0';
    signals.push_back(mask_of_signals);
  }
  friend bool operator==(const Surroundings&, const Surroundings&) = default;
};

int fail(const char* what) {
  std::fprintf(stderr, "not so: %s\n", what);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "quiet-data";
  if (threads() != 1) return fail("a library that is only linked has no threads");
  const Surroundings before;
  // Whatever is written to the outputs goes to a file meanwhile.
  const std::string heard = folder + "-heard";
  std::FILE* const file = std::fopen(heard.c_str(), "w+");
  if (file == nullptr) return fail("a file can be made");
  const int outputs[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
  dup2(fileno(file), STDOUT_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  bool is_refused = false, is_read = false, is_same = false;
  {
    Database::Options options;
    options.folder = folder;
    const auto database = Database::open(options);
    if (database.ok()) {
      is_refused = !Database::open(options).ok();  // another one of the same folder; an error is a value
      Namespace space = database.value()->space("quiet").value();
      is_refused = is_refused && !space.set("a/$b", Value::integer(1)).ok();
      is_read = space.set("a", Value::integer(1)).ok() && space.get("a").value() == Value::integer(1);
      is_same = Surroundings() == before;
    }
  }
  const size_t left = threads();
  std::fflush(stdout);
  dup2(outputs[0], STDOUT_FILENO);
  dup2(outputs[1], STDERR_FILENO);
  const bool is_silent = std::filesystem::file_size(heard) == 0;
  std::fclose(file);
  std::filesystem::remove(heard);
  if (!is_read || !is_refused) return fail("the database works");
  if (!is_same || !(Surroundings() == before)) return fail("signals, folder, umask and locale are as they were");
  if (left != 1) return fail("its threads end with it");
  if (!is_silent) return fail("it says nothing");
  std::printf("quiet\n");
  return 0;
}
