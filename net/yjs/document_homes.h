// Which io thread the clients of a document live on. What one says goes to all others, so those who share a thread cost no
// letter and no wake-up between threads, and their awareness is one room.
//
//   the first client: stays where the listener put it, and its thread is the document's home
//   others: go there, up to kSeatsOfThread; the next stay where they are, and theirs is a home too
//
// So a document of a few clients has one home, documents are spread as the listener spreads connections, and one that very
// many are in is carried by all threads.
//
// Thread: any.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace hearth::net::yjs {

inline constexpr size_t kSeatsOfThread = 256;  // of one document on one thread, before another thread is a home too

class DocumentHomes {
  struct Home {
    size_t thread = 0;
    size_t seats = 0;  // that are taken
  };
  using Homes = std::map<std::string, std::vector<Home>, std::less<>>;
  struct Table {
    std::mutex mutex;  // Guards homes.
    Homes homes;       // by namespace and path; of documents that somebody is in
  };

 public:
  // Its destructor gives it back. May outlive the homes.
  class Seat {
   public:
    Seat(std::shared_ptr<Table> table, Homes::iterator document, size_t thread)
        : table_(std::move(table)), document_(document), thread_(thread) {}
    ~Seat();
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    size_t thread() const { return thread_; }

   private:
    const std::shared_ptr<Table> table_;
    const Homes::iterator document_;
    const size_t thread_;
  };

  // For a client whose connection lives on the thread `here`. Never null.
  std::unique_ptr<Seat> take(const std::string& space, const std::string& path, size_t here);
  size_t documents() const;  // that somebody is in

 private:
  const std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

}  // namespace hearth::net::yjs
