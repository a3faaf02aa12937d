// Who listens at a path with a throttle, or below, hears at most so often; the last value is never lost (throttle.h).
//
//   note_change() ─▶ withhold(): the first change is told at once, later ones are noted       an alarm ─▶ ThrottleRequest
//   a write of one who listens there ─▶ its answer waits too, for it is to come behind what it did
//   ThrottleRequest ─▶ what was noted is told as it is by now; answers behind it
//
// What must hold:
// - Each listener goes from one state of the tree to a later one: what is told is read in the step that tells it.
// - A client hears of its write before the answer (SDKs show what the server has told once a write is answered, so the
//   value would jump back). Its other listeners and answers do not wait for that.
// - Who loses a right hears so at once, and nothing more.
#include <algorithm>

#include "db/read/reads.h"
#include "db/shard/shard.h"

namespace hearth::db {
namespace {

constexpr size_t kLookedAtMax = 20;  // places of a write

// Null: nobody listens there.
const Node* node_of_path(const ListenerRegistry& registry, const Path& path) {
  const Node* at = &registry.root();
  for (const std::string_view key : path.keys()) {
    const auto child = at->children->find(key);
    if (child == at->children->end()) return nullptr;
    at = child->get();
  }
  return at;
}

ThrottleKey key_of(const Subscription& subscription) {
  const View* view = subscription.view();
  return {subscription.path->text(), view != nullptr ? view->number : 0};
}

bool listens_at(const Conversation& conversation, const ThrottleKey& key) {
  return std::any_of(conversation.subscriptions.begin(), conversation.subscriptions.end(), [&](const auto& one) {
    const View* view = one.value->view();
    return one.value->path->text() == key.first && (view != nullptr ? view->number : 0) == key.second;
  });
}

}  // namespace

// Whether those at the subscription's place are not told now; then it is noted. Asked once a place and change.
bool Shard::withhold(NamespaceState& space, const Subscription& subscription, const Body& body) {
  const auto& paths = space.tree.expiry.plan->paths;
  const auto every = paths == nullptr ? std::nullopt : paths->throttle_of(subscription.path->keys());
  if (!every) return false;
  const Timestamp now = with_.alarms.now();
  Throttled& one = space.throttles[key_of(subscription)];
  if (one.withheld.is_empty() && (one.every.count() == 0 || one.due() <= now)) {
    one.every = *every;
    one.told = now;
    one.path = subscription.path;
    with_.alarms.set(space.tree.name, Alarms::For::Throttle, *every);
    return false;
  }
  one.withheld.add(body, subscription.view() != nullptr);
  return true;
}

// A client that was told a value a moment ago, and asks for the next one: it would be told each value that way. It is
// answered when the others are told, and reads then.
bool Shard::withhold_first(NamespaceState& space, const ShardRequest& request, const Subscription& subscription) {
  const auto found = space.throttles.find(key_of(subscription));
  if (found == space.throttles.end() || found->second.due() <= with_.alarms.now()) return false;
  Answer look;
  look.request = request.id;
  look.sequence = space.tree.head.sequence;
  look.first = Body::put(subscription.path, Slot::Value, Value());
  found->second.answers.emplace_back(request.conversation, std::move(look));
  tell_soon_if_full(space, found->second);
  return true;
}

// What a write of the conversation is to be answered behind; null: it need not wait.
Throttled* Shard::withheld_from(NamespaceState& space, const Conversation& conversation, const Write& write) {
  Throttled* last = nullptr;
  const auto look = [&](const ThrottleKey& key, Throttled& one) {
    if (one.withheld.is_empty() || (last != nullptr && one.due() <= last->due()) || !listens_at(conversation, key))
      return;
    last = &one;
  };
  const auto look_around = [&](const Path& path) {
    for (size_t depth = 0; depth < path.depth(); ++depth) {
      const std::string above = path.prefix(depth).text();
      for (auto at = space.throttles.lower_bound({above, 0}); at != space.throttles.end() && at->first.first == above;
           ++at) {
        look(at->first, at->second);
      }
    }
    for (auto at = space.throttles.lower_bound({path.text(), 0}); at != space.throttles.end(); ++at) {
      if (!at->first.first.starts_with(path.text())) break;
      if (path.contains(at->second.path)) look(at->first, at->second);
    }
  };
  // All that an update writes lies below its base: where it is long, that is looked at instead.
  const bool is_long = write.overwrites.size() > kLookedAtMax;
  if (write.overwrites.empty() || is_long) look_around(write.base);
  if (is_long) return last;
  for (const Overwrite& overwrite : write.overwrites) look_around(overwrite.path);
  return last;
}

void Shard::tell_soon_if_full(const NamespaceState& space, const Throttled& one) {
  if (one.answers.size() >= kWithheldAnswersMax) with_.alarms.set(space.tree.name, Alarms::For::Throttle, {});
}

void Shard::answer_write(const ShardRequest& request, const Write& write, Answer reply) {
  const bool speaks_of_tree = reply.status.ok() || reply.status.error().code == ErrorCode::Stale;
  if (speaks_of_tree && request.conversation != nullptr && !request.space->throttles.empty()) {
    if (Throttled* behind = withheld_from(*request.space, *request.conversation, write)) {
      reply.request = request.id;
      behind->answers.emplace_back(request.conversation, std::move(reply));
      tell_soon_if_full(*request.space, *behind);
      return;
    }
  }
  answer(request, std::move(reply));
}

// What was withheld as one event, as it is now. Null: nobody is to be told.
Result<std::shared_ptr<const Body>> Shard::what_was_withheld(NamespaceState& space, const ThrottleKey& key,
                                                             const Throttled& one) {
  const TreeView& tree = committer_.view(space.tree);
  const bool has_priorities = space.tree.head.has_priorities;
  const auto& places = one.withheld.places();
  if (key.second != 0) {
    View* view = space.registry.find_view(key.second);
    if (view == nullptr) return std::shared_ptr<const Body>();
    const auto whole = places.find({one.path, Slot::Value});
    if (whole != places.end() && places.size() == 1) return Body::put(one.path, Slot::Value, whole->second);
    if (one.withheld.is_all() || whole != places.end()) return view->whole(tree, has_priorities);
    std::vector<std::pair<std::string, Value>> entries;
    for (const auto& [place, value] : places) {
      entries.emplace_back(place.first.relative_to(one.path).text(), value);
      if (place.second == Slot::Priority) entries.back().first += "/.priority";
    }
    return Body::merge(one.path, std::move(entries));
  }
  if (node_of_path(space.registry, one.path) == nullptr) return std::shared_ptr<const Body>();
  std::vector<Overwrite> changed;
  for (const auto& [place, value] : places) changed.push_back({place.first, place.second, {}});
  if (one.withheld.is_all()) changed = {{one.path, Slot::Value, {}}};
  ASSIGN_OR_RETURN(auto body, net_change(tree, one.path, changed));
  // A client that empties a node on the way to filling it again loses its priority (net/wire/protocol.md §6.3).
  const bool removes = body->kind() == Body::Kind::Merge && body->entries().size() > 1 &&
                       std::any_of(body->entries().begin(), body->entries().end(),
                                   [](const auto& entry) { return entry.second.is_null(); });
  if (!removes || !has_priorities) return body;
  return net_change(tree, one.path, {{one.path, Slot::Value, {}}});
}

// Those who listen at that place.
std::vector<Subscription*> Shard::throttled_listeners(NamespaceState& space, const ThrottleKey& key,
                                                      const Throttled& one) {
  if (key.second != 0) {
    const View* view = space.registry.find_view(key.second);
    return view != nullptr ? view->subscriptions.copy() : std::vector<Subscription*>();
  }
  const Node* node = node_of_path(space.registry, one.path);
  return node != nullptr ? node->subscriptions.copy() : std::vector<Subscription*>();
}

// Whether those who listen to rows of the table are not told now. Asked once a table and change.
bool Shard::withhold_rows(NamespaceState& space, const Path& table) {
  const auto& paths = space.tree.expiry.plan->paths;
  const auto every = paths == nullptr ? std::nullopt : paths->throttle_of(table.keys());
  if (!every) return false;
  const Timestamp now = with_.alarms.now();
  ThrottledRows& one = space.row_throttles[table.text()];
  if (!one.withheld.is_empty() || (one.every.count() > 0 && one.due() > now)) return true;
  one.every = *every;
  one.told = now;
  with_.alarms.set(space.tree.name, Alarms::For::Throttle, *every);
  return false;
}

void Shard::keep_rows(NamespaceState& space, const WithheldRows::Listener& listener, const RowEvent& event,
                      const std::vector<RowBinding>& bindings) {
  ThrottledRows& one = space.row_throttles[event.change->table.text()];
  one.withheld.add(listener, event, bindings);
  counted_.events_withheld.add();
  if (one.withheld.is_full()) with_.alarms.set(space.tree.name, Alarms::For::Throttle, {});
}

// The rows of the next table whose time has come. False: there is none. Who may not read a row any more is not told; where the
// row has gone, who could read it then is.
bool Shard::tell_rows(NamespaceState& space, ThrottleRequest& what) {
  const Timestamp now = with_.alarms.now();
  for (auto at = space.row_throttles.upper_bound(what.after_table); at != space.row_throttles.end();) {
    ThrottledRows& one = at->second;
    if (one.due() > now) {
      ++at;
      continue;
    }
    if (one.withheld.is_empty()) {
      at = space.row_throttles.erase(at);
      continue;
    }
    auto told = one.withheld.told();
    Step::here().foresee({told.size(), 0, told.size()});
    const Moment moment = moment_of(space);
    std::map<std::pair<std::string, std::string>, bool> known;  // by asker and row
    std::erase_if(told, [&](const auto& item) {
      const auto& [listener, event] = item;
      const Conversation& conversation = *listener.first;
      if (conversation.ended || conversation.others == nullptr) return true;
      const auto found = conversation.others->rows.find(listener.second);
      if (found == conversation.others->rows.end()) return true;
      const RowCheck* check = found->second->what.check.get();
      const Result<Path> row = event.change->table.child(event.change->key);
      if (check == nullptr || event.change->after.is_null() || !row.ok()) return false;
      const auto [verdict, is_new] = known.try_emplace({std::string(check->asker()), event.change->key}, false);
      if (is_new) {
        const Result<bool> is_there = moment.before.exists(row.value());
        const Result<bool> may = check->may_read(moment, row.value());
        verdict->second = is_there.ok() && may.ok() && (may.value() || !is_there.value());
      }
      return !verdict->second;
    });
    if (Step::here().is_over()) return true;
    const Step::Whole whole;
    one.withheld = {};
    one.told = now;
    for (auto& [listener, event] : told) tell(listener.first, std::move(event));
    what.after_table = at->first;
    again_ = true;
    return true;
  }
  return false;
}

// One place in each step, so that a step that is over has told nothing.
void Shard::handle(ShardRequest& request, ThrottleRequest& what) {
  NamespaceState& space = *request.space;
  const Timestamp now = with_.alarms.now();
  for (auto at = space.throttles.upper_bound(what.after); at != space.throttles.end();) {
    auto& [key, one] = *at;
    if (one.due() > now) {
      ++at;
      continue;
    }
    if (one.withheld.is_empty() && one.answers.empty()) {
      at = space.throttles.erase(at);
      continue;
    }
    std::vector<Subscription*> listeners = throttled_listeners(space, key, one);
    Step::here().foresee({listeners.size(), 0, 0});
    Result<std::shared_ptr<const Body>> body = std::shared_ptr<const Body>();
    if (!one.withheld.is_empty()) body = what_was_withheld(space, key, one);
    if (Step::here().is_over()) return;
    const Step::Whole whole;
    if (!body.ok()) {
      end_listeners(space, "What changed can't be read; the data is to be asked for again: " + body.error().message);
    } else if (body.value() != nullptr) {
      revoke_lapsed(space, listeners);
      for (const Subscription* listener : throttled_listeners(space, key, one)) {
        Event event;
        event.listener = listener->id;
        event.sequence = space.tree.head.sequence;
        event.body = body.value();
        tell(std::static_pointer_cast<Conversation>(listener->audience), std::move(event));
      }
    }
    one.withheld = {};
    one.told = now;
    for (auto& [conversation, answer] : std::exchange(one.answers, {})) {
      if (!conversation->ended) tell(conversation, std::move(answer));
    }
    what.after = key;
    again_ = true;
    return;
  }
  if (tell_rows(space, what)) return;
  Timestamp next = Timestamp::max();
  for (const auto& [key, one] : space.throttles) next = std::min(next, one.due());
  for (const auto& [table, one] : space.row_throttles) next = std::min(next, one.due());
  if (next == Timestamp::max()) return;
  with_.alarms.set(space.tree.name, Alarms::For::Throttle, std::max(next - now, Timestamp(0)));
}

}  // namespace hearth::db
