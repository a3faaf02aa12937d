#include "db/model/row_filter.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"

using namespace hearth::db;

namespace {

Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }

const Value& row() {
  static const Value row = json(
      R"({"id":"other","n":5,"big":9007199254740993,"half":0.5,"neg":-3,"text":"5","word":"Äpfel & Birnen","empty":"",
          "done":true,"not":false,"o":{"a":{"b":7},"t":"x","l":["p","q"]},"lines":"one\ntwo"})");
  return row;
}

bool holds(const std::string& filter, const std::string& key = "k1") {
  const auto parsed = parse_row_filter(filter);
  INFO(filter << ": " << (parsed.ok() ? "" : parsed.error().message));
  REQUIRE(parsed.ok());
  return matches(parsed.value(), key, row());
}

bool logic_holds(const std::string& text) {
  const auto parsed = parse_row_logic(RowExpression::Kind::Or, text);
  INFO(text << ": " << (parsed.ok() ? "" : parsed.error().message));
  REQUIRE(parsed.ok());
  return matches(parsed.value(), "k1", row());
}

}  // namespace

TEST_CASE("RowFilter: a value compares as what the row has", "[model]") {
  for (const std::string yes : {"n=eq.5",
                                "n=eq.5.0",
                                "n=eq.5e0",
                                "text=eq.5",
                                "big=eq.9007199254740993",
                                "half=eq.0.5",
                                "half=eq..5",
                                "neg=eq.-3",
                                "n=neq.6",
                                "n=neq.five",
                                "text=neq.5.0",
                                "n=gt.4",
                                "n=gte.5",
                                "n=lt.40",
                                "n=lte.5",
                                "n=not.gt.5",
                                "neg=lt.-2",
                                "big=gt.9007199254740992",
                                "big=lt.9007199254740994",
                                "done=eq.true",
                                "done=eq.t",
                                "not=eq.f",
                                "done=gt.false",
                                "done=neq.f",
                                "word=gt.Zebra",
                                "word=lt.ä",
                                "empty=eq.",
                                "n=in.(1,5)",
                                "n=not.in.(1,2)",
                                "text=in.(5)",
                                "word=in.(a,\"Äpfel & Birnen\")",
                                "o->a->b=eq.7",
                                "o->>t=eq.x",
                                "o->a->>b=eq.7",
                                "o->l->>1=eq.q",
                                "n=eq.5,text=eq.5,done=is.true",
                                "n=eq(any).{4,5}",
                                "n=gt(all).{3,4}",
                                "done=is.true",
                                "not=is.false",
                                "gone=is.null",
                                "gone=is.unknown",
                                "n=is.not_null",
                                "n=not.is.null",
                                "n=is.NOT_NULL",
                                "gone=isdistinct.5",
                                "n=isdistinct.6",
                                "n=not.isdistinct.5",
                                "o=not.is.null",
                                "",
                                "  "}) {
    INFO(yes);
    CHECK(holds(yes));
  }
  for (const std::string no : {"n=eq.6",          "n=eq.05x",  "n=eq.five",  "text=eq.5.0",   "big=eq.9007199254740992",
                               "n=neq.5",         "n=gt.5",    "n=lt.five",  "n=not.lt.five", "done=eq.1",
                               "done=eq.false",   "n=in.()",   "n=in.(1,2)", "n=not.in.(5)",  "n=eq.5,done=eq.f",
                               "n=eq(all).{4,5}", "n=is.true", "n=is.null",  "n=eq.",         "n=eq. 5",
                               "n=eq.nan",        "n=eq.inf",  "n=eq.+5",    "word=eq.äpfel"}) {
    INFO(no);
    CHECK_FALSE(holds(no));
  }
}

TEST_CASE("RowFilter: null and objects are told from nothing, negated or not", "[model]") {
  for (const std::string what : {"gone=", "o="}) {
    for (const std::string condition :
         {"eq.5", "neq.5", "lt.5", "lte.5", "gt.5", "gte.5", "in.(5)", "like.5", "ilike.5", "match.5", "imatch.5"}) {
      INFO(what << condition);
      CHECK_FALSE(holds(what + condition));
      CHECK_FALSE(holds(what + "not." + condition));
    }
  }
  CHECK(logic_holds("(gone.eq.5,n.eq.5)"));
  CHECK_FALSE(logic_holds("(gone.eq.5,n.eq.6)"));
  CHECK_FALSE(logic_holds("(not.or(gone.eq.5,n.eq.6))"));
  CHECK(logic_holds("(not.and(gone.eq.5,n.eq.6))"));
}

