// Reading the log. An entry of several rows is put together as they come.
//
// Which ids are known. A client that comes back names the last commit that it has seen, by run and sequence. The
// sequence alone would not do: a folder that was put back to an older state gives the same sequences to other commits.
// `life` is the run of the process, and never falls from one entry to the next:
//
//   sequence   41   42   43 │ 44   45 │ 46
//   life        1    1    1 │  2    2 │  3
//
//   1:42       known      43 was made in run 1 as well, so the client saw nothing that is not here
//   2:43       known      it is the moment at which run 2 began: 43 is older than the run, 44 is not
//   3:44       not known  when run 3 began 45 was there already, so no client of run 3 can have seen 44 as the last one
//   1:45       not known  45 was made in run 2: what the client saw under this number was another commit
//
// The entry `cut` itself is gone, and behind `head` there is none; there only the other side is asked.
//
// trimmed() looks by halves for the border between what goes and what stays: times and offsets grow with the sequence.
// Where the clock was set back there may be several borders, and one of them is found. A row that is missing counts as
// gone.
#include "db/log/log_reader.h"

#include "db/store/row_key.h"

namespace hearth::db {
namespace {

Error begins_later() {
  return {ErrorCode::NotFound, "the log does not reach back so far: what was changed since then is not known any more"};
}

}  // namespace

Result<std::optional<LogState>> LogReader::state() const {
  ASSIGN_OR_RETURN(const auto row, snapshot_->get(row_key(Table::History, number_)));
  if (!row) return std::optional<LogState>();
  ASSIGN_OR_RETURN(const LogState state, LogState::decode(*row));
  return std::optional(state);
}

Result<std::optional<LogReader::Sized>> LogReader::head_of(uint64_t sequence) const {
  ASSIGN_OR_RETURN(const auto row, snapshot_->get(row_key(Table::Log, number_, log_row(sequence))));
  if (!row) return std::optional<Sized>();
  ASSIGN_OR_RETURN(const FirstPart first, read_first_part(*row));
  ASSIGN_OR_RETURN(LogEntry entry, LogEntry::decode(first.bytes, LogEntry::What::HeadOnly));
  return std::optional(Sized{std::move(entry), first.size});
}

Result<bool> LogReader::knows(const LogState& state, uint64_t head, uint32_t life, uint64_t sequence) const {
  if (sequence < state.cut || sequence > head) return false;
  if (sequence > state.cut) {
    ASSIGN_OR_RETURN(const auto own, head_of(sequence));
    if (!own || own->entry.life > life) return false;
  }
  if (sequence < head) {
    ASSIGN_OR_RETURN(const auto next, head_of(sequence + 1));
    if (!next || next->entry.life < life) return false;
  }
  return true;
}

Result<void> LogReader::read(uint64_t since, const std::function<bool(LogEntry&& entry, uint64_t size)>& entry) const {
  // A row's key has eight bytes of sequence, and behind them the part, but for the first one. Each sequence must follow
  // the one before it: where one is missing, rows were taken away while this snapshot was read, and the log begins
  // later.
  const std::string prefix = row_key(Table::Log, number_);
  std::string bytes;  // of an entry that has more rows
  uint64_t size = 0;  // that it will have
  uint64_t expected = since + 1;
  Result<void> status;
  const auto row = [&](std::string_view key, std::string_view value) {
    const std::string_view rest = key.substr(prefix.size());
    const uint64_t sequence = rest.size() < 8 ? 0 : read_sequence(rest);
    if (sequence != expected) {
      status = begins_later();
      return false;
    }
    std::string_view whole;
    if (rest.size() == 8) {
      const Result<FirstPart> first = read_first_part(value);
      if (!first.ok()) {
        status = first.error();
        return false;
      }
      size = first.value().size;
      whole = first.value().bytes;
      if (whole.size() < size) {
        bytes = whole;
        return true;
      }
    } else {
      bytes += value;
      if (bytes.size() < size) return true;
      whole = bytes;
    }
    Result<LogEntry> decoded = LogEntry::decode(whole);
    if (!decoded.ok()) {
      status = decoded.error();
      return false;
    }
    ++expected;
    return entry(std::move(decoded).value(), size);
  };
  RETURN_IF_ERROR(snapshot_->scan(prefix + log_row(since + 1), row_key(Table::Log, number_ + 1), row));
  return status;
}

Result<LogState> LogReader::trimmed(const LogState& state, const HistoryPlan& plan, const End& end,
                                    Timestamp now) const {
  const auto is_to_go = [&](const LogEntry& entry) {
    return entry.wall < now - plan.age || end.offset - entry.offset > plan.bytes;
  };
  // Everything up to `gone` goes, everything from `kept` on stays.
  uint64_t gone = state.cut, kept = end.head + 1;
  LogState trimmed{end.head, end.offset};
  while (gone + 1 < kept) {
    const uint64_t middle = gone + (kept - gone) / 2;
    ASSIGN_OR_RETURN(const auto found, head_of(middle));
    // One that is not there is gone already.
    if (!found || is_to_go(found->entry)) {
      gone = middle;
    } else {
      kept = middle;
      trimmed = {middle - 1, found->entry.offset};
    }
  }
  return trimmed;
}

}  // namespace hearth::db
