// A filter has the cuts as they were when its compaction began: one that comes meanwhile is for the next compaction.
#include "db/store/cut_filter.h"

#include <rocksdb/compaction_filter.h>

#include <map>
#include <mutex>

#include "db/store/rocks.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

using Cuts = std::map<uint32_t, uint64_t>;  // by the namespace's number

class CutFilter final : public rocksdb::CompactionFilter {
 public:
  explicit CutFilter(std::shared_ptr<const Cuts> cuts) : cuts_(std::move(cuts)) {}
  Decision FilterV2(int, const rocksdb::Slice& key, ValueType type, const rocksdb::Slice&, std::string*,
                    std::string*) const override {
    constexpr size_t kOfLog = kTableAndNumber + 8;
    if (type != ValueType::kValue || key.size() < kOfLog || key[0] != static_cast<char>(Table::Log)) {
      return Decision::kKeep;
    }
    const std::string_view rest(key.data() + 1, key.size() - 1);
    const auto found = cuts_->find(read_number(rest));
    const bool is_cut = found != cuts_->end() && read_sequence(rest.substr(4)) <= found->second;
    return is_cut ? Decision::kRemove : Decision::kKeep;
  }
  const char* Name() const override { return "hearth.cut"; }

 private:
  const std::shared_ptr<const Cuts> cuts_;
};

}  // namespace

class CutFilters::Factory final : public rocksdb::CompactionFilterFactory {
 public:
  void cut(uint32_t number, uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    auto cuts = std::make_shared<Cuts>(*cuts_);
    (*cuts)[number] = sequence;
    cuts_ = std::move(cuts);
  }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    const std::lock_guard lock(mutex_);
    if (cuts_->empty()) return nullptr;
    return std::make_unique<CutFilter>(cuts_);
  }
  const char* Name() const override { return "hearth.cut"; }

 private:
  std::mutex mutex_;  // Guards all below.
  std::shared_ptr<const Cuts> cuts_ = std::make_shared<Cuts>();
};

CutFilters::CutFilters() : factory_(std::make_shared<Factory>()) {}
void CutFilters::cut(uint32_t number, uint64_t sequence) { factory_->cut(number, sequence); }
std::shared_ptr<rocksdb::CompactionFilterFactory> CutFilters::factory() const { return factory_; }

}  // namespace hearth::db
