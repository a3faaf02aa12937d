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
//   GET  /.settings/restore.json?upload=ID                         → {"bytes":…,"part":0.42}: how much of it is restored; null:
//                                     that has not begun; 404: it is over
//   DELETE /.settings/restore.json?upload=ID                       → {"status":"ok"}: it is given up, and so is its restore
//   POST /.settings/restore.json?upload=ID&ns=NAME&into=PATH&replace=true
//                                     → {"restored":[{"ns":…,"path":…,"leaves":…,"digest":…}]}, when it is done
//
// For admins. A file of any size comes in pieces below the limit of bodies, so nothing here holds more than one. Home thread.
#pragma once

#include <memory>

#include "net/rest/desk.h"

namespace hearth::net::admin {

using AdminCall = std::shared_ptr<rest::DeskCall>;

void serve_namespace(const rest::Surroundings& with, const AdminCall& call);
void serve_stats(const rest::Surroundings& with, const AdminCall& call);
void serve_compact(const rest::Surroundings& with, const AdminCall& call);
void serve_dump(const rest::Surroundings& with, const AdminCall& call);
void tell_dump_part(const rest::Surroundings& with, const AdminCall& call);
void serve_restore(const rest::Surroundings& with, const AdminCall& call);

}  // namespace hearth::net::admin
