// A running server, asked by an admin over HTTP or HTTPS: bodies of any size come and go in pieces. Thread: one. Everything
// throws what is wrong.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::tools {

class Remote {
 public:
  using Parameters = std::vector<std::pair<std::string, std::string>>;

  // `token` "": as a server in development wants it.
  Remote(std::string url, std::string token);

  // Passes the body on as it comes. A body that ends too early throws, too.
  void download(const std::string& path, const Parameters& parameters, const std::function<void(std::string_view)>& sink) const;
  std::string post(const std::string& path, const Parameters& parameters) const;
  void put(const std::string& path, const Parameters& parameters, std::string_view body) const;

 private:
  std::string request(const char* method, const std::string& path, const Parameters& parameters, std::string_view body,
                      const std::function<void(std::string_view)>& sink) const;

  const std::string url_;
  const std::string token_;
};

}  // namespace hearth::tools
