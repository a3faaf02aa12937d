// What lives in a namespace beside its tree, at one moment: sessions, who listens where, topics, and what of Yjs documents
// is stored. For those who run a server. All lists are bounded here, because a shard fills them in one step. Values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/base/clock.h"
#include "db/model/path.h"
#include "db/model/query.h"
#include "db/model/write.h"

namespace hearth::db {

inline constexpr size_t kLiveLooksMax = 5'000;          // sessions, paths or topics that are looked at
inline constexpr size_t kLiveSessionsMax = 200;         // that are told with what they have
inline constexpr size_t kLiveSessionsBriefMax = 5'000;  // that are told by their counts
inline constexpr size_t kLivePartsMax = 100;            // listeners, topics and queued writes of one session
inline constexpr size_t kLivePartsInAllMax = 2'000;     // of all sessions of one answer
inline constexpr size_t kLivePathsMax = 500;
inline constexpr size_t kLiveTopicsMax = 500;
inline constexpr size_t kLiveMembersMax = 200;         // of one topic; and so many entries
inline constexpr size_t kLiveKeptMax = 100;            // messages that a topic keeps
inline constexpr size_t kLiveTextBytesMax = 4u << 10;  // of an entry or a message; more is cut
inline constexpr size_t kLiveDocumentsMax = 1'000;
inline constexpr size_t kLiveDocumentBytesMax = 1u << 20;  // of one document's JSON

// How a session came: what its owner has said of itself (Client::set_origin).
struct Origin {
  uint64_t connection = 0;    // its number, as in the log; 0: not known
  const char* protocol = "";  // a literal: "firebase", "supabase", "yjs", "rest"
};

struct LiveSession {
  struct Listener {
    Path path;
    SharedQuery query;
  };
  Origin origin{};
  std::string user{};  // the uid; "": nobody, or an admin
  bool is_admin = false;
  Timestamp since{};
  size_t listener_count = 0, topic_count = 0, queued_count = 0;
  std::vector<Listener> listeners{};
  std::vector<std::string> topics{};
  std::vector<Overwrite> queued{};  // what is written when it ends
};

struct LivePath {
  Path path;
  uint64_t listeners = 0;
  uint64_t queries = 0;  // part of them
};

struct LiveTopic {
  struct Text {
    std::string name;  // the key of an entry, the event of a message
    std::string text;  // at most kLiveTextBytesMax
    size_t bytes = 0;  // all of it
    bool is_binary = false;
    Timestamp time{};  // of a message
  };
  std::string name;
  size_t members = 0, entries = 0, kept = 0, bytes = 0;
  // Of one that is asked for by itself.
  std::vector<LiveSession> people{};   // without what they have
  std::vector<Text> said_of_itself{};  // its entries
  std::vector<Text> messages{};        // the latest that it keeps
};

// What is asked for.
struct LiveAsk {
  enum class What : uint8_t { Sessions, SessionsBrief, Paths, Topics, Topic };
  What what = What::Sessions;
  std::optional<uint64_t> connection{};  // Sessions: of that one alone
  std::string topic{};                   // Topic
};

struct Live {
  size_t total = 0;  // sessions, listeners or topics that there are
  std::vector<LiveSession> sessions{};
  std::vector<LivePath> paths{};  // the most listened to first
  std::vector<LiveTopic> topics{};
};

struct StoredDocument {
  Path path;
  uint64_t updates = 0, bytes = 0;
};
struct DocumentsPage {
  std::vector<StoredDocument> documents;
  bool is_last = true;
};
struct DocumentContent {
  StoredDocument stored;
  bool has_pending = false;  // something came whose cause has not come yet
  std::string json{};        // {root: …}
};

}  // namespace hearth::db
