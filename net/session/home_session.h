// A rules::Session at home on an io thread, as every protocol needs one: what it has to say is taken when there is word of
// it and its owner has room, and its owner is told when the credential is past its time.
//
//   shard ─▶ story ─▶ Waker ─▶ home thread: pump() ─▶ Owner::on_items         while !is_full()
//                                        timer ─────▶ Owner::on_expired
//
// The owner keeps it by shared_ptr and calls end() before it goes itself; nothing is told from then on. Who was full calls
// pump() when there is room again. Thread: the home.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/event.h"
#include "db/model/live.h"
#include "net/io/io_pool.h"
#include "net/io/waker.h"
#include "rules/guard.h"

namespace hearth::net {

class HomeSession : public std::enable_shared_from_this<HomeSession> {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual bool is_full() const = 0;                          // nothing is taken now
    virtual void on_items(std::vector<db::Item>&& items) = 0;  // may end the session
    virtual void on_expired() = 0;                             // may end the session
  };
  struct Place {
    rules::Guard& guard;
    http::IoPool& io;
    const db::Clock& clock;
    size_t thread;        // the calling one
    db::Origin origin{};  // for those who run the server
  };

  // Errors: as Guard::open. `space` as Guard::resolve gave it.
  static db::Result<std::shared_ptr<HomeSession>> open(const Place& place, const std::string& space, rules::Auth auth,
                                                       Owner& owner);
  explicit HomeSession(const Place& place, Owner& owner) : place_(place), owner_(&owner) {}
  ~HomeSession();
  HomeSession(const HomeSession&) = delete;
  HomeSession& operator=(const HomeSession&) = delete;

  rules::Session& session() { return *session_; }
  bool is_open() const { return owner_ != nullptr; }
  void set_auth(rules::Auth auth);
  void pump();
  void end();

 private:
  void watch_expiry();

  const Place place_;
  Owner* owner_;  // null after end()
  std::shared_ptr<http::Waker> waker_;
  std::unique_ptr<rules::Session> session_;
  http::Timer expiry_;
};

}  // namespace hearth::net
