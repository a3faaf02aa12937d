// A seat keeps an iterator into the table. That holds because std::map moves nothing, and because a document is erased
// with its last seat and not before. Both, and the table itself, are under one lock: connections come on all io
// threads.
#include "net/yjs/document_homes.h"

#include <algorithm>

#include "db/base/invariant.h"

namespace hearth::net::yjs {

std::unique_ptr<DocumentHomes::Seat> DocumentHomes::take(const std::string& space, const std::string& path,
                                                         size_t here) {
  const std::lock_guard lock(table_->mutex);
  const auto document = table_->homes.try_emplace(space + '\n' + path).first;
  std::vector<Home>& homes = document->second;
  auto home = std::find_if(homes.begin(), homes.end(), [](const Home& one) { return one.seats < kSeatsOfThread; });
  if (home == homes.end()) {
    home = std::find_if(homes.begin(), homes.end(), [here](const Home& one) { return one.thread == here; });
  }
  if (home == homes.end()) home = homes.insert(home, Home{here, 0});
  ++home->seats;
  return std::make_unique<Seat>(table_, document, home->thread);
}

DocumentHomes::Seat::~Seat() {
  const std::lock_guard lock(table_->mutex);
  std::vector<Home>& homes = document_->second;
  const auto home = std::find_if(homes.begin(), homes.end(), [this](const Home& one) { return one.thread == thread_; });
  db::invariant(home != homes.end() && home->seats > 0, "a home is there as long as somebody sits in it");
  if (--home->seats == 0) homes.erase(home);
  if (homes.empty()) table_->homes.erase(document_);
}

size_t DocumentHomes::documents() const {
  const std::lock_guard lock(table_->mutex);
  return table_->homes.size();
}

}  // namespace hearth::net::yjs
