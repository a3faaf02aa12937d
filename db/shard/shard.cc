// A group's life. The shard's one thread does all of it; run_group() (shard_turns.cc) is the loop.
//
//   submit()      any thread ─▶ inbox_                            under mutex_, the shard's only lock
//   take_in()     inbox_ ─▶ the line of each namespace
//   take_turn()   lines ─▶ run_step() ─▶ handle(), one for each kind of request:
//                   a write         ─▶ committer_.write() ─▶ match() ─▶ releases_: its events, then its answer
//                   a read, listen  ─▶ keeps a place in the story; a reader fills it, from what is durable
//                   takes too long  ─▶ releases_ is cut back, and the namespace leaves for a heavy shard
//                   comes too early ─▶ carried: it must see the end of this group, and is the first of the next
//   commit()      one batch, one fsync
//   release()     releases_ ─▶ the stories, in order.  When the commit failed: answers become its error, events vanish
//   afterwards    indexes (maintain), scans of views, memory; finish_group() puts carried requests back in their lines
//
// What must hold:
// - Nothing of a write leaves before commit(), not even a refusal: it was judged against writes that may yet fail. So
//   answers and events go into releases_. Only places that were kept before are filled at once, with what was durable
//   already, or with an error.
// - releases_ is in commit order, and events of a write stand before its answer, because match() runs inside write().
// - A read's place is kept at once, while releases_ waits for the commit. So a read that comes behind something held
//   for the same conversation (held_in), or behind a write of its namespace, waits for the next group (must_wait).
// - A handler looks at Step::here().is_over() before it changes anything that can't be undone, and puts the rest
//   under a Step::Whole. Else a request that is done again elsewhere would have happened twice.
#include "db/shard/shard.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "db/base/mail_batch.h"
#include "db/model/hash.h"
#include "db/model/namespace_name.h"
#include "db/model/select.h"
#include "db/read/reads.h"

namespace hearth::db {
namespace {

// Whether this is the last item of a listener or a conversation. It is told even when the commit failed, because the
// listener or the conversation is gone in any case.
bool is_last(const Item& item) {
  if (const auto* event = std::get_if<Event>(&item)) return event->kind == Event::Kind::Revoked;
  return std::holds_alternative<Ended>(item);
}

}  // namespace

NamespaceState::NamespaceState(std::string name, uint32_t number, bool named, std::shared_ptr<Shard> at,
                               ListenerRegistry::Count& counted, std::shared_ptr<Gauge> kept_bytes_of_all)
    : home(std::move(at)), shard(*home), registry(counted), rows(counted), kept(std::move(kept_bytes_of_all)) {
  tree.name = std::move(name);
  tree.number = number;
  tree.named = named;
}
NamespaceState::~NamespaceState() { kept->add(-static_cast<int64_t>(kept_bytes)); }

Shard::Shard(Dependencies dependencies, std::span<const std::shared_ptr<Shard>> heavy)
    : with_(std::move(dependencies)),
      heavy_(heavy.begin(), heavy.end()),
      committer_(
          with_.store, with_.durability, with_.quota,
          [this](const std::function<void()>& job) {
            with_.scans.run({{}, [job](Turn&) { job(); }, [](const Error&) {}});
          },
          &with_.clock_steps, heavy.empty() ? 0 : with_.leaf_cache_bytes_max, with_.history, with_.answers_bytes_max,
          with_.logs),
      resume_points_(with_.resume_bytes_max) {
  committer_.limit_ephemeral([memory = with_.memory](uint64_t bytes) -> Result<void> {
    const uint64_t most = memory->limits.space_ephemeral_bytes_max;
    if (bytes <= most) return {};
    return memory->refuse(MemoryLimit::EphemeralSize, "What is ephemeral in this namespace", bytes, most);
  });
  counted_.registered.in_all = &with_.memory->listeners;
  thread_ = std::thread([this] { work(); });
}

Shard::~Shard() = default;

void Shard::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  more_.notify_one();
  thread_.join();
}

