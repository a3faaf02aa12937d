// What a shard does for views: their first values, and the scans that find what no index has.
//
//   listen with a query ─▶ View::open ─ at once ─▶ tell_first ─▶ FirstValue, on a reader
//                              └─ wants a scan: the listener waits in space.openings
//                                end of the group: start_scans() ─▶ a reader ─▶ ScannedRequest ─▶ settle ─▶ tell_first
//                                                                                  └─ Refilling: an event instead
//
// A scan begins at the end of a group, when nothing is pending: its snapshot has all that was accepted, and
// everything later is noted by the view itself. A scan's number says which one counts; an older one that comes late
// is dropped.
#include <algorithm>
#include <set>

#include "db/model/select.h"
#include "db/shard/shard.h"

namespace hearth::db {

namespace {

void answer_opening(const NamespaceState::PendingListen& opening, const Result<void>& status) {
  Answer answer;
  answer.request = opening.waiter.request;
  answer.status = status;
  opening.waiter.conversation->story.fill(opening.waiter.place, std::move(answer));
}

// Whether who waits still listens to the view it waits for: it may have left, or have been revoked.
// The listener's id may have been used again for another query: the view is compared too, by its address only.
bool still_listens(const NamespaceState::PendingListen& opening) {
  const auto& subscriptions = opening.waiter.conversation->subscriptions;
  const auto found = subscriptions.find(opening.listener);
  return found != subscriptions.end() && found->value->view() == opening.view;
}

// A listener that has gone gets an empty answer, and nothing else.
void answer_those_gone(std::vector<NamespaceState::PendingListen>& openings) {
  std::erase_if(openings, [](const NamespaceState::PendingListen& opening) {
    const bool is_gone = !still_listens(opening);
    if (is_gone) answer_opening(opening, {});
    return is_gone;
  });
}

}  // namespace

std::vector<NamespaceState::PendingListen> Shard::take_openings(NamespaceState& space, uint64_t view) {
  std::vector<NamespaceState::PendingListen> openings;
  if (const auto found = space.openings.find(view); found != space.openings.end()) {
    openings = std::move(found->second);
    space.openings.erase(found);
  }
  return openings;
}

// From the end of a group on: what a scan sees is all that was accepted, and what comes then its view takes down.
void Shard::start_scans(const std::shared_ptr<NamespaceState>& space) {
  for (auto at = space->openings.begin(); at != space->openings.end();) {
    answer_those_gone(at->second);
    at = at->second.empty() ? space->openings.erase(at) : std::next(at);
  }
  for (View* view : space->registry.take_scans()) {
    const uint64_t number = ++scans_begun_;
    view->begin_scan(number);
    const auto tell = [space, id = view->number, number](Result<View::Scanned> scanned) {
      space->shard.submit({.space = space, .what = ScannedRequest{id, number, std::move(scanned)}});
    };
    FairPool::Job job;
    job.payer = {space->tree.number, 0};  // whoever listens to it
    job.refuse = [tell](const Error& error) { tell(error); };
    job.run = [tell, space, snapshot = committer_.readable(space->tree), path = view->path(),
               query = view->scan_query(), has_priorities = space->tree.head.has_priorities](Turn& turn) {
      const SnapshotView whole(snapshot, space->tree.number);
      auto scanned = View::scan(TurnView(whole, turn), path, query, has_priorities);
      if (!turn.is_over()) tell(std::move(scanned));
    };
    with_.readers.run(std::move(job));
  }
}

// A view knows its positions once it is open: with an index at once, else after a scan. The values, of a window or of
// an unlimited view, are read on a reader.
void Shard::first_of_view(ShardRequest& request, const Listen& listen, Subscription& subscription,
                          ListenerRegistry::Added added) {
  const std::shared_ptr<Conversation>& conversation = request.conversation;
  NamespaceState& space = *request.space;
  View& view = *subscription.view();
  const uint64_t key = view.number;
  if (added == ListenerRegistry::Added::Alone) {
    space.view_firsts.erase(view.number);
    const Result<void> opened = view.open(committer_.view(space.tree), space.tree.head.has_priorities);
    if (!opened.ok() || Step::here().is_over()) {
      space.registry.remove(subscription);
      conversation->subscriptions.erase(subscription.id);
      if (Step::here().is_over()) return;
      return answer(request, {.status = opened});
    }
    if (view.wants_scan()) space.registry.want_scan(view);
  }
  space.registry.count_opened(view);
  if (const Result<void> room = room_to_listen(space, *conversation, 0, 0); !room.ok()) {  // for what it shows
    space.registry.remove(subscription);
    conversation->subscriptions.erase(subscription.id);
    return answer(request, {.status = room});
  }
  std::vector<NamespaceState::PendingListen>& openings = space.openings[key];
  openings.push_back(
      {{conversation, conversation->story.keep_place(), request.id, listen.hash}, subscription.id, &view});
  if (!view.is_open()) return;
  std::vector<NamespaceState::PendingListen> all = std::move(openings);
  space.openings.erase(key);
  tell_first(space, view, std::move(all));
}

// The view is open, and nothing is pending.
void Shard::tell_first(NamespaceState& space, View& view, std::vector<NamespaceState::PendingListen> openings) {
  const uint64_t key = view.number;
  const bool wants_hash =
      std::any_of(openings.begin(), openings.end(), [](const NamespaceState::PendingListen& opening) {
        return opening.waiter.hash && !opening.waiter.hash->empty();
      });
  // Whoever listens with the same query shares one first value, as those without a query do by path.
  std::shared_ptr<FirstValue>& first = space.view_firsts[key];
  if (first != nullptr)
    std::erase_if(openings, [&](NamespaceState::PendingListen& opening) { return first->wait(opening.waiter); });
  if (!openings.empty()) {
    FirstValue::Show show;
    if (view.query().counts) {
      show = [count = static_cast<int64_t>(view.count())](const TreeView&) { return Value::integer(count); };
    } else if (view.is_limited() && view.query().keys_only) {
      show = [keys = keys_of(view.window())](const TreeView&) { return keys; };
    } else if (view.is_limited()) {
      // The window is copied: the view moves on while a reader reads, and the snapshot belongs to this window.
      show = [path = view.path(), query = view.query(), shown = view.window()](const TreeView& tree) {
        return read_window(tree, path, query, shown, kReadBytesMax);
      };
    } else {
      show = [path = view.path(), query = view.query(), has_priorities = space.tree.head.has_priorities](
                 const TreeView& tree) { return read_query(tree, path, query, has_priorities, kReadBytesMax); };
    }
    first = std::make_shared<FirstValue>(view.path(), std::move(show), wants_hash, space.tree.head.sequence,
                                         first == nullptr ? std::nullopt : first->hashes(), with_.first_values,
                                         with_.answers, space.kept);
    const std::shared_ptr<Conversation> asks = openings.front().waiter.conversation;
    for (NamespaceState::PendingListen& opening : openings) first->wait(opening.waiter);
    large_values_.add(first);
    read_first(first, space, *asks);
  }
  if (space.view_firsts.size() > kFirstValuesMax) {
    std::erase_if(space.view_firsts, [&](const auto& entry) { return entry.first != key; });
  }
}

// Ends a view that failed: listeners that wait for it get the error as their answer, the others as their last event.
void Shard::refuse_view(NamespaceState& space, View& view, const std::vector<NamespaceState::PendingListen>& openings,
                        const Error& error) {
  space.view_firsts.erase(view.number);
  std::set<std::pair<const Conversation*, uint64_t>> answered;
  for (const NamespaceState::PendingListen& opening : openings) {
    answer_opening(opening, still_listens(opening) ? Result<void>(error) : Result<void>());
    answered.emplace(opening.waiter.conversation.get(), opening.listener);
  }
  for (Subscription* subscription : view.subscriptions.copy()) {  // the view goes with the last
    const auto conversation = std::static_pointer_cast<Conversation>(subscription->audience);
    Event event;
    event.kind = Event::Kind::Revoked;
    event.listener = subscription->id;
    event.sequence = space.tree.head.sequence;
    event.error = error;
    space.registry.remove(*subscription);
    conversation->subscriptions.erase(event.listener);
    if (!answered.contains({conversation.get(), event.listener})) tell(conversation, std::move(event));
  }
}

// A scan takes time, and so does a throttle: a listener whose right was limited in time is asked again before it hears what
// was found.
void Shard::revoke_lapsed(NamespaceState& space, const std::vector<Subscription*>& subscriptions) {
  const Timestamp wall = with_.clock.now();
  for (Subscription* subscription : subscriptions) {
    if (!subscription->has_lapsed(wall)) continue;
    const Result<void> verdict = check(space, *subscription);
    if (verdict.ok()) continue;
    const auto conversation = std::static_pointer_cast<Conversation>(subscription->audience);
    Event event;
    event.kind = Event::Kind::Revoked;
    event.listener = subscription->id;
    event.sequence = space.tree.head.sequence;
    event.error = lapsed(verdict.error());
    space.registry.remove(*subscription);
    conversation->subscriptions.erase(event.listener);
    tell(conversation, std::move(event));
  }
}

void Shard::handle(ShardRequest& request, ScannedRequest& what) {
  Step& step = Step::here();
  if (what.scanned.ok() && what.scanned.value().positions.size() > kSettleHereMax) step.end_early();
  if (step.is_over()) return;
  const Step::Whole whole;
  NamespaceState& space = *request.space;
  const uint64_t key = what.view;
  View* view = space.registry.find_view(key);
  if (view == nullptr || view->scan_number() != what.number) return;  // of one that is gone
  const bool has_priorities = space.tree.head.has_priorities;
  Result<std::shared_ptr<const Body>> settled =
      what.scanned.ok() ? view->settle(std::move(what.scanned).value(), committer_.view(space.tree), has_priorities)
                        : what.scanned.error();
  if (!settled.ok()) return refuse_view(space, *view, take_openings(space, key), settled.error());
  revoke_lapsed(space, view->subscriptions.copy());  // the view goes with the last
  view = space.registry.find_view(key);
  if (view == nullptr) return;  // it went with the last; those who wait for it are answered at the group's end
  if (view->wants_scan()) space.registry.want_scan(*view);
  space.registry.count_opened(*view);
  if (!view->is_open()) return;
  if (settled.value() != nullptr) space.view_firsts.erase(key);
  if (settled.value() != nullptr && !withhold(space, **view->subscriptions.begin(), *settled.value())) {
    for (Subscription* subscription : view->subscriptions) {
      Event event;
      event.listener = subscription->id;
      event.sequence = space.tree.head.sequence;
      event.body = settled.value();
      tell(std::static_pointer_cast<Conversation>(subscription->audience), std::move(event));
    }
  }
  std::vector<NamespaceState::PendingListen> openings = take_openings(space, key);
  answer_those_gone(openings);
  if (openings.empty()) return;
  // For what the scan has found.
  const Result<void> room = room_to_listen(space, *openings.front().waiter.conversation, 0, 0);
  if (!room.ok()) return refuse_view(space, *view, openings, room.error());
  tell_first(space, *view, std::move(openings));
}

}  // namespace hearth::db
