// Bytes that are made once and sent to many. Values; thread: any.
#pragma once

#include <memory>
#include <string>

namespace hearth::net::http {

using SharedBytes = std::shared_ptr<const std::string>;

}  // namespace hearth::net::http