// Indexes follow what the settings ask for a step at a time, among the requests of others.
void Shard::maintain(const std::shared_ptr<NamespaceState>& space) {
  const Tree& tree = space->tree;
  if (!tree.named || !tree.loaded) return;
  index_watch_.look(tree.name, tree.number, *tree.plan, with_.store.on_notice(),
                    [&](const Index& index) { return count_in(*committer_.durable(), tree.number, index); });
  if (tree.head.has_documents && !space->mirrors_known && !std::exchange(space->mirrors_asked, true)) {
    space->shard.submit({.space = space, .what = MirrorsRequest{}});
  }
  if (space->is_maintained) return;
  if (tree.is_reconciled && !tree.plan->is_building()) return;
  space->is_maintained = true;
  space->shard.submit({.space = space, .what = MaintainRequest{}});  // when it is closing, a start goes on with it
}

void Shard::release(bool durable, const Error& error) {
  if (durable) {
    for (const auto& [name, number] : named_) with_.on_named(name, number);
  }
  named_.clear();
  std::vector<Outgoing> releases;
  releases.swap(releases_);
  uint64_t events = 0, revocations = 0;
  std::vector<std::shared_ptr<Conversation>> told;  // and wait to be woken
  // Answers to requests by themselves leave behind the events of their group, so that an app which listens and writes by
  // two connections hears of its write first. What one io thread is told leaves as one message.
  const MailBatch batch;
  std::vector<Outgoing*> answers;
  for (Outgoing& release : releases) {
    if (!durable) {
      // Clients take an answer for the last word: who hears the end instead asks again, where the shard is now.
      const std::shared_ptr<Conversation>& whose = release.conversation;
      if (whose != nullptr && !is_last(release.item)) {
        if (whose->space->shard.is_over()) continue;
        if (is_heavy() && with_.logs != nullptr && with_.store.health().ok()) {  // the log of another guest was lost
          whose->story.end(error);
          whose->space->shard.submit({.space = whose->space, .conversation = whose, .what = EndRequest{}});
          continue;
        }
      }
      if (auto* answer = std::get_if<Answer>(&release.item)) {
        const uint64_t request = answer->request;
        *answer = Answer();
        answer->request = request;
        answer->status = error;
      } else if (!is_last(release.item)) {
        continue;  // an event of what did not happen
      }
    }
    if (const auto* event = std::get_if<Event>(&release.item)) {
      ++events;
      if (event->kind == Event::Kind::Revoked) ++revocations;
    } else if (std::holds_alternative<RowEvent>(release.item) || std::holds_alternative<TopicEvent>(release.item)) {
      ++events;
    }
    if (release.done != nullptr) {
      answers.push_back(&release);
      continue;
    }
    bool wants_wake = false;
    if (!release.conversation->story.append(std::move(release.item), wants_wake)) {
      counted_.slow_listeners.add();
      // The story has ended itself; the shard ends the rest of the conversation in its turn.
      const std::shared_ptr<NamespaceState>& space = release.conversation->space;
      space->shard.submit({.space = space, .conversation = release.conversation, .what = EndRequest{}});
    }
    if (wants_wake) told.push_back(std::move(release.conversation));
  }
  wake_told(std::move(told));
  for (Outgoing* answer : answers) answer->done(std::get<Answer>(std::move(answer->item)));
  if (events > 0) counted_.events.add(events);
  if (revocations > 0) counted_.revocations.add(revocations);
}

void Shard::tell(const std::shared_ptr<Conversation>& conversation, Item item) {
  conversation->held_in = group_;
  releases_.push_back({conversation, std::move(item), nullptr});
}

void Shard::answer(const ShardRequest& request, Answer answer) {
  answer.request = request.id;
  if (request.conversation != nullptr) return tell(request.conversation, std::move(answer));
  if (request.done != nullptr) releases_.push_back({nullptr, std::move(answer), request.done});
}

