#include "net/yjs/room.h"

#include <catch2/catch.hpp>

#include "net/router.h"

using namespace hearth::net::yjs;

TEST_CASE("Rooms: the namespace, the name and the token of a target", "[yjs]") {
  const auto room = [](std::string_view target, std::string_view host = "localhost:9000") {
    const Room found = room_of(target, host).value();
    return found.space + "|" + found.name + "|" + found.token;
  };
  CHECK(room("/yjs/a") == "|a|");
  CHECK(room("/yjs/a/b%20c/%C3%BC?token=t%2B") == "|a/b c/ü|t+");
  CHECK(room("/ns/shop/yjs/a?ns=other") == "shop|a|");
  CHECK(room("/yjs/a?ns=shop") == "shop|a|");
  CHECK(room("/yjs/a", "shop.example.com") == "shop|a|");
  CHECK(room("/yjs") == "||");
  CHECK(room("/yjs/") == "||");
  CHECK(room("/ns/shop/yjs") == "shop||");
  CHECK_FALSE(room_of("/yjs/%zz", "").ok());
}

TEST_CASE("Rooms: what is somebody else's", "[yjs]") {
  for (const char* target :
       {"/", "/yjsx", "/yjs.json", "/yjs/a.json", "/ns/shop/yjs/a.json", "/ns//yjs", "/ns/yjs", "/.ws"}) {
    INFO(target);
    CHECK(hearth::net::owner_of(target) != hearth::net::Owner::Yjs);
  }
  for (const char* target : {"/yjs", "/yjs/", "/yjs/a", "/ns/shop/yjs", "/ns/shop/yjs/a?x=1", "/yjs?ns=a.json"}) {
    INFO(target);
    CHECK(hearth::net::owner_of(target) == hearth::net::Owner::Yjs);
  }
}

TEST_CASE("Rooms: a name is a path of keys", "[yjs]") {
  CHECK(path_of_room("a/b").value().text() == "a/b");
  CHECK(path_of_room("ü").ok());
  for (const char* name : {"", "/a", "a/", "a//b", "a.b", "a#b", "a$", "[a]"}) {
    INFO(name);
    CHECK_FALSE(path_of_room(name).ok());
  }
}
