#include "db/dump/chain.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

namespace {

// "F1" or "i3<F1": a full dump made at 1, an incremental one made at 3 that continues it. Sequences are ten times the
// time.
ChainFile file(const std::string& text) {
  const size_t behind = text.find('<');
  ChainFile file{text.substr(0, behind), {}};
  file.info.id = file.name;
  file.info.store = "store";
  file.info.made = Timestamp(std::stoi(file.name.substr(1)) * 1000);
  file.info.is_incremental = text[0] == 'i';
  if (behind != std::string::npos) file.info.base = text.substr(behind + 1);
  file.info.spaces = {"chat"};
  file.info.positions = {"aa:" + std::to_string(10 * std::stoi(file.name.substr(1)))};
  return file;
}

std::vector<ChainFile> files(const std::vector<std::string>& texts) {
  std::vector<ChainFile> all;
  for (const std::string& text : texts) all.push_back(file(text));
  return all;
}

// The names of the chain, or what is wrong.
std::string chain(const std::vector<std::string>& texts, std::optional<PastMoment> to = {}) {
  const auto all = files(texts);
  const auto found = chain_of(all, to);
  if (!found.ok()) return found.error().message;
  std::string names;
  for (const size_t at : found.value()) names += (names.empty() ? "" : " ") + all[at].name;
  return names;
}

PastMoment time(int64_t milliseconds) { return {{}, Timestamp(milliseconds)}; }
PastMoment id(uint64_t sequence) { return {EventId{"aa", sequence}, {}}; }

std::string rest(const std::vector<std::string>& texts, int64_t from) {
  const auto all = files(texts);
  std::string names;
  for (const size_t at : unneeded(all, Timestamp(from))) names += (names.empty() ? "" : " ") + all[at].name;
  return names;
}

const std::vector<std::string> kTwo = {"F1", "i2<F1", "i3<i2", "F4", "i5<i3", "i6<F4"};

}  // namespace

TEST_CASE("A moment is made of the newest full dump before it, what continues that, and one more") {
  CHECK(chain({"F1"}) == "F1");
  CHECK(chain(kTwo) == "F4 i6");
  CHECK(chain({"i6<F4", "F4", "i3<i2", "i2<F1", "F1"}) == "F4 i6");  // in any order
  CHECK(chain(kTwo, time(1000)) == "F1 i2");
  CHECK(chain(kTwo, time(1500)) == "F1 i2 i3");
  CHECK(chain(kTwo, time(2000)) == "F1 i2 i3");
  CHECK(chain(kTwo, time(3500)) == "F1 i2 i3 i5");
  CHECK(chain(kTwo, time(4500)) == "F4 i6");
  CHECK(chain(kTwo, id(10)) == "F1");
  CHECK(chain(kTwo, id(25)) == "F1 i2 i3");
  CHECK(chain(kTwo, id(39)) == "F1 i2 i3 i5");
  CHECK(chain(kTwo, id(55)) == "F4 i6");
}

TEST_CASE("Of two dumps that continue the same one, the way that leads further is taken") {
  CHECK(chain({"F1", "i2<F1", "i3<F1", "i4<i2"}) == "F1 i2 i4");
  CHECK(chain({"F1", "i2<F1", "i3<F1"}) == "F1 i3");
}

TEST_CASE("A link that is missing is told by name, and so is a moment that no dump has") {
  CHECK(chain({}) == "there are no dumps");
  CHECK(
      chain({"F1", "i2<F1", "i4<i3"}) ==
      "i4 continues the dump i3; the files given end at i2 (i2, made 1970-01-01T00:00:02.000Z); give the dump between "
      "them too");
  CHECK(chain({"i4<i3"}) == "i4 continues the dump i3, which is not among the files; give it too");
  CHECK(chain({"F2", "i3<F2"}, time(1999)) ==
        "1970-01-01T00:00:01.999Z is before the oldest full dump, F2 (F2, made 1970-01-01T00:00:02.000Z)");
  CHECK(chain({"F2", "i3<F2"}, id(19)) ==
        "the commit aa:19 of chat is before the oldest full dump, F2 (F2, made 1970-01-01T00:00:02.000Z)");
  CHECK(chain({"F2", "i3<F2"}, time(3001)) ==
        "1970-01-01T00:00:03.001Z is not in the dumps, which end at i3 (i3, made 1970-01-01T00:00:03.000Z); give the "
        "ones "
        "that came after it");
  CHECK(chain({"F2", "i3<F2"}, id(31)).starts_with("the commit aa:31 of chat is not in the dumps"));
  auto two = files({"F1"});
  two[0].info.spaces = {"chat", "shop"};
  const auto ambiguous = chain_of(two, id(10));
  CHECK(!ambiguous.ok());
  CHECK(chain_of(two, id(10), "chat").ok());
}

TEST_CASE("A chain as it is given is checked link by link, and the store too") {
  CHECK(check_chain(files({"F1", "i2<F1", "i3<i2"})).ok());
  CHECK(check_chain(files({"F1", "i3<i2"}))
            .error()
            .message.starts_with("i3 continues the dump i2; the files given end at"));
  CHECK(check_chain(files({"i2<F1"}))
            .error()
            .message.starts_with("i2 is an incremental dump, which continues the dump F1"));
  CHECK(check_chain(files({"F1", "F2"})).error().message == "F2 is a full dump, which continues none");
  auto other = files({"F1", "i2<F1"});
  other[1].info.store = "another";
  CHECK_FALSE(check_chain(other).ok());
}

TEST_CASE("What no moment needs may go, and never what a kept dump continues") {
  CHECK(rest(kTwo, 500) == "");
  CHECK(rest(kTwo, 1000) == "");
  CHECK(rest(kTwo, 3999) == "");
  CHECK(rest(kTwo, 4000) == "F1 i2 i3 i5");  // i5 closes the older chain, for moments before F4
  CHECK(rest({"F1", "i2<F1", "i3<i2", "F4", "i6<F4"}, 4000) == "F1 i2 i3");
  CHECK(rest({"F1", "i2<F1", "F3", "i4<i2", "i5<F3", "F6", "i7<F6"}, 6500) == "F1 i2 F3 i4 i5");
  CHECK(rest({"F1"}, 9000) == "");
}