void Shard::handle(ShardRequest& request) {
  if (request.conversation != nullptr && request.conversation->ended) return;
  if (request.space->shard.is_over()) return refuse_over(request);
  if (request.space->is_removed) return refuse_removed(request);
  std::visit([&](auto& what) { handle(request, what); }, request.what);
}

Result<void> Shard::note_change(NamespaceState& space, const Accepted& accepted, const Difference& difference,
                                const TreeView& before, const TreeView& after) {
  // Rows first: they are only looked at, so that all of this can still be given up when the step is over.
  ASSIGN_OR_RETURN(std::vector<RowNotification> rows,
                   space.rows.match(difference, accepted.record.sequence, before, after));
  ASSIGN_OR_RETURN(const std::vector<Notification> told, match(space.registry, difference, before, after));
  // Those of one table stand behind each other; what becomes of them is decided once.
  const RowChange* decided = nullptr;
  bool are_withheld = false;
  for (RowNotification& one : rows) {
    auto conversation = std::static_pointer_cast<Conversation>(one.subscription->audience);
    const RowChange* change = one.event.change.get();
    if (change == nullptr) {  // it reads anew, and shall not hear of what was before
      for (auto& [table, throttled] : space.row_throttles)
        throttled.withheld.forget({conversation, one.event.listener});
    } else if (decided == nullptr || decided->table != change->table) {
      are_withheld = withhold_rows(space, change->table);
      decided = change;
    }
    if (change != nullptr && are_withheld) {
      keep_rows(space, {std::move(conversation), one.event.listener}, one.event, one.subscription->what.bindings);
      continue;
    }
    tell(conversation, std::move(one.event));
  }
  // Those of one place stand behind each other; what is told them is decided once.
  const Subscription* asked = nullptr;
  const Body* asked_of = nullptr;
  bool is_withheld = false;
  const auto withholds = [&](const Subscription& subscription, const Body& body) {
    const auto& paths = space.tree.expiry.plan->paths;
    if (paths == nullptr || !paths->has_throttle()) return false;
    const bool is_same = asked != nullptr && asked_of == &body && asked->view() == subscription.view() &&
                         *asked->path == *subscription.path;
    if (!is_same) is_withheld = withhold(space, subscription, body);
    asked = &subscription;
    asked_of = &body;
    if (is_withheld) counted_.events_withheld.add();
    return is_withheld;
  };
  // A place in a topic goes with its right to be there, and takes the right to speak along: that one is lost before.
  std::vector<const Notification*> leaving;
  for (const Notification& one : told) {
    const auto conversation = std::static_pointer_cast<Conversation>(one.subscription->audience);
    if (one.subscription->purpose == Subscription::For::Speaking) {
      lose_right(space, conversation, one);
      continue;
    }
    if (one.subscription->purpose != Subscription::For::Listener) {
      leaving.push_back(&one);
      continue;
    }
    Event event;
    event.listener = one.subscription->id;
    event.sequence = accepted.record.sequence;
    event.body = one.body;
    if (const View* view = one.subscription->view(); view != nullptr) space.view_firsts.erase(view->number);
    if (!one.revoked && withholds(*one.subscription, *one.body)) continue;
    if (one.revoked) {
      event.kind = Event::Kind::Revoked;
      event.error = one.revoked;
      conversation->subscriptions.erase(event.listener);
    }
    tell(conversation, std::move(event));
  }
  for (const Notification* one : leaving) {
    lose_right(space, std::static_pointer_cast<Conversation>(one->subscription->audience), *one);
  }
  for (const Overwrite& changed : accepted.changed) forget_related(space.firsts, changed.path);
  if (!accepted.is_ephemeral) remember_missed(space, accepted);
  return {};
}

