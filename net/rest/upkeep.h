// What admins do with a server over HTTP: the requests of `hearth dump`, restore, namespace, stats and compact.
//
//   PUT    /.settings/namespace.json?ns=NAME                       → {"created":true}; false: there is one already
//   DELETE /.settings/namespace.json?ns=NAME                       → {"status":"ok"}; 404: there is none
//   GET    /.inspect/stats.json?ns=NAME&path=PATH                  → db/model/stats.h
//   POST   /.settings/compact.json                                 → {"bytesBefore":…,"bytesAfter":…}, when it is done
//
//   GET  /.settings/dump?ns=NAME&path=PATH&format=native|json      → the file, in pieces; without ns all namespaces
//   POST /.settings/dump?ns=NAME   {"since":{"id":ID,"made":MS,"positions":{NAME:"LIFE:SEQUENCE",…}}}   → an incremental one
//        …&name=NAME: then GET /.settings/dump.json?name=NAME says how far it is → {"part":0.42}; 404: none is under way
//   POST /.settings/restore.json                                   → {"upload":"ID"}
//   PUT  /.settings/restore.json?upload=ID&at=BYTES                the next piece of the file, which goes on at that byte
//   POST /.settings/restore.json?upload=ID&ns=NAME&into=PATH&replace=true
//                                     → {"restored":[{"ns":…,"path":…,"leaves":…,"digest":…}]}, when it is done
//
// For admins. A file of any size comes in pieces below the limit of bodies, so nothing here holds more than one. Home thread.
#pragma once

#include <memory>

#include "net/http/exchange.h"
#include "net/rest/event_stream.h"
#include "net/rest/request.h"
#include "rules/auth.h"

namespace hearth::net::rest {

void serve_namespace(const Surroundings& with, const std::shared_ptr<http::Exchange>& exchange, Method method,
                     const rules::Auth& auth);
void serve_stats(const Surroundings& with, const std::shared_ptr<http::Exchange>& exchange, const rules::Auth& auth);
void serve_compact(const Surroundings& with, const std::shared_ptr<http::Exchange>& exchange, const rules::Auth& auth);
void serve_dump(const Surroundings& with, const std::shared_ptr<http::Exchange>& exchange, const rules::Auth& auth);
void tell_dump_part(const Surroundings& with, const std::shared_ptr<http::Exchange>& exchange, const rules::Auth& auth);
void serve_restore(const Surroundings& with, const std::shared_ptr<http::Exchange>& exchange, Method method,
                   const rules::Auth& auth);

}  // namespace hearth::net::rest
