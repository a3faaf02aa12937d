// How many files and connections this process may have open. Thread: any.
#pragma once

#include <cstddef>

namespace hearth::tools {

size_t descriptor_limit();  // what the soft limit is
// Raises it as far as the hard one allows, for this process and those that it starts; what it is then.
size_t raise_descriptor_limit();
// So many connections leave the store its share (db/base/store_descriptors.h).
size_t connections_within(size_t descriptors);
// The same of the bench, which holds so many connections. Throws when there is no room for them.
void need_descriptors(size_t connections);

}  // namespace hearth::tools
