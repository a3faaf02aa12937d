// The log: what happened, then fields whose names scripts can rely on. One line each, on standard error.
//
//   text := time " " level " " message ( " " key "=" value )* [ LF detail ]     a value with blanks is a JSON string
//   json := {"ts":time,"level":level,"msg":message,key:value…[,"detail":text]}
//
// `connection` (Request::connection) is in every line about a connection. Never in a line: a credential or a part of
// one, the name of a session (it is a capability), data, a target with its query.
//
// Until start_log or log_to is called nothing is logged: a program that has a server within asks for what it wants.
//
// Thread: any.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace hearth::net::http {

enum class LogLevel : uint8_t { Trace, Debug, Info, Warn, Error, Off };
// Journal: text, with its level in front and no time: the journal has one (sd-daemon(3)).
enum class LogFormat : uint8_t { Text, Json, Journal };

// Lives for the call.
struct LogField {
  template <std::convertible_to<std::string_view> Text>
  LogField(std::string_view name, const Text& text) : key(name), value(std::string_view(text)) {}
  template <std::integral Number>
  LogField(std::string_view name, Number number) : key(name), value(static_cast<int64_t>(number)) {}

  std::string_view key;
  std::variant<std::string_view, int64_t> value;
};
using LogFields = std::initializer_list<LogField>;

// Lines of at least that level go to standard error from here on.
void start_log(LogLevel level, LogFormat format);
// Lines go to `sink` instead, which several threads may call at once. Null: nothing is logged.
using LogSink = std::function<void(LogLevel level, std::string_view line)>;
void log_to(LogLevel level, LogSink sink);

bool logs(LogLevel level);  // whether a line of it goes anywhere
void log(LogLevel level, std::string_view message, LogFields fields = {}, std::string_view detail = {});

// Logs what may happen many times a second: a line of each `kind` at most once in kSeldomTime, with the number of
// times since the line before as `count`. Kinds are few, and named by the program.
void log_seldom(LogLevel level, std::string_view kind, std::string_view message, LogFields fields = {});

inline constexpr std::chrono::seconds kSeldomTime{10};
inline constexpr std::chrono::seconds kSlowRequestTime{1};  // requests that take longer are logged

// The line without time and level. Pure.
std::string log_text(LogFormat format, std::string_view message, LogFields fields, std::string_view detail);

}  // namespace hearth::net::http