Result<void> Shard::check(NamespaceState& space, Subscription& subscription) {
  RETURN_IF_ERROR(committer_.load(space.tree));
  const Settings& settings = committer_.settings(space.tree);
  const Times now = Times::after(space.tree.head.time, with_.clock.now());
  return space.registry.check(subscription, {committer_.view(space.tree), now, settings});
}

Committer::Tell Shard::teller(NamespaceState& space, bool merge, const Path& base) {
  return [this, &space, merge, &base](const Accepted& accepted, const TreeView& before, const TreeView& after,
                                      const Settings& settings) {
    const Difference difference{.changed = accepted.changed,
                                .merge = merge,
                                .base = base,
                                .has_priorities = space.tree.head.has_priorities,
                                .now = {accepted.record.time, accepted.wall},
                                .settings = settings,
                                .configures = accepted.configures};
    Result<void> noted = note_change(space, accepted, difference, before, after);
    if (!noted.ok()) unmatched_ = noted.error();
    return noted;
  };
}

void Shard::handle(ShardRequest& request, WriteRequest& what) {
  NamespaceState& space = *request.space;
  const Write& write = what.write;
  Answer reply;
  if (request.bytes > kWriteBytesMax) {
    reply.status = Error{ErrorCode::TooLarge,
                         "Data to write exceeds the maximum size that can be modified with a single request."};
    count(reply.status);
    return answer(request, std::move(reply));
  }
  if (write.only_existing && !space.tree.named) {
    reply.status = no_such_namespace();
    count(reply.status);
    return answer(request, std::move(reply));
  }
  if (const Result<void> held = take_hold(request, what.write); !held.ok()) {
    if (Step::here().is_over()) return;
    reply.status = held.error();
    count(reply.status);
    return answer(request, std::move(reply));
  }
  if (write.once != nullptr && is_answered_before(request, write)) return;
  // With a full disk removals are still taken: they are the way out.
  const bool adds = !write.settings.empty() || std::any_of(write.overwrites.begin(), write.overwrites.end(),
                                                           [](const Overwrite& one) { return !one.value.is_null(); });
  if (adds) {
    if (const Result<void> room = with_.store.room(); !room.ok()) {
      reply.status = room.error();
      count(reply.status);
      counted_.writes_without_room.add();
      return answer(request, std::move(reply));
    }
  }
  if (adds && std::exchange(space.waits_for_room, false)) space.is_maintained = false;  // there is room again
  const bool was_named = space.tree.named;
  // Everything behind this mark belongs to this write, and goes with it.
  const size_t told = releases_.size();
  // The listeners are matched in here (teller), while the trees before and after exist.
  Result<Accepted> accepted =
      committer_.write(space.tree, write, with_.clock.now(), teller(space, write.merge, write.base));
  if (Step::here().is_over()) return;
  if (!accepted.ok()) {
    reply.status = accepted.error();
    if (write.wants_value && accepted.error().code == ErrorCode::Stale) {
      // A refusal names what it found.
      Result<Value> value = committer_.view(space.tree).read(write.base, kReadBytesMax);
      if (Step::here().is_over()) return;
      if (value.ok()) {
        reply.value = std::move(value).value();
        reply.hash = exact_hash(reply.value);
      } else {
        reply.status = value.error();  // not "stale, and nothing stands there"
      }
    }
    releases_.resize(told);  // whatever was noted before it failed
    end_listeners_if_unmatched(space);
    note_contest(request, what, reply.status);
    count(reply.status);
    return answer_write(request, write, std::move(reply));
  }
  const Step::Whole whole;
  // From here on the write is part of the group.

  if (write.holder != 0) keep_hold(space, write);

  if (space.tree.head.has_documents) end_removed_documents(space, accepted.value().record);
  if (accepted.value().configures) space.mirrors_known = space.mirrors_asked = false;  // its plan may be another
  accepted_.push_back(request.submitted);
  reply.sequence = accepted.value().record.sequence;
  reply.time = accepted.value().record.time;
  note_contest(request, what, reply.status);
  count(reply.status);
  if (write.wants_value) {
    const TreeView& view = committer_.view(space.tree);
    const Times now{reply.time, with_.clock.now()};
    const bool is_shown =
        write.shows == nullptr || write.shows->check({view, now, committer_.settings(space.tree)}).ok();
    Result<Value> value = is_shown ? read_written(view, write) : Value();
    if (value.ok()) reply.value = std::move(value).value();
  }
  if (write.once != nullptr) keep_answer(space, write, reply);
  if (!was_named && space.tree.named) named_.emplace_back(space.tree.name, space.tree.number);
  answer_write(request, write, std::move(reply));
}

