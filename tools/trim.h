// Gives memory back to the system that a flood has used and freed, and that the allocator would keep for ever: the
// ends of threads' arenas when they are freed, the rest within two seconds, when nothing else goes on. A program has
// one Trim at most. A library has none, since the allocator belongs to its host.
#pragma once

#include <thread>

namespace hearth::tools {

class Trim {
 public:
  Trim();  // from here on, until its end

 private:
  std::jthread thread_;
};

}  // namespace hearth::tools
