#include "net/wire/poll_text.h"

#include <catch2/catch.hpp>

using namespace hearth::net::wire;

TEST_CASE("Poll text: a start defines the functions, names the session, and has room for the hello",
          "[wire]") {  // §10.2
  const std::string script = start_script("7", "id", "pw");
  CHECK(script ==
        "function pLPCommand(){var f=parent.window['pLPCommand7'];if(f)f.apply(null,arguments);}\n"
        "function pRTLPCB(){var f=parent.window['pRTLPCB7'];if(f)f.apply(null,arguments);}\n"
        "pLPCommand('start','id','pw');\n");
  CHECK(data_script_start(3) + "{}" + std::string(kDataScriptEnd) == "pRTLPCB(3,[{}]);");
  CHECK(close_script() == "pLPCommand('close');");
  CHECK(close_script(9) == "pLPCommand('close',9);");
}

TEST_CASE("Poll text: nothing in a message ends the script, or a line of it", "[wire]") {
  CHECK(script_text(R"({"a":"</script><b>"})") == R"({"a":"<\/script><b>"})");
  CHECK(script_text("{\"a\":\"x\xe2\x80\xa8y\xe2\x80\xa9z\xe2\x80\xa6\"}") ==
        "{\"a\":\"x\\u2028y\\u2029z\xe2\x80\xa6\"}");
  CHECK(script_text(R"({"a":"plain < text"})") == R"({"a":"plain < text"})");
  CHECK(*script_bytes(Text{"</"}) == "<\\/");
}

TEST_CASE("Poll text: replies are scripts that nobody keeps or takes for something else", "[wire]") {
  const auto reply = script_reply("x");
  CHECK(reply.status == 200);
  CHECK(hearth::net::http::find_header(reply.headers, "Content-Type") == "application/javascript; charset=utf-8");
  CHECK(hearth::net::http::find_header(reply.headers, "Cache-Control") == "no-store");
  CHECK(hearth::net::http::find_header(reply.headers, "X-Content-Type-Options") == "nosniff");
  CHECK_THAT(page_reply(leaving_page("a", "b")).body, Catch::Contains("/.lp?disconn=t&id=a&pw=b"));
}
