#include "db/base/mail_batch.h"

#include "db/base/invariant.h"

namespace hearth::db {
namespace {
thread_local MailBatch* open_batch = nullptr;  // the outermost
}

MailBatch::MailBatch() : outer_(open_batch) {
  if (outer_ == nullptr) open_batch = this;
}

// From here on letters go their own way, those of deliver() among them.
MailBatch::~MailBatch() {
  if (outer_ == nullptr) end();
}

void MailBatch::end() {
  open_batch = nullptr;
  for (Part* part : parts_) {
    part->is_added_ = false;
    part->deliver();
  }
}

bool MailBatch::is_open() { return open_batch != nullptr; }

void MailBatch::add(Part& part, Order order) {
  invariant(open_batch != nullptr, "parts are added to an open batch");
  if (part.is_added_) return;
  part.is_added_ = true;
  auto& parts = open_batch->parts_;
  parts.insert(order == Order::First ? parts.begin() : parts.end(), &part);
}

}  // namespace hearth::db