TEST_CASE("RowFilter: the column id is the key, in the order of keys", "[model]") {
  CHECK(holds("id=eq.k1"));
  CHECK_FALSE(holds("id=eq.other"));
  CHECK(holds("id=in.(a,k1)"));
  CHECK(holds("id=gt.9", "10"));
  CHECK(holds("id=lt.a", "10"));
  CHECK_FALSE(holds("id=eq.10.0", "10"));
  CHECK_FALSE(holds("id=eq.010", "10"));
  CHECK(holds("id=like.k_"));
}

TEST_CASE("RowFilter: a row that is a leaf has one column, value", "[model]") {
  CHECK(matches(parse_row_filter("value=gt.4,id=eq.k,n=is.null").value(), "k", json("5")));
  CHECK_FALSE(matches(parse_row_filter("value=gt.5").value(), "k", json("5")));
  CHECK_FALSE(matches(parse_row_filter("value=is.null").value(), "k", json("5")));
}

TEST_CASE("RowFilter: patterns", "[model]") {
  for (const std::string yes :
       {"word=like.Ä%", "word=like.Ä*", "word=like.*Birnen", "word=like._pfel % Birnen", "word=like.%&%",
        "word=ilike.ä%BIRNEN", "word=not.like.B%", "word=like(any).{B%,Ä%}", "word=like(all).{Ä%,%n}", "word=match.^Ä",
        "word=match.B[a-z]+n$", "word=imatch.BIRNEN", "lines=like.one%two", "lines=match.e.t", "text=like.5",
        "empty=like.%", "empty=like."}) {
    INFO(yes);
    CHECK(holds(yes));
  }
  for (const std::string no : {"word=like.pfel", "word=like.Ä", "word=like.ä%", "word=match.^B", "n=like.5",
                               "n=not.like.5", "word=like.\\%", "word=like..*", "word=ilike(all).{ä%,%x}"}) {
    INFO(no);
    CHECK_FALSE(holds(no));
  }
  const auto escaped = parse_row_condition("c", "like.50\\%_").value();
  CHECK(matches(RowFilter{escaped}, "k", json(R"({"c":"50%!"})")));
  CHECK_FALSE(matches(RowFilter{escaped}, "k", json(R"({"c":"50 !"})")));
}

