// Unguessable bytes, from the kernel. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace hearth::db {

void random_bytes(void* to, size_t count);
uint64_t random_u64();

// `bytes` random bytes as lower-case hex: session ids, secrets, store ids.
std::string random_hex(size_t bytes);

}  // namespace hearth::db
