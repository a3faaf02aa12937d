// Frames of Yjs clients: y-websocket's are messages, Hocuspocus puts a document's name before them.
#include "db/documents/awareness.h"
#include "db/documents/coding.h"
#include "net/yjs/awareness_room.h"
#include "net/yjs/message.h"
#include "net/yjs/room.h"
#include "tests/fuzz/fuzz.h"

namespace {

namespace yjs = hearth::net::yjs;
namespace documents = hearth::db::documents;
using hearth::test::invariant;
using Kind = yjs::Message::Kind;

// A room that has heard nothing. Whoever is there has a clock that is not 0.
void check_awareness(std::string_view body) {
  const yjs::AwarenessRoom room;
  const auto entries = documents::parse_awareness(body);
  if (!entries.ok()) return (void)room.has_news(body);
  bool is_news = false;
  for (const auto& entry : entries.value()) is_news = is_news || entry.clock > 0;
  invariant(room.has_news(body) == is_news, "what is news is found without reading it");
}

void check(std::string_view head, std::string_view bytes) {
  const auto parsed = yjs::parse_message(bytes);
  if (!parsed.ok()) return;
  const yjs::Message& message = parsed.value();
  invariant(message.body.empty() || (message.body.data() >= bytes.data() &&
                                     message.body.data() + message.body.size() <= bytes.data() + bytes.size()),
            "a body is a part of its frame");
  const auto comes_back = [&](const std::string& written) {
    const auto again = yjs::parse_message(std::string_view(written).substr(head.size()));
    invariant(again.ok() && again.value().kind == message.kind && again.value().body == message.body,
              "a message comes back");
  };
  if (message.kind == Kind::Step1) comes_back(yjs::step1_message(head, message.body));
  if (message.kind == Kind::Update) comes_back(yjs::update_message(head, message.body));
  if (message.kind != Kind::Awareness) return;
  comes_back(yjs::awareness_message(head, message.body));
  check_awareness(message.body);
}

}  // namespace

FUZZ_TARGET(yjs_message) {
  check("", bytes);
  documents::Reader from(bytes);
  const std::string_view name = from.var_string();
  if (!from.ok()) return;
  const auto path = yjs::path_of_room(std::string(name.substr(0, name.find('\0'))));
  invariant(!path.ok() || !path.value().text().empty(), "a room has a path");
  check(yjs::hocuspocus_head(name), bytes.substr(from.offset()));
}
