// A webhook as it is kept: what it is, and how far it is. Rows beside the namespace's tree (db/model/beside.h), JSON each.
//
//   row    := "c" id → config                     what somebody has set
//           | "s" id → state                      how far it is: with each delivery and each failure
//           | "d" id number:8 BE → letter         what could not be delivered, in order
//   config := {"url","path","created","before","secret"[,"old_secret","old_until"][,"paused","why"]}
//   state  := {"cursor","sequence","attempts","failures","dead","dead_bytes","dropped","next","delivered","failed"
//              [,"missed_after","missed_before"][,"status","answered"]}
//   letter := {"id","time","attempts","why"[,"body"][,"after","before"]}
//
// On disk. Values; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/path.h"

namespace hearth::net::webhooks {

struct HookConfig {
  std::string url;
  db::Path path{};
  db::Timestamp created{};
  bool before = false;  // what stood there before is told too
  std::string secret{};
  std::string old_secret{};  // signs as well until `old_until`, after a rotation
  db::Timestamp old_until{};
  bool is_paused = false;
  std::string why{};  // it is paused

  std::string encode() const;
  static db::Result<HookConfig> decode(const std::string& row);  // Errors: Corruption
};

struct HookState {
  std::string cursor = "0";  // the id of the last change that is done with
  // Where `cursor` is "0" because the log was empty: the last sequence that had no entry. Nothing: "0" means its begin.
  std::optional<uint64_t> sequence{};
  unsigned attempts = 0;  // of the message behind the cursor
  unsigned failures = 0;  // in a row, of any message
  // What was cut from the log before it was delivered, and has not been told yet: from behind `after` up to, and without,
  // `missed_before` ("": all there was).
  std::optional<std::string> missed_after{};
  std::string missed_before{};
  uint64_t dead = 0, dead_bytes = 0;  // letters that are there
  uint64_t dropped = 0;               // that had to go, for there were too many
  uint64_t next = 1;                  // the number of the next letter
  uint64_t delivered = 0, failed = 0;
  std::string status{};  // what came of the last attempt
  db::Timestamp answered{};

  std::string encode() const;
  static db::Result<HookState> decode(const std::string& row);
};

// A message that could not be delivered; or, without a body, changes that were missed.
struct DeadLetter {
  std::string id;  // of the message
  db::Timestamp time{};
  unsigned attempts = 0;
  std::string why{};
  std::string body{};
  std::string after{}, before{};  // of changes that were missed

  bool is_missed() const { return body.empty(); }
  std::string encode() const;
  static db::Result<DeadLetter> decode(const std::string& row);
};

std::string make_hook_id();  // "wh_" and 12 hexadecimal digits
bool is_hook_id(std::string_view text);
std::string config_row(std::string_view id);
std::string state_row(std::string_view id);
std::string letters_row(std::string_view id);  // what the rows of all its letters begin with
std::string letter_row(std::string_view id, uint64_t number);

}  // namespace hearth::net::webhooks
