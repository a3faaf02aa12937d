// A folder, opened, guarded and served: the wiring of the program, top to bottom.
//
//   flags ─▶ auth config ─▶ folder ─▶ rules, admin secret ─▶ Database ─▶ Guard ─▶ namespaces, their rules ─▶ Server
//
// What a user can get wrong (files, names, rules) is checked before the database is opened and a port is bound. From
// the database on, each part holds references to the one before, so they are built in this order and stop() takes
// them apart in the reverse one.
//
// What the layers below notice (denials, clock steps, the disk) they tell by callbacks, and here it becomes log
// lines. What may happen often is told seldom, with the number of times that were left out (Repeats).
#include "tools/service.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <future>
#include <map>
#include <stdexcept>
#include <thread>

#include "net/io/log.h"
#include "net/io/repeats.h"
#include "rules/warnings.h"
#include "tools/console_files.h"
#include "tools/descriptors.h"
#include "tools/notify.h"
#include "tools/or_throw.h"
#include "tools/rules_file.h"
#include "tools/secret.h"

namespace hearth::tools {

using net::http::log;
using net::http::LogLevel;

namespace {

// Makes the data folder, for its owner alone. Throws when that fails; main prints why.
void make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::path path(folder);
  if (!path.has_filename()) path = path.parent_path();  // "data/" is "data"
  // Those above it are made as other programs make them.
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (mkdir(path.c_str(), S_IRWXU) == 0) return;
  std::filesystem::create_directories(folder, error);
  if (error || !std::filesystem::is_directory(folder, error)) {
    throw std::runtime_error(fmt::format("cannot use the data folder {}: {}", folder,
                                         error ? error.message() : std::string("it is not a folder")));
  }
}

constexpr std::chrono::seconds kDenialInterval{1};  // between two log lines of one kind of denial

// Two denials are of one kind when the same rule of the same namespace was evaluated last.
std::string denial_key(std::string_view space, const rules::Explanation& why) {
  if (why.rules.empty()) return fmt::format("{} {}", space, why.reason);
  const rules::Explanation::Evaluated& last = why.rules.back();
  return fmt::format("{} {} {}", space, static_cast<int>(last.kind), last.pattern);
}

constexpr std::chrono::seconds kNoticeInterval{10};  // between two log lines of one kind, where it may come often

// Writes what the database notices into the log: each kind once in a while, with the number of times that were left
// out.
class NoticeLog {
 public:
  void operator()(const db::Notice& notice) const {
    using Kind = db::Notice::Kind;
    const auto tell = [this](LogLevel level, const char* key, std::string_view message, std::string_view what) {
      const auto untold = limit_->tell(key);
      if (untold) log(level, message, {{"what", what}, {"times_before", *untold}});
    };
    switch (notice.kind) {
      case Kind::StoreBroken:
        return tell(LogLevel::Error, "broken", "the store is broken; restart to write again", notice.what);
      case Kind::DiskShort:
        return log(LogLevel::Error, "the disk has only its reserve left; what adds something is refused",
                   {{"what", notice.what}});
      case Kind::DiskRoom:
        return log(LogLevel::Info, "the disk has room again", {{"what", notice.what}});
      case Kind::WritesHeldUp:
        return tell(LogLevel::Warn, "held up", "writes are held up, for the disk does not keep up", notice.what);
      case Kind::WritesGoOn:
        return tell(LogLevel::Info, "go on", "writes go on", fmt::format("after {} ms", notice.time.count()));
      case Kind::IndexBegun:
        return log(LogLevel::Info, "index is being built",
                   {{"ns", notice.space}, {"at", notice.what}, {"by", notice.by}});
      case Kind::ExpiredStays:
        return tell(LogLevel::Warn, "expired stays",
                    "a child that is older than its .ttl stays, for it can't be removed", notice.space + notice.what);
      case Kind::IndexBuilt:
        if (!notice.children) {
          return log(LogLevel::Info, "index built",
                     {{"ns", notice.space}, {"at", notice.what}, {"by", notice.by}, {"ms", notice.time.count()}});
        }
        return log(LogLevel::Info, "index built",
                   {{"ns", notice.space},
                    {"at", notice.what},
                    {"by", notice.by},
                    {"children", *notice.children},
                    {"ms", notice.time.count()}});
    }
  }

