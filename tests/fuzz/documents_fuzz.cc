// What clients of Yjs send: whatever it is, what is made of it is an update again, and says the same.
#include "db/documents/any.h"
#include "db/documents/awareness.h"
#include "db/documents/coverage.h"
#include "db/documents/document.h"
#include "db/documents/update.h"
#include "db/documents/update_v2.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth::db;
using namespace hearth::db::documents;

namespace {

using hearth::test::invariant;

// Two updates in one run of bytes: the first byte says where the second begins.
std::vector<std::string_view> parts_of(std::string_view bytes) {
  if (bytes.empty()) return {bytes};
  const size_t cut = std::min<size_t>(static_cast<unsigned char>(bytes.front()), bytes.size() - 1);
  return {bytes.substr(1, cut), bytes.substr(1 + cut)};
}

Coverage coverage_of(std::span<const Update> updates) {
  Coverage coverage;
  for (const Update& update : updates) coverage.add(update);
  return coverage;
}

void check_same(const std::vector<Update>& updates, const std::string& made, const char* what) {
  const auto parsed = Update::parse(made);
  invariant(parsed.ok(), what);
  invariant(coverage_of(updates) == coverage_of(std::span(&parsed.value(), 1)), what);
}

std::optional<std::string> read(std::span<const Update> updates) {
  Document document(DocumentLimits{.steps_max = 1'000'000});
  for (const Update& update : updates) {
    if (!document.apply(update).ok()) return std::nullopt;
  }
  for (const RootKind kind : {RootKind::Text, RootKind::Delta, RootKind::Map, RootKind::Array, RootKind::Xml}) {
    for (const std::string& root : document.roots()) (void)document.to_json(root, kind, 1 << 20);
  }
  const auto json = document.to_json(RootKinds{}, 1 << 20);
  if (!json.ok()) return std::nullopt;
  invariant(is_json(json.value()) || json.value().size() > 100, "what is read is JSON");  // deep ones are long
  return json.value();
}

void check(const std::vector<Update>& updates) {
  read(updates);
  const auto merged = merge(updates);
  if (!merged.ok()) return;
  check_same(updates, merged.value(), "a merge has what was merged");
  const Update whole = Update::parse_own(merged.value()).value();
  invariant(merge(std::span(&whole, 1)).value() == merged.value(), "a merge is its own");
  const StateVector vector = state_vector(updates);
  invariant(vector.encode() == state_vector(std::span(&whole, 1)).encode(), "a merge is as far");

  const std::string compacted = compact(updates).value();
  check_same(updates, compacted, "what is compact has what was merged");
  const Update small = Update::parse_own(compacted).value();
  const std::string again = compact(std::span(&small, 1)).value();
  check_same(updates, again, "and again");

  for (const auto& [client, clock] : vector.clocks()) {
    StateVector from = vector;
    from.set(client, clock / 2);
    const std::string rest = diff(updates, from).value();
    const auto parsed = Update::parse(rest);
    invariant(parsed.ok(), "a difference is an update");
    for (const Section& section : parsed.value().sections()) {
      invariant(section.start >= from.clock(section.client), "and begins where it was asked to");
    }
    const std::vector<Update> both = {parsed.value(), small};
    check_same(updates, merge(both).value(), "and is in the whole");
  }
}

}  // namespace

FUZZ_TARGET(yjs_update) {
  std::vector<Update> updates;
  for (const std::string_view part : parts_of(bytes)) {
    const auto update = Update::parse(part);
    if (update.ok()) updates.push_back(update.value());
  }
  check(updates);
}

FUZZ_TARGET(yjs_update_v2) {
  const auto converted = from_v2(bytes, 1 << 20);
  if (!converted.ok()) return;
  const auto update = Update::parse(converted.value());
  if (update.ok()) check({update.value()});
}

FUZZ_TARGET(yjs_awareness) {
  const auto entries = parse_awareness(bytes);
  if (!entries.ok()) return;
  const std::string written = encode_awareness(entries.value());
  invariant(parse_awareness(written).ok() && encode_awareness(parse_awareness(written).value()) == written,
            "awareness comes back");
}

FUZZ_TARGET(yjs_state_vector) {
  const auto vector = StateVector::parse(bytes);
  if (!vector.ok()) return;
  const auto again = StateVector::parse(vector.value().encode());
  invariant(again.ok() && again.value().clocks() == vector.value().clocks(), "a state vector comes back");
}