void Shard::handle(ShardRequest& request, ReadRequest& what) {
  invariant(request.conversation != nullptr, "reads by themselves do not come through the shard");
  const uint64_t place = request.conversation->story.keep_place();
  what.read.client = request.conversation->payer().client;
  what.read.is_unwanted = [conversation = request.conversation] { return conversation->is_gone.load(); };
  run_read(with_.readers, with_.read_times, with_.answers, std::move(what.read),
           committer_.readable(request.space->tree), request.space->tree.number, with_.clock.now(),
           [conversation = request.conversation, place, id = request.id](Answer answer) {
             answer.request = id;
             conversation->story.fill(place, std::move(answer));
           });
}

// `asks`: the conversation that asks first, and whose share of the turns is used; others may wait for the same value.
void Shard::read_first(const std::shared_ptr<FirstValue>& first, const NamespaceState& space, const Conversation& asks,
                       std::shared_ptr<const FirstValue::Earlier> earlier) {
  FairPool::Job job;
  job.payer = asks.payer();
  job.is_unwanted = [first] { return first->is_unwanted(); };
  job.refuse = [first](const Error& error) { first->fail(error); };
  job.run = [first, snapshot = committer_.readable(space.tree), number = space.tree.number,
             earlier = std::move(earlier)](Turn& turn) {
    const SnapshotView whole(snapshot, number);
    first->read(TurnView(whole, turn), &turn, earlier.get());
  };
  with_.readers.run(std::move(job));
}