 private:
  std::shared_ptr<net::http::Repeats> limit_ = std::make_shared<net::http::Repeats>(kNoticeInterval);
};

// In development denials are explained in the log, once a second for each rule, and there is no admin secret: `owner`
// is one.
rules::Guard::Options guard_options(const ServeFlags& flags, const ClusterNode* cluster) {
  rules::Guard::Options options;
  options.dev = flags.dev;
  if (!flags.namespaces.empty()) {
    options.default_namespace = flags.namespaces.front();
  } else if (flags.dev) {
    options.default_namespace = "default";
  }
  if (!flags.rules.empty()) options.rules = load_rules(flags.rules);
  if (!flags.indexes.empty()) {
    options.own_indexes = read_file(flags.indexes);
    or_throw(db::parse_indexes(options.own_indexes), flags.indexes);
  }
  options.needs_indexes = !flags.allow_unindexed;
  options.activity_bytes_max = flags.activity_bytes_max;
  if (flags.dev) {
    options.on_denied = [limit = std::make_shared<net::http::Repeats>(kDenialInterval)](std::string_view space,
                                                                                        const rules::Explanation& why) {
      const auto untold = limit->tell(denial_key(space, why));
      if (!untold) return;
      const std::string text = rules::to_text(why);
      if (*untold == 0) return log(LogLevel::Warn, "denied", {{"ns", space}}, text);
      log(LogLevel::Warn, "denied", {{"ns", space}, {"more_like_it", *untold}}, text);
    };
    return options;
  }
  if (cluster != nullptr) {
    // One for all nodes: clients ask any of them.
    options.admin_secret = cluster->admin_secret();
    return options;
  }
  AdminSecret secret = or_throw(load_admin_secret(flags.data), "the admin secret");
  log(LogLevel::Info, secret.is_new ? "admin secret made" : "admin secret read", {{"file", secret.path}});
  options.admin_secret = std::move(secret.text);
  return options;
}

void log_clock_step(const db::ClockStep& step) {
  log(LogLevel::Warn,
      step.kind == db::ClockStep::Kind::StandsStill
          ? "the clock was set back: server timestamps stand still until it has caught up"
          : "the clock was ahead before, and is followed: server timestamps go back with it",
      {{"ns", step.space}, {"back_ms", step.by.count()}});
}

}  // namespace

void start_log(const std::string& level, const std::string& format) {
  using net::http::LogLevel;
  static const std::map<std::string, LogLevel> levels = {{"trace", LogLevel::Trace}, {"debug", LogLevel::Debug},
                                                         {"info", LogLevel::Info},   {"warn", LogLevel::Warn},
                                                         {"error", LogLevel::Error}, {"off", LogLevel::Off}};
  net::http::start_log(levels.at(level), format == "json"    ? net::http::LogFormat::Json
                                         : logs_to_journal() ? net::http::LogFormat::Journal
                                                             : net::http::LogFormat::Text);
}

void ignore_broken_pipes() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // likewise: a file at its size limit is an error of the write
}

