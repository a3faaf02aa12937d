// What long polling answers: scripts that call the client's functions (net/wire/protocol.md §10.2). Pure.
//
//   start  := two functions, that pass on to the window that made the client's frame ; command("start",id,password) ; data(0)
//   poll   := data(number)                 data(number) := pRTLPCB(number,[message,…]);
//   close  := pLPCommand('close'[,number])
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "db/model/event.h"
#include "net/http/request.h"
#include "net/wire/session.h"

namespace hearth::net::wire {

// A message as it stands in a script: JSON, with what would end a script or its line escaped.
std::string script_text(std::string json);
db::SharedBytes script_bytes(const Outgoing& message, db::Counter* made = nullptr);

std::string start_script(std::string_view callback, std::string_view id, std::string_view password);
// What stands before the messages of a response, and behind them.
std::string data_script_start(uint64_t number);
inline constexpr std::string_view kDataScriptEnd = "]);";
std::string close_script();                      // at once
std::string close_script(uint64_t last_number);  // once that response has been processed

// A page for a hidden frame: when it goes, so has the client. Both are safe in a URL.
std::string leaving_page(std::string_view id, std::string_view password);

// 200 with that script, which nobody keeps.
http::Response script_reply(std::string script);
http::Response page_reply(std::string page);

}  // namespace hearth::net::wire
