// The settings of a namespace: texts by name, beside its tree. Administrators set them; they are written by the same
// pipeline and kept in rows of their own (db/store/row_key.h). The layers above know what they mean; db only keeps
// them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/base/result.h"

namespace hearth::db {

inline constexpr std::string_view kRulesSetting = "rules";  // the text of the security rules
// Its secondary indexes, as parse_indexes() of db/model/index.h reads them: those that follow from the rules, and its
// own.
inline constexpr std::string_view kIndexesSetting = "indexes";
inline constexpr std::string_view kOwnIndexesSetting = "own_indexes";
inline constexpr std::string_view kRevokedSetting = "revoked";  // whose tokens are no longer good (rules/revoked.h)
inline constexpr size_t kSettingBytesMax = 1u << 20;            // of one text

struct Setting {
  std::string name;
  std::optional<std::string> text;  // nothing: unset
};

// A namespace's settings at one moment. Lives as long as the view it belongs to; thread: as that.
class Settings {
 public:
  virtual ~Settings() = default;
  // The digest of kRulesSetting's text (text_digest), or "" when it is unset: a caller who has compiled that text
  // already need not read it again. Costs one look at the disk at most.
  virtual Result<std::string> rules_digest() const = 0;
  virtual Result<std::optional<std::string>> text(std::string_view name) const = 0;
};

// The settings of trees that have none.
class NoSettings final : public Settings {
 public:
  Result<std::string> rules_digest() const override { return std::string(); }
  Result<std::optional<std::string>> text(std::string_view) const override { return std::optional<std::string>(); }
};

}  // namespace hearth::db
