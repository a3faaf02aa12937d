// The log of the whole program. spdlog writes the lines; their form is made here.
//
// A log is a value (struct Log) behind a shared_ptr, so that start_log() and log_to() can replace it while other
// threads write: a writer holds the log it has begun with. Most calls are for levels that are not logged. They look
// at one atomic and return, before a field is formatted.
//
// Text from clients may be in any line. Everything that is not plain is written as a JSON string, and a message is
// escaped too, so that no client can begin a line of its own or colour a terminal. Bytes that are not UTF-8 become
// question marks: JSON could not hold them, and a reader of the log would stop at them.
#include "net/io/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "db/model/json.h"
#include "net/io/repeats.h"

namespace hearth::net::http {
namespace {

// Where lines go, and how. There is one for the process.
struct Log {
  LogLevel least = LogLevel::Off;
  LogFormat format = LogFormat::Text;
  std::shared_ptr<spdlog::logger> logger{};  // or
  LogSink sink{};
};
std::mutex mutex;  // Guards current.
std::shared_ptr<const Log> current = std::make_shared<const Log>();
std::atomic<LogLevel> least = LogLevel::Off;  // of current: looked at without the lock
Repeats seldom(kSeldomTime);

void use(Log log) {
  seldom.forget();  // a new log has told nothing yet
  auto next = std::make_shared<const Log>(std::move(log));
  const std::lock_guard lock(mutex);
  least = next->least;
  current.swap(next);
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::Trace:
      return spdlog::level::trace;
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warn:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
    case LogLevel::Off:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

// The journal's priorities, as syslog numbers them (sd-daemon(3)).
const char* journal_level(LogLevel level) {
  switch (level) {
    case LogLevel::Error:
      return "<3>";
    case LogLevel::Warn:
      return "<4>";
    case LogLevel::Info:
      return "<6>";
    case LogLevel::Trace:
    case LogLevel::Debug:
    case LogLevel::Off:
      return "<7>";
  }
  return "<7>";
}

bool is_plain(std::string_view text) {
  static constexpr std::string_view kMarks = "._:/@+-[]";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || kMarks.find(c) != kMarks.npos;
  });
}

void append_value(const LogField& field, LogFormat format, std::string& to) {
  if (const auto* number = std::get_if<int64_t>(&field.value)) {
    to += std::to_string(*number);
    return;
  }
  const std::string_view text = std::get<std::string_view>(field.value);
  if (format == LogFormat::Text && is_plain(text)) {
    to += text;
  } else {
    db::append_json_string_of_any(text, to);
  }
}

using Fields = std::span<const LogField>;

std::string json_text(std::string_view message, Fields fields, std::string_view detail) {
  std::string line;
  db::append_json_string_of_any(message, line);
  for (const LogField& field : fields) {
    line += ',';
    db::append_json_string_of_any(field.key, line);
    line += ':';
    append_value(field, LogFormat::Json, line);
  }
  if (!detail.empty()) {
    line += ",\"detail\":";
    db::append_json_string_of_any(detail, line);
  }
  return line;
}

std::string line_of(LogFormat format, std::string_view message, Fields fields, std::string_view detail) {
  if (format == LogFormat::Json) return json_text(message, fields, detail);
  std::string line;
  db::append_json_string_of_any(message, line);  // escapes line breaks, so that no client can begin a line
  line = line.substr(1, line.size() - 2);
  for (const LogField& field : fields) {
    line.append(" ").append(field.key).append("=");
    append_value(field, LogFormat::Text, line);
  }
  if (!detail.empty()) line.append("\n").append(detail);
  return line;
}

// The lock is held to copy a pointer, not to write: a slow disk behind standard error holds up only who logs.
void write(LogLevel level, std::string_view message, Fields fields, std::string_view detail) {
  std::shared_ptr<const Log> log;
  {
    const std::lock_guard lock(mutex);
    log = current;
  }
  std::string line = line_of(log->format, message, fields, detail);
  if (log->format == LogFormat::Journal) line.insert(0, journal_level(level));
  if (log->sink) {
    log->sink(level, line);
  } else if (log->logger != nullptr) {
    log->logger->log(level_of(level), line);
  }
}

}  // namespace

std::string log_text(LogFormat format, std::string_view message, LogFields fields, std::string_view detail) {
  return line_of(format, message, Fields(fields.begin(), fields.size()), detail);
}

void start_log(LogLevel level, LogFormat format) {
  auto logger = std::make_shared<spdlog::logger>("hearth", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  constexpr auto kUtc = spdlog::pattern_time_type::utc;
  if (format == LogFormat::Journal) {
    logger->set_pattern("%v");
  } else if (format == LogFormat::Json) {
    logger->set_pattern(R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","msg":%v})", kUtc);
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", kUtc);
  }
  logger->set_level(level_of(level));
  logger->flush_on(spdlog::level::trace);
  use({.least = level, .format = format, .logger = std::move(logger)});
}

void log_to(LogLevel level, LogSink sink) {
  if (!sink) return use({});
  use({.least = level, .sink = std::move(sink)});
}

bool logs(LogLevel level) { return level != LogLevel::Off && level >= least.load(std::memory_order_relaxed); }

void log_seldom(LogLevel level, std::string_view kind, std::string_view message, LogFields fields) {
  if (!logs(level)) return;
  const std::optional<uint64_t> untold = seldom.tell(std::string(kind));
  if (!untold) return;
  std::vector<LogField> all(fields);
  all.emplace_back("count", *untold + 1);
  write(level, message, all, {});
}

void log(LogLevel level, std::string_view message, LogFields fields, std::string_view detail) {
  if (logs(level)) write(level, message, Fields(fields.begin(), fields.size()), detail);
}

}  // namespace hearth::net::http
