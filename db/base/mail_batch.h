// Letters between threads, passed on together. Each letter costs a lock, and the first a wake-up; what one thread says
// in one go to the same other thread may share them.
//
//   { const MailBatch batch;   post(a) post(b) post(a) … }  ─▶ at its end: to a two letters, to b one, a lock for each
//
// Whoever passes letters on asks is_open(). If so it keeps the letter in a Part of this thread and adds the part; the
// end of the outermost batch calls each part's deliver() once. A part may deliver sooner, too.
//
// Thread: each has its own. A thread that holds a batch must not wait for the answer to a letter.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

namespace hearth::db {

class MailBatch {
 public:
  class Part {
   public:
    virtual ~Part() = default;
    virtual void deliver() = 0;

   private:
    friend class MailBatch;
    bool is_added_ = false;
  };

  MailBatch();
  ~MailBatch();
  MailBatch(const MailBatch&) = delete;
  MailBatch& operator=(const MailBatch&) = delete;

  static bool is_open();
  // Parts that are First are delivered before the others: an answer to a letter must not overtake what was asked before.
  enum class Order : unsigned char { First, Then };
  static void add(Part& part, Order order = Order::Then);  // Precondition: is_open()

 private:
  void end();
  std::vector<Part*> parts_;
  MailBatch* const outer_;
};

// What a thread keeps in a batch, by whom it is for. `To` is a pointer to what has take(Letters&).
template <typename To, typename Letters>
class KeptMail final : public MailBatch::Part {
 public:
  Letters& of(const To& to) {
    auto kept = std::find_if(kept_.begin(), kept_.end(), [&](const auto& one) { return one.first == to; });
    if (kept == kept_.end()) kept = kept_.insert(kept, {to, Letters()});
    return kept->second;
  }
  void deliver() override {
    for (auto& [to, letters] : std::exchange(kept_, {})) {
      if (!letters.empty()) to->take(letters);
    }
  }

 private:
  std::vector<std::pair<To, Letters>> kept_;
};

}  // namespace hearth::db
