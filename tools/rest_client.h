// REST requests to a running server, http or https, by libcurl: for commands. Thread: one.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::tools {

std::string env(const char* name);  // a variable of the environment; "": it is not set
// The server of commands without --url: HEARTH_URL, or else a server on this machine.
std::string usual_url();
// A credential: `given`; or else, for a server on this machine only, the admin secret in its data folder; or else
// `owner`, which development believes.
std::string usual_token(const std::string& given, const std::string& folder, std::string_view url);

// The server of a request, and as whom to ask it.
struct Target {
  std::string url = usual_url();
  std::string space{};                      // the namespace; "": the server's default one
  std::string token = env("HEARTH_TOKEN");  // "": usual_token() of
  std::string data = "hearth-data";         // this folder
};

struct RestRequest {
  std::string method = "GET";
  std::string path;                                          // "/a/b", decoded; ".json" is added, but to what has it
  std::vector<std::pair<std::string, std::string>> query{};  // decoded
  std::vector<std::string> fields{};                         // "Accept: text/event-stream"
  std::string body{};
  std::string body_file{};  // sent instead, as it is read
};

struct RestReply {
  long status = 0;
  std::string body;  // of an answer that was not given to `take`
};

// Called with each piece of a 2xx answer's body, as it comes. Returning false ends the transfer.
using TakeBytes = std::function<bool(std::string_view bytes)>;

// Throws std::runtime_error when there is no whole answer, saying what to do. With `take`, the body of a 2xx goes there.
RestReply ask(const Target& target, const RestRequest& request, const TakeBytes& take = nullptr);

// Makes the request and returns the body. Throws unless the answer is 2xx.
std::string ask_ok(const Target& target, const RestRequest& request, const TakeBytes& take = nullptr);

// "/a/b/" and "a/b" are "/a/b"; "" is "/".
std::string path_of(std::string_view text);
std::string percent_encoded(std::string_view text, std::string_view kept = "");

}  // namespace hearth::tools