void Shard::handle(ShardRequest& request, ListenRequest& what) {
  const std::shared_ptr<Conversation>& conversation = request.conversation;
  NamespaceState& space = *request.space;
  Listen& listen = what.listen;
  if (const Result<void> loaded = committer_.load(space.tree); !loaded.ok()) {
    return answer(request, {.status = loaded});
  }
  auto subscription = std::make_unique<Subscription>();
  subscription->audience = conversation;
  subscription->id = what.listener;
  subscription->path = listen.path;
  subscription->check = listen.check;
  subscription->bytes_beside = listen.bytes_beside;
  if (listen.query && listen.query->is_filtered()) subscription->query = listen.query;
  if (const Result<void> room = room_to_listen(space, *conversation, *subscription); !room.ok()) {
    return answer(request, {.status = room});
  }
  const Result<void> allowed = check(space, *subscription);
  if (Step::here().is_over())
    return space.registry.remove(*subscription);  // it may have noted what the check looked at
  if (!allowed.ok()) return answer(request, {.status = allowed});
  // Added before the first value is read: no later commit can slip through between the two.
  Subscription& added = *subscription;
  const ListenerRegistry::Added how = space.registry.add(added);
  auto& kept = conversation->subscriptions[what.listener];
  if (kept != nullptr) space.registry.remove(*kept);
  kept = std::move(subscription);
  if ((listen.wants_ids || listen.resume) && !listen.query && !space.missed_known) {
    space.had_streams = true;
    space.missed_known = true;
    space.missed_from = space.tree.head.sequence;
  }
  // From here on every later commit is told, behind the place that is kept for the first value.

  if (added.query) return first_of_view(request, listen, added, how);
  if (listen.is_awaiting && withhold_first(space, request, added)) return;
  // What comes and goes in memory has no sequence, and nobody knows afterwards what it was.
  const PathPlan* paths = space.tree.ephemeral_paths();
  const bool is_partly_ephemeral = paths != nullptr && paths->touches_ephemeral(listen.path);
  if (listen.resume && !is_partly_ephemeral) {
    if (auto missed = missed_since(space, listen)) return resume(request, listen, std::move(*missed));
  }
  const bool wants_hash = listen.hash && !listen.hash->empty();
  const uint64_t sequence = space.tree.head.sequence;
  const bool has_points = space.tree.log.state && !is_partly_ephemeral;
  if (wants_hash && has_points) {
    // What changed since is told where the log has it; nothing, where nothing did.
    if (const auto since = known_hash(space, listen.path, *listen.hash)) {
      return resume(request, listen, Missed{{}, *since});
    }
  }
  if (wants_hash) {
    const auto known = space.tree.hashes.find(listen.path->text());
    // The hash is remembered for transactions: the client has the value, and nothing is read at all.
    if (known != space.tree.hashes.end() && known->second == *listen.hash) {
      return answer(request, {.sequence = sequence, .hash = known->second});
    }
  }
  FirstValue::Waiter waiter{conversation, conversation->story.keep_place(), request.id, listen.hash};
  std::shared_ptr<FirstValue>& first = space.firsts[listen.path->text()];
  auto earlier = wants_hash && has_points ? look_back(request.space, listen.path) : nullptr;
  if (first != nullptr) {
    const auto hashes = first->hashes();
    if (wants_hash && hashes) {
      remember_hash(space.tree, listen.path->text(), hashes->exact);  // transactions ask for it too
      if (has_points) {
        resume_points_.add(space.tree.number, listen.path->text(), *hashes, {sequence, with_.store.life_index()});
      }
    }
    const bool is_known = hashes && wants_hash && hashes->contain(*listen.hash);
    if ((earlier == nullptr || is_known || first->looks_back()) && first->wait(waiter)) return;
  }
  first = std::make_shared<FirstValue>(
      listen.path, [path = listen.path](const TreeView& view) { return view.read(path, kReadBytesMax); }, wants_hash,
      sequence, first == nullptr ? std::nullopt : first->hashes(), with_.first_values, with_.answers, space.kept,
      earlier != nullptr);
  first->wait(waiter);
  large_values_.add(first);
  read_first(first, space, *conversation, std::move(earlier));
  if (space.firsts.size() > kFirstValuesMax) {
    // All but this one: when there are too many, hashes are kept and values go.
    std::erase_if(space.firsts, [&, own = listen.path->text()](const auto& entry) {
      if (entry.first == own) return false;
      if (const auto hashes = entry.second->hashes()) remember_hash(space.tree, entry.first, hashes->exact);
      return true;
    });
  }
}

void Shard::handle(ShardRequest& request, UnlistenRequest& what) {
  if (OtherListeners* others = request.conversation->others.get()) {
    const auto topic = others->topics.find(what.listener);
    if (topic != others->topics.end()) Step::here().foresee({topic->second->topic->members.size(), 0, 0});
    if (Step::here().is_over()) return;
    leave(*request.space, *request.conversation, what.listener);
  }
  auto& subscriptions = request.conversation->subscriptions;
  if (const auto found = subscriptions.find(what.listener); found != subscriptions.end()) {
    request.space->registry.remove(*found->value);
    subscriptions.erase(found);
  }
  answer(request, {});
}

void Shard::handle(ShardRequest& request, RecheckRequest& what) {
  auto& subscriptions = request.conversation->subscriptions;
  const auto found = subscriptions.find(what.listener);
  if (found == subscriptions.end()) return;
  Subscription& subscription = *found->value;
  subscription.check = what.check;
  NamespaceState& space = *request.space;
  const Result<void> verdict = check(space, subscription);
  if (verdict.ok() || Step::here().is_over()) return;
  space.registry.remove(subscription);
  Event event;
  event.kind = Event::Kind::Revoked;
  event.listener = what.listener;
  event.sequence = space.tree.head.sequence;
  event.error = verdict.error();
  subscriptions.erase(found);
  tell(request.conversation, std::move(event));
}

