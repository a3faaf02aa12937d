// Gives the system back what a flood has used and freed, which the allocator would keep for ever: the ends of threads' arenas
// as they are freed, the rest every two seconds, when nothing else goes on. A program has one at most; a library has none, for the allocator is its host's.
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
