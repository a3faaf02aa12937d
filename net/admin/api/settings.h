// What admins set and ask of one namespace over HTTP: its rules and what they say, indexes and other settings, users, and what
// is taken back of its history. table.cc has the addresses; the chapter Admin API says what each answers.
//
// Thread: the home of the exchange.
#pragma once

#include "net/admin/api/upkeep.h"
#include "net/rest/desk.h"

namespace hearth::net::admin {

void tell_databases(const rest::Surroundings& with, const AdminCall& call);
void serve_rules(const rest::Surroundings& with, const AdminCall& call);
void serve_setting(const rest::Surroundings& with, const AdminCall& call);  // a document, or the namespace's indexes
void kick(const rest::Surroundings& with, const AdminCall& call);
void explain(const rest::Surroundings& with, const AdminCall& call);
void tell_coverage(const rest::Surroundings& with, const AdminCall& call);
void tell_indexes(const rest::Surroundings& with, const AdminCall& call);
void undo(const rest::Surroundings& with, const AdminCall& call);   // a commit
void purge(const rest::Surroundings& with, const AdminCall& call);  // a path's past

}  // namespace hearth::net::admin