TEST_CASE("RowFilter: a pattern has a bound of work, and a text beyond it is unknown to it", "[model]") {
  const std::string text(64u << 10, 'a');
  const Value row = Value::object({{"c", Value::string(text)}});
  const auto holds = [&](const std::string& condition) {
    return matches(RowFilter{parse_row_condition("c", condition).value()}, "k", row);
  };
  CHECK(holds("like.a%a"));
  CHECK(holds("not.match.(a*)*(a*)*(a*)*b$"));  // exponential for who goes back
  std::string many;
  for (int i = 0; i < 100; ++i) many += "%a";
  CHECK_FALSE(holds("like." + many));
  CHECK_FALSE(holds("not.like." + many));
  CHECK(matches(RowFilter{parse_row_condition("c", "like." + many).value()}, "k",
                Value::object({{"c", Value::string(text.substr(0, 4'000))}})));
}

TEST_CASE("RowFilter: what is wrong in a text is named with its place", "[model]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"n", "expected \"=\" behind a column, at character 2"},
      {"=eq.1", "a column is missing, at character 1"},
      {"a.b=eq.1", "no column has such a name, at character 4"},
      {"n=5", "expected an operator"},
      {"n=gtt.5", "expected an operator"},
      {"n=cs.{a}", "the operator \"cs\" is not offered here, at character 3"},
      {"n=eq5", "expected \".\" behind the operator, at character 5"},
      {"n=eq", "expected \".\" behind the operator, at character 5"},
      {"n=in.1", "expected \"(\", at character 6"},
      {"n=in.(1", "expected \",\" or \")\", at character 8"},
      {"n=in.(1)x", "expected \",\" or the end, at character 9"},
      {"n=in.(\"1)", "a quote is not closed, at character 10"},
      {"n=eq.\"1\"x", "expected \",\" or the end"},
      {"n=is.maybe", "expected null, not_null, true, false or unknown"},
      {"n=is(any).{true}", "this operator takes no \"any\" or \"all\""},
      {"n=match.(", "no expression of RE2"},
      {"n=match.(?=a)", "no expression of RE2"},
      {"n=eq.1,", "a column is missing"},
      {"n=eq.1,m", "expected \"=\""},
      {"n->=eq.1", "a column is missing"},
      {"n->>a->b=eq.1", "expected \"=\""},
      {"n=like." + std::string(kRowPatternBytesMax + 1, 'a'), "a pattern has at most 256 bytes"},
      {"n=eq." + std::string(kRowFilterBytesMax, 'a'), "a filter has at most 65536 bytes"},
  };
  for (const auto& [text, message] : cases) {
    INFO(text.substr(0, 100));
    const auto parsed = parse_row_filter(text);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().code == ErrorCode::InvalidArgument);
    INFO(parsed.error().message);
    CHECK(parsed.error().message.find(message) != std::string::npos);
  }
  std::string many, list = "n=in.(0";
  for (size_t i = 0; i < kRowConditionsMax; ++i) many += "n=eq.1,";
  CHECK(parse_row_filter(many.substr(0, many.size() - 1)).ok());
  CHECK_FALSE(parse_row_filter(many + "n=eq.1").ok());
  for (size_t i = 1; i < kRowOperandsMax; ++i) list += ",1";
  CHECK(parse_row_filter(list + ")").ok());
  CHECK_FALSE(parse_row_filter(list + ",1)").ok());
}

TEST_CASE("RowFilter: a parameter's value is all that follows; a list has quotes", "[model]") {
  CHECK(parse_row_condition("c", "eq.\"a\",b)").value().operands == std::vector<std::string>{"\"a\",b)"});
  CHECK(parse_row_condition("c", "in.(a,\"c,d\",\"e\\\"\\\\\",)").value().operands ==
        std::vector<std::string>{"a", "c,d", "e\"\\", ""});
  CHECK(parse_row_filter("c=eq.\"a,b\",d=eq.x y").value()[0].operands.front() == "a,b");
  CHECK(parse_row_filter("c=eq.\"a,b\",d=eq.x y").value()[1].operands.front() == "x y");
  CHECK(parse_row_filter("c=eq.a(b").value()[0].operands.front() == "a(b");
  CHECK(parse_row_column("\"a->b\"->c").value() == RowColumn{"a->b", {"c"}, false});
  CHECK_FALSE(parse_row_condition("c", "in.(a)b").ok());
}

TEST_CASE("RowFilter: and, or and not within each other, to a depth", "[model]") {
  CHECK(logic_holds("(n.eq.6,and(n.gt.4,text.eq.5))"));
  CHECK(logic_holds("(n.eq.6, not.and(n.gt.4,text.eq.6))"));
  CHECK(logic_holds("(not.or(n.eq.6,text.eq.6))"));
  CHECK(logic_holds("(n.not.eq.6)"));
  CHECK(logic_holds("(o->a->b.eq.7)"));
  CHECK(logic_holds("(word.in.(a,\"Äpfel & Birnen\"),n.eq.6)"));
  CHECK_FALSE(logic_holds("(order.eq.6,android.eq.6,note.eq.5)"));
  for (const std::string bad : {"", "(", "()", "(n)", "(n.eq.5", "(n.eq.5)x", "(n.eq.5,)", "(and)", "(or())"}) {
    INFO(bad);
    CHECK_FALSE(parse_row_logic(RowExpression::Kind::And, bad).ok());
  }
  const auto deep = [](size_t depth) {
    std::string text = "(";
    for (size_t i = 1; i < depth; ++i) text += "or(";
    return text + "n.eq.5" + std::string(depth, ')');
  };
  CHECK(parse_row_logic(RowExpression::Kind::Or, deep(kRowLogicDepthMax)).ok());
  CHECK_FALSE(parse_row_logic(RowExpression::Kind::Or, deep(kRowLogicDepthMax + 1)).ok());
}

TEST_CASE("RowFilter: equality() names the keys under which an index of filters finds what matches", "[model]") {
  const auto keys = [](const std::string& filter) { return equality(parse_row_filter(filter).value()); };
  CHECK_FALSE(keys(""));
  CHECK_FALSE(keys("n=gt.5"));
  CHECK_FALSE(keys("n=not.eq.5"));
  CHECK_FALSE(keys("n->a=eq.5"));
  CHECK_FALSE(keys("n=eq(all).{5,6}"));
  CHECK(keys("n=gt.1,m=in.(a,5)")->column == "m");
  CHECK(keys("n=in.()")->keys.empty());
  for (const std::string operand : {"5", "5.0", "true", "f", "x", "", "0.5", "-0", "1e3", "9007199254740993"}) {
    const std::string filter = "n=eq." + operand;
    const auto index = keys(filter);
    REQUIRE(index);
    for (const std::string value :
         {"5", "\"5\"", "5.5", "\"5.0\"", "true", "\"true\"", "false", "\"f\"", "\"x\"", "\"\"", "0.5", "0", "1000",
          "\"1e3\"", "9007199254740993", "9007199254740992", "null", "{\"a\":1}"}) {
      INFO(operand << " and " << value);
      const Value one = json("{\"n\":" + value + ",\"z\":1}");
      const std::string key = equality_key(one.child("n"));
      const bool is_found = std::find(index->keys.begin(), index->keys.end(), key) != index->keys.end();
      CHECK(is_found == matches(parse_row_filter(filter).value(), "k", one));
    }
  }
  CHECK(byte_count(parse_row_filter("n=like.a").value()) > static_cast<size_t>(kRowPatternMemoryMax));
}
