// A port that speaks HTTP/1.1, and WebSocket when a request asks for it. Thread: the one that opens it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "db/base/result.h"
#include "net/http/exchange.h"
#include "net/io/listener.h"

namespace hearth::net::http {

// Accepts from here on; each whole request is handed to `handler`. `host_names`: of this machine, beside those that always are
// (origin.h). `io` has been started; it and `workers` outlive the listener. Errors: as of Listener::open, and InvalidArgument:
// a name that is none.
db::Result<std::unique_ptr<Listener>> serve(IoPool& io, db::ThreadPool& workers, const Listener::Options& options,
                                            Handler handler, const std::vector<std::string>& host_names = {});

// The same for connections that come by Listener::adopt() alone.
std::unique_ptr<Listener> serve_adopted(IoPool& io, db::ThreadPool& workers, const Listener::Options& options,
                                        Handler handler);

}  // namespace hearth::net::http
