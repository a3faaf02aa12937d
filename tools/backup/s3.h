// A bucket of an S3 store as a target of backups. Who asks is in the environment, as for AWS's own programs:
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, and AWS_ENDPOINT_URL for other stores than
// Amazon's. Thread: one. Blocks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tools/backup/target.h"

namespace hearth::tools {

inline constexpr size_t kS3PartBytes = 16u << 20;  // of a file, held in memory; the store takes no smaller than 5 MB
inline constexpr size_t kS3PartsMax = 10'000;      // so a file has at most 160 GB
inline constexpr size_t kS3AnswerBytesMax = 1u << 20;   // that is no file
inline constexpr int kS3Tries = 4;                      // of a request that the store does not answer, or answers 5xx
inline constexpr std::chrono::seconds kS3StallMax{60};  // without a byte

std::unique_ptr<BackupTarget> open_s3(const std::string& where, const std::atomic<bool>& stop);

}  // namespace hearth::tools
