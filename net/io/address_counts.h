// How many connections each address has. An IPv6 client has a network of its own, of 64 bits: it counts as one address.
// Thread: any.
#pragma once

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <unordered_map>

#include "net/io/ip_address.h"

namespace hearth::net::http {

class AddressCounts {
 public:
  // Counts one more connection of `address`. Returns false, and counts nothing, when it has `most` already.
  bool take(const IpAddress& address, size_t most) {
    const std::lock_guard lock(mutex_);
    size_t& count = counts_[key_of(address)];
    if (count >= most) {
      if (count == 0) counts_.erase(key_of(address));
      return false;
    }
    ++count;
    return true;
  }

  void give_back(const IpAddress& address) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(key_of(address));
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
  }

  // The key of a client: the first 64 bits of an IPv6 address, or all of an IPv4 address.
  static uint64_t key_of(const IpAddress& address) {
    const IpAddress::Bytes& bytes = address.bytes();
    uint64_t key = 0;
    const size_t from = address.is_v4() ? 8 : 0;  // ::ffff:a.b.c.d is no network of an IPv6 client
    for (size_t i = from; i < from + 8; ++i) key = key << 8 | bytes[i];
    return key;
  }

  size_t addresses() const {
    const std::lock_guard lock(mutex_);
    return counts_.size();
  }

 private:
  mutable std::mutex mutex_;  // Guards counts_.
  std::unordered_map<uint64_t, size_t> counts_;
};

}  // namespace hearth::net::http