void Shard::handle(ShardRequest& request, ReplyRequest& what) { answer(request, {.status = what.status}); }

void Shard::handle(ShardRequest& request, BeginRequest& what) {
  NamespaceState& space = *request.space;
  if (const auto old = space.sessions.find(std::string_view(what.replaces)); old != space.sessions.end()) {
    if (const auto conversation = old->second.lock(); conversation != nullptr) {
      if (unlisten_some(*conversation)) return;
      tell(conversation, Ended{{ErrorCode::Unavailable, "Another connection has taken the session over."}});
      end(conversation);
    }
  }
  end_orphan(request.space, what.replaces);
  space.sessions[request.conversation->id] = request.conversation;
  counted_.sessions.add();
}

void Shard::handle(ShardRequest& request, LabelRequest& what) {
  request.conversation->label =
      what.label.empty() ? nullptr : std::make_unique<const std::string>(std::move(what.label));
}

void Shard::handle(ShardRequest& request, EndLabelledRequest& what) {
  std::vector<std::shared_ptr<Conversation>> found;
  for (const auto& [id, one] : request.space->sessions) {
    auto conversation = one.lock();
    if (conversation != nullptr && conversation->label != nullptr && *conversation->label == what.label) {
      found.push_back(std::move(conversation));
    }
  }
  // Some of them, and the others with another step.
  const Step::Whole whole;
  size_t unlistened = 0;
  for (const auto& conversation : found) {
    unlistened += 1 + std::min(conversation->subscriptions.size(), kUnlistensPerStep);
    if (!unlisten_some(*conversation)) {
      end_told({conversation}, what.reason);
      ++what.ended;
    }
    if (unlistened >= kUnlistensPerStep) break;
  }
  again_ = !found.empty();
  if (again_) return;
  Answer reply;
  reply.value = Value::integer(what.ended);
  answer(request, std::move(reply));
}

void Shard::end_told(const std::vector<std::shared_ptr<Conversation>>& conversations, const Error& reason) {
  for (const auto& conversation : conversations) {
    tell(conversation, Ended{reason});
    end(conversation);
  }
}

void Shard::handle(ShardRequest& request, CreateRequest&) {
  const bool was_named = request.space->tree.named;
  committer_.name(request.space->tree);
  if (!was_named) named_.emplace_back(request.space->tree.name, request.space->tree.number);
  answer(request, {});
}

void Shard::handle(ShardRequest& request, MaintainRequest&) {
  const Step::Whole whole;
  NamespaceState& space = *request.space;
  Tree& tree = space.tree;
  space.is_maintained = true;  // if something fails, until a restart: nothing but speed depends on it
  if (!committer_.load(tree).ok()) return;
  Effect next{.kind = Effect::Kind::BuildIndex, .value = Value::integer(kBuildChildren)};
  if (!tree.is_reconciled) {
    const auto wanted = wanted_indexes(committer_.settings(tree), with_.indexes);
    if (!wanted.ok()) return;
    tree.is_reconciled = is_current(*tree.plan, wanted.value());
    if (!tree.is_reconciled)
      next = {.kind = Effect::Kind::Reindex, .value = Value::string(indexes_text(wanted.value()))};
  }
  if (tree.is_reconciled && !tree.plan->is_building()) {
    space.is_maintained = false;
    return;
  }
  if (!with_.store.room().ok()) {
    space.waits_for_room = true;
    return;
  }
  if (!committer_.derive(tree, next).ok()) return;
  tree.is_reconciled = true;
  space.is_maintained = false;
}

}  // namespace hearth::db
