// The moment of a tree without settings, for checks.
#pragma once

#include "db/model/precondition.h"

namespace hearth::test {

inline db::Moment moment_of(const db::TreeView& view, db::Timestamp now = {}) {
  static const db::NoSettings kNone;
  return {view, now, kNone};
}

}  // namespace hearth::test