Service::Service(const ServeFlags& flags) : auth_config_(flags.auth_config), certificate_(flags.tls_certificate) {
  net::Server::Options net_options;
  if (!flags.auth_config.empty()) {
    auto config = net::load_auth_config(flags.auth_config);
    if (!config.ok()) throw std::runtime_error(config.error().message);
    net_options.auth = std::move(config).value();
  }
  for (const std::string& name : flags.namespaces)
    or_throw(db::check_namespace_name(name), fmt::format("--namespace {}", name));
  make_folder(flags.data);
  if (flags.cluster.is_on()) cluster_ = std::make_unique<ClusterNode>(flags.cluster, flags.data);
  db::Database::Options options;
  options.folder = flags.data;
  options.sync = flags.sync;
  options.disconnect_grace = flags.disconnect_grace;
  options.free_bytes_min = flags.disk_reserve;
  rules::Guard::Options guard = guard_options(flags, cluster_.get());
  if (guard.rules != nullptr) options.indexes.of_rules = db::indexes_text(guard.rules->index_specs());
  options.indexes.own = guard.own_indexes;
  options.answer_bytes_max = flags.answer_bytes_max;
  options.step_rows_max = flags.step_rows_max;
  options.reads_waiting_max = flags.reads_waiting_max;
  options.reads_waiting_of_one_max = flags.reads_waiting_of_one_max;
  options.namespace_rows_max = flags.namespace_rows_max;
  options.namespace_bytes_max = flags.namespace_bytes_max;
  options.kept_answers_bytes_max = flags.kept_answers_bytes_max;
  options.on_clock_step = log_clock_step;
  options.on_notice = NoticeLog();
  options.memory = flags.memory;
  options.space_idle_time = flags.namespace_idle_time;
  options.history = flags.history;
  if (cluster_ != nullptr) cluster_->prepare(options);
  database_ = or_throw(db::Host::open(std::move(options)), fmt::format("cannot open {}", flags.data));
  guard_ = std::make_unique<rules::Guard>(*database_, std::move(guard));
  if (cluster_ != nullptr) cluster_->attach(*database_);
  // A node owns nothing yet: namespaces are made by whoever owns them (ClusterNode).
  for (const std::string& flag : cluster_ == nullptr ? flags.namespaces : std::vector<std::string>()) {
    const std::string name = or_throw(db::check_namespace_name(flag), flag);
    if (!database_->exists(name)) {
      or_throw(database_->create(name), fmt::format("cannot make the namespace {}", name));
      log(LogLevel::Info, "namespace made", {{"ns", name}, {"by", "--namespace"}});
    }
    if (flags.rules.empty()) continue;
    for (const std::string& warning : rules::warnings_of(read_file(flags.rules))) {
      log(LogLevel::Warn, "rules may not mean what they say", {{"file", flags.rules}, {"at", warning}});
    }
    // The file's rules replace the namespace's own. Else rules that somebody once set there would stay in force,
    // unseen.
    std::promise<db::Result<void>> done;
    guard_->set_rules(name, rules::Auth::admin(), read_file(flags.rules), rules::Install::Yes,
                      [&](const db::Answer& answer) { done.set_value(answer.status); });
    or_throw(done.get_future().get(), fmt::format("cannot set the rules of {}", name));
    log(LogLevel::Info, "rules set", {{"ns", name}, {"by", "--rules"}, {"file", flags.rules}});
  }
  if (!flags.dev && flags.namespaces.empty()) {
    log(LogLevel::Warn,
        database_->namespaces().empty()
            ? "there is no namespace yet, so nobody can use this server: start it with --namespace NAME, or make one "
              "with `hearth namespace create NAME`"
            : "clients that name no namespace (ns=NAME in the URL) are refused: --namespace NAME is for those");
  }
  if (cluster_ == nullptr) or_throw(guard_->load_revoked(), "cannot read who was signed out");
  if (flags.host) net_options.host = *flags.host;
  net_options.port = flags.port;
  net_options.limits = flags.limits;
  net_options.wire_limits = flags.wire_limits;
  net_options.may_deflate = flags.compress_websockets;
  size_t& connections_max = net_options.limits.connections_max;
  if (const size_t within = connections_within(descriptor_limit()); within < connections_max) {
    log(LogLevel::Info, "fewer connections than --max-connections: the hard limit of open files is low",
        {{"connections", within}, {"files", descriptor_limit()}, {"max_connections", connections_max}});
    connections_max = within;
  }
  net_options.origins = flags.origins;
  net_options.failed_logins_per_minute = flags.failed_logins_per_minute;
  net_options.verify_time_max = flags.verify_time_max;
  net_options.dev_hosts = flags.dev_hosts;
  net_options.console = &console_files();
  if (flags.metrics_port) net_options.watch = {flags.metrics_host, *flags.metrics_port};
  net_options.io_threads = flags.threads > 0 ? flags.threads : std::max(1u, std::thread::hardware_concurrency());
  net_options.tls_certificate = flags.tls_certificate;
  net_options.tls_key = flags.tls_key;
  net_options.trusted_proxies = flags.trusted_proxies;
  net_options.proxy_protocol = flags.proxy_protocol;
  net_options.webhooks = flags.webhooks;
  if (flags.proxy_protocol && flags.trusted_proxies.empty()) {
    throw std::runtime_error("--proxy-protocol needs --trusted-proxy: from whom else would the headers be believed?");
  }
  if (!flags.backup.target.empty()) {
    if (!flags.history.is_on()) {
      log(LogLevel::Warn, "--backup without --history: of a namespace that changed each backup has all");
    }
    backups_ = std::make_unique<BackupSchedule>(*guard_, flags.backup);
    net_options.backups = [backups = backups_.get()] { return backups->figures(); };
  }
  if (cluster_ != nullptr) cluster_->prepare(net_options);
  server_ = or_throw(net::Server::start(*guard_, std::move(net_options)), "cannot listen");
  if (has_certificate()) log_certificate();
  if (cluster_ == nullptr) return;
  std::vector<std::string> names;
  for (const std::string& flag : flags.namespaces) names.push_back(or_throw(db::check_namespace_name(flag), flag));
  cluster_->start(*server_, *guard_, std::move(names));
}

// SIGHUP. A certificate that cannot be loaded changes nothing, or a slip in a renewal would take a running server
// down.
void Service::reload_certificate() {
  if (certificate_.empty()) return;
  const auto reloaded = server_->reload_certificate();
  if (!reloaded.ok()) {
    log(LogLevel::Error, "certificate not reloaded; the one that was loaded before stays",
        {{"reason", reloaded.error().message}});
  } else {
    log_certificate();
  }
}

void Service::log_certificate() const {
  const std::string validity = server_->certificate_validity();
  const LogLevel level = validity.starts_with("valid") ? LogLevel::Info : LogLevel::Warn;
  log(level, "TLS certificate loaded", {{"file", certificate_}, {"is", validity}});
}

void Service::import(const std::string& space, db::Value value) {
  auto to = or_throw(database_->space(space), space);
  or_throw(to.set("", std::move(value)), fmt::format("cannot import into {}", space));
}

void Service::reload_auth() {
  if (auth_config_.empty()) return;
  auto config = net::load_auth_config(auth_config_);
  if (!config.ok()) {
    return log(LogLevel::Error, "issuers not reloaded; all stays as it was", {{"reason", config.error().message}});
  }
  server_->set_auth(std::move(config).value());
  log(LogLevel::Info, "issuers reloaded", {{"file", auth_config_}});
}

void Service::stop() {
  database_->give_up_compaction();  // else the server would wait for the client that asked for it
  if (backups_ != nullptr) backups_->stop();
  // Others own the shards, and what still comes here goes to them, before clients are let go of.
  if (cluster_ != nullptr) cluster_->give_up();
  server_->stop();
  if (cluster_ != nullptr) cluster_->close();
  // Nobody asks the guard any more. The database finishes what it has accepted, and lets go of the folder.
  database_.reset();
  cluster_.reset();
}

}  // namespace hearth::tools
