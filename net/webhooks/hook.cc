// Rows of JSON, since other versions of Hearth read them: a field that is 0, false or empty is left out, one that is
// not known is passed over, and a number that is none counts as 0. Only what a hook can't be without is Corruption: a
// path that can be read, and the secret.
//
// `sequence` is written one higher than it is: 0 would be left out, and "no sequence" and "sequence 0" mean different
// things.
//
// Letters are numbered, the number is 8 bytes with the highest first, and all ids have the same length. So the rows of
// a hook's letters stand together, the oldest first, and no hook's prefix begins another's.
#include "net/webhooks/hook.h"

#include <algorithm>

#include "db/base/random.h"
#include "db/model/json.h"
#include "net/webhooks/signature.h"

namespace hearth::net::webhooks {
namespace {

using db::JsonDocument;
using db::JsonNode;

constexpr std::string_view kIdPrefix = "wh_";
constexpr size_t kIdBytes = 6;

// Writes an object, member by member. What is empty or 0 is left out.
class ObjectWriter {
 public:
  ObjectWriter& text(std::string_view name, std::string_view value) {
    if (value.empty()) return *this;
    begin(name);
    db::append_json_string(value, to_);
    return *this;
  }
  ObjectWriter& number(std::string_view name, uint64_t value) {
    if (value == 0) return *this;
    begin(name);
    to_ += std::to_string(value);
    return *this;
  }
  ObjectWriter& time(std::string_view name, db::Timestamp value) {
    return number(name, static_cast<uint64_t>(std::max<int64_t>(value.count(), 0)));
  }
  ObjectWriter& flag(std::string_view name, bool value) {
    if (!value) return *this;
    begin(name);
    to_ += "true";
    return *this;
  }
  std::string done() { return std::move(to_) + "}"; }

 private:
  void begin(std::string_view name) {
    if (to_.size() > 1) to_ += ',';
    db::append_json_string(name, to_);
    to_ += ':';
  }
  std::string to_ = "{";
};

db::Result<JsonDocument> read_row(const std::string& row, std::string_view what) {
  auto document = JsonDocument::parse(row);
  if (!document.ok() || !document.value().root().is_object()) {
    return db::Error{db::ErrorCode::Corruption, "a webhook's row cannot be read: " + std::string(what)};
  }
  return document;
}

uint64_t number_of(const JsonNode& from, std::string_view name) {
  const auto field = from.field(name);
  return static_cast<uint64_t>(field ? std::max<int64_t>(field->integer().value_or(0), 0) : 0);
}

db::Timestamp time_of(const JsonNode& from, std::string_view name) {
  return db::Timestamp(static_cast<int64_t>(number_of(from, name)));
}

bool flag_of(const JsonNode& from, std::string_view name) {
  const auto field = from.field(name);
  return field && field->boolean().value_or(false);
}

}  // namespace

std::string HookConfig::encode() const {
  return ObjectWriter()
      .text("url", url)
      .text("path", path.slashed())
      .time("created", created)
      .flag("before", before)
      .text("secret", secret)
      .text("old_secret", old_secret)
      .time("old_until", old_until)
      .flag("paused", is_paused)
      .text("why", why)
      .done();
}

db::Result<HookConfig> HookConfig::decode(const std::string& row) {
  ASSIGN_OR_RETURN(const JsonDocument document, read_row(row, "what it is"));
  const JsonNode from = document.root();
  HookConfig config;
  config.url = from.text("url");
  ASSIGN_OR_RETURN(config.path, db::Path::parse(from.text("path")));
  config.created = time_of(from, "created");
  config.before = flag_of(from, "before");
  config.secret = from.text("secret");
  config.old_secret = from.text("old_secret");
  config.old_until = time_of(from, "old_until");
  config.is_paused = flag_of(from, "paused");
  config.why = from.text("why");
  const bool has_secrets =
      secret_bytes(config.secret) && (config.old_secret.empty() || secret_bytes(config.old_secret));
  if (!has_secrets) return db::Error{db::ErrorCode::Corruption, "a webhook's row cannot be read: its secret"};
  return config;
}

std::string HookState::encode() const {
  ObjectWriter writer;
  writer.text("cursor", cursor)
      .number("attempts", attempts)
      .number("failures", failures)
      .number("dead", dead)
      .number("dead_bytes", dead_bytes)
      .number("dropped", dropped)
      .number("next", next)
      .number("delivered", delivered)
      .number("failed", failed)
      .text("status", status)
      .time("answered", answered);
  if (sequence) writer.number("sequence", *sequence + 1);  // 0 would be left out
  if (missed_after) writer.text("missed_after", *missed_after).text("missed_before", missed_before);
  return writer.done();
}

db::Result<HookState> HookState::decode(const std::string& row) {
  ASSIGN_OR_RETURN(const JsonDocument document, read_row(row, "how far it is"));
  const JsonNode from = document.root();
  HookState state;
  state.cursor = from.text("cursor");
  if (const uint64_t one_more = number_of(from, "sequence"); one_more > 0) state.sequence = one_more - 1;
  state.attempts = static_cast<unsigned>(number_of(from, "attempts"));
  state.failures = static_cast<unsigned>(number_of(from, "failures"));
  if (from.field("missed_after")) state.missed_after = from.text("missed_after");
  state.missed_before = from.text("missed_before");
  state.dead = number_of(from, "dead");
  state.dead_bytes = number_of(from, "dead_bytes");
  state.dropped = number_of(from, "dropped");
  state.next = std::max<uint64_t>(number_of(from, "next"), 1);
  state.delivered = number_of(from, "delivered");
  state.failed = number_of(from, "failed");
  state.status = from.text("status");
  state.answered = time_of(from, "answered");
  return state;
}

std::string DeadLetter::encode() const {
  return ObjectWriter()
      .text("id", id)
      .time("time", time)
      .number("attempts", attempts)
      .text("why", why)
      .text("body", body)
      .text("after", after)
      .text("before", before)
      .done();
}

db::Result<DeadLetter> DeadLetter::decode(const std::string& row) {
  ASSIGN_OR_RETURN(const JsonDocument document, read_row(row, "a dead letter"));
  const JsonNode from = document.root();
  DeadLetter letter;
  letter.id = from.text("id");
  letter.time = time_of(from, "time");
  letter.attempts = static_cast<unsigned>(number_of(from, "attempts"));
  letter.why = from.text("why");
  letter.body = from.text("body");
  letter.after = from.text("after");
  letter.before = from.text("before");
  return letter;
}

std::string make_hook_id() { return std::string(kIdPrefix) + db::random_hex(kIdBytes); }

bool is_hook_id(std::string_view text) {
  return text.size() == kIdPrefix.size() + 2 * kIdBytes && text.starts_with(kIdPrefix) &&
         text.find_first_not_of("0123456789abcdef", kIdPrefix.size()) == text.npos;
}

std::string config_row(std::string_view id) { return "c" + std::string(id); }
std::string state_row(std::string_view id) { return "s" + std::string(id); }
std::string letters_row(std::string_view id) { return "d" + std::string(id); }
std::string letter_row(std::string_view id, uint64_t number) {
  std::string row = letters_row(id);
  for (int shift = 56; shift >= 0; shift -= 8) row += static_cast<char>(number >> shift);
  return row;
}

}  // namespace hearth::net::webhooks
