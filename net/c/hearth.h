// Hearth for C, and for what can call C: a realtime JSON tree database in this process, and a server for it.
//
//   hearth_database* database;
//   hearth_error error;
//   if (hearth_open("data", NULL, &database, &error) != HEARTH_OK) return fail(error.message);
//   hearth_set(database, "chat", "rooms/tea", "{\"topic\":\"green tea\"}", NULL);
//   hearth_close(database);
//
// UNSTABLE: until a release says otherwise, this interface may change with any version.
//
// Values are JSON text in UTF-8. Text that a call gives out is freed by hearth_free. Every call may be made from any thread. A
// call that waits for a disk must not be made in a callback: it is refused with HEARTH_INVALID_ARGUMENT. Callbacks run one at
// a time, in commit order: on a thread of the database's own, or with `wake` in hearth_poll. What they are given is theirs until
// they return. Nothing here logs without hearth_log, handles signals or ends the process.
//
// `error` may be NULL; it is filled in when a call does not return HEARTH_OK. What does not apply may be NULL or 0.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hearth_status {
  HEARTH_OK = 0,
  HEARTH_INVALID_PATH = 1,      // a path or key that cannot exist
  HEARTH_INVALID_DATA = 2,      // no JSON, or a value that cannot be stored
  HEARTH_INVALID_ARGUMENT = 3,  // any other call that makes no sense
  HEARTH_STALE = 4,             // others wrote in between, again and again
  HEARTH_TOO_LARGE = 5,         // a limit with a name was passed
  HEARTH_UNAVAILABLE = 6,       // the store is broken, closing or full
  HEARTH_IO = 7,                // the disk, or the network, said no
  HEARTH_CORRUPTION = 8,        // bytes on disk that are not ours
  HEARTH_LOCKED = 9,            // another process has the folder
  HEARTH_UNSUPPORTED = 10,      // a newer format
  HEARTH_REFUSED = 11,          // anything else
  HEARTH_DENIED = 12            // the rules say no
} hearth_status;

typedef struct hearth_error {
  hearth_status status;
  char message[512];  // a sentence for a person
} hearth_error;

typedef struct hearth_database hearth_database;
typedef struct hearth_listener hearth_listener;
typedef struct hearth_server hearth_server;

typedef struct hearth_options {
  int survives_kill_only;  // 1: a write is told when the kernel has it; 0: when it is on disk
  size_t readers;          // threads that read; 0: the usual number
  // Not NULL: callbacks run in hearth_poll and nowhere else. `wake` is called, on any thread, when the first callback
  // waits after none did. It should only pass the word on, to an eventfd or a loop's async handle.
  void (*wake)(void* wake_user);
  void* wake_user;
  const char* history;  // how much of what happened is kept, as "24h,1GB" or "24h,1GB,versions"; NULL: nothing
} hearth_options;

const char* hearth_version(void);

hearth_status hearth_open(const char* folder, const hearth_options* options, hearth_database** database,
                          hearth_error* error);
// At any time, also in a callback: waits for what was accepted, and for a callback that runs. Calls that others have begun end,
// with HEARTH_UNAVAILABLE if they came too late; none may be begun with this pointer once hearth_close has been called, but in
// callbacks. Listeners that still run are told that it is over, and nobody is told anything once it has returned; they are
// unlistened, and servers stopped, before it or after it: until then a server answers 503.
void hearth_close(hearth_database* database);

// `space`: the namespace. These wait until the write is on disk.
hearth_status hearth_set(hearth_database* database, const char* space, const char* path, const char* json,
                         hearth_error* error);
hearth_status hearth_update(hearth_database* database, const char* space, const char* path, const char* json_object,
                            hearth_error* error);
hearth_status hearth_remove(hearth_database* database, const char* space, const char* path, hearth_error* error);
// `key`: the new child's, 20 characters and a NUL.
hearth_status hearth_push(hearth_database* database, const char* space, const char* path, const char* json,
                          char key[21], hearth_error* error);
// For paths that /.settings/paths.json makes ephemeral: what is written there is in memory alone, and goes after `ttl_ms`, 100 to
// 60,000, unless it is written again. It is told without waiting for a disk. Without a ttl nothing can be written there, for an
// app has no connection that ends. HEARTH_INVALID_ARGUMENT: another number, or the namespace has no such paths.
hearth_status hearth_set_for(hearth_database* database, const char* space, const char* path, const char* json,
                             unsigned ttl_ms, hearth_error* error);
hearth_status hearth_update_for(hearth_database* database, const char* space, const char* path, const char* json_object,
                                unsigned ttl_ms, hearth_error* error);
// "null" where nothing stands.
hearth_status hearth_get(hearth_database* database, const char* space, const char* path, char** json,
                         hearth_error* error);
void hearth_free(char* text);

// The same writes and reads without waiting; may be called in callbacks. `done` (or NULL) is called once, when the
// write is on disk or refused. It is not called when the call itself does not return HEARTH_OK.
typedef void (*hearth_done)(void* user, hearth_status status, const char* message);  // NULL, or why not
hearth_status hearth_set_async(hearth_database* database, const char* space, const char* path, const char* json,
                               hearth_done done, void* user, hearth_error* error);
hearth_status hearth_update_async(hearth_database* database, const char* space, const char* path,
                                  const char* json_object, hearth_done done, void* user, hearth_error* error);
hearth_status hearth_set_for_async(hearth_database* database, const char* space, const char* path, const char* json,
                                   unsigned ttl_ms, hearth_done done, void* user, hearth_error* error);
hearth_status hearth_remove_async(hearth_database* database, const char* space, const char* path, hearth_done done,
                                  void* user, hearth_error* error);
hearth_status hearth_push_async(hearth_database* database, const char* space, const char* path, const char* json,
                                char key[21], hearth_done done, void* user, hearth_error* error);
typedef void (*hearth_got)(void* user, const char* json, hearth_status status,
                           const char* message);  // `json`: NULL, if refused
hearth_status hearth_get_async(hearth_database* database, const char* space, const char* path, hearth_got got,
                               void* user, hearth_error* error);

// With `wake`: runs the callbacks that wait, on this thread, and returns how many there were. In the app's loop, in each tick or
// after `wake`; on one thread at a time.
size_t hearth_poll(hearth_database* database);

// Calls `change` with the present value, and writes what it returns if the value is still the same; else calls it
// again. `change` returns text from malloc, which hearth_transaction frees, or NULL to leave all as it is. `json`
// (may be NULL): the value that is there in the end.
typedef char* (*hearth_change)(void* user, const char* json);
hearth_status hearth_transaction(hearth_database* database, const char* space, const char* path, hearth_change change,
                                 void* user, char** json, hearth_error* error);

// The value at first, and after every change. When it is over, without being asked, `json` is NULL and `why` says why.
typedef void (*hearth_told)(void* user, const char* json, const char* why);
hearth_status hearth_listen(hearth_database* database, const char* space, const char* path, hearth_told told,
                            void* user, hearth_listener** listener, hearth_error* error);
void hearth_unlisten(hearth_listener* listener);  // outside of callbacks, none runs once this has returned

// What happened, commit by commit, at, below or above `path` (NULL: anywhere), after the id `since` ("0": all that the log of
// hearth_options.history has). Where there is nothing yet it waits for something, `wait_ms` at most. `lines`: JSON, one line
// for each change and a last one, {"next":ID}, which says where to go on: as `GET /.changes` of a server. Who stores that id
// together with what came of the lines sees each change once. HEARTH_REFUSED: the log was cut since, or the id is of no
// use here; what the app has is to be read anew.
hearth_status hearth_changes(hearth_database* database, const char* space, const char* path, const char* since,
                             unsigned wait_ms, char** lines, hearth_error* error);

// Security rules of a namespace, which is made if there is none: the JSON text that the Firebase console has. They bind the
// clients of servers, and the calls for somebody; all other calls here are the app's own, and may do everything. Waits for the
// disk. HEARTH_INVALID_DATA: all that is wrong, as lines "LINE:COLUMN: …".
hearth_status hearth_set_rules(hearth_database* database, const char* space, const char* rules, hearth_error* error);
// What is set for paths: how long children stay, how often listeners hear, what is in memory alone. The document of
// /.settings/paths.json, "{}" for nothing. Otherwise as rules.
hearth_status hearth_set_paths(hearth_database* database, const char* space, const char* paths, hearth_error* error);
// For somebody. `auth`: the rules' variable of that name as JSON, {"uid":"ada","token":{}}, or NULL: nobody is signed in.
// HEARTH_DENIED: the rules say no; without rules nobody may do anything.
hearth_status hearth_get_as(hearth_database* database, const char* space, const char* path, const char* auth,
                            char** json, hearth_error* error);
hearth_status hearth_set_as(hearth_database* database, const char* space, const char* path, const char* json,
                            const char* auth, hearth_error* error);
hearth_status hearth_update_as(hearth_database* database, const char* space, const char* path, const char* json_object,
                               const char* auth, hearth_error* error);

// From here on `line` is called with each log line of servers of this process, of that level and above. Any thread
// calls it, several at once. NULL: nothing is logged, as in the beginning.
typedef enum hearth_log_level {
  HEARTH_LOG_TRACE = 0,
  HEARTH_LOG_DEBUG = 1,
  HEARTH_LOG_INFO = 2,
  HEARTH_LOG_WARN = 3,
  HEARTH_LOG_ERROR = 4
} hearth_log_level;
typedef void (*hearth_log_line)(void* user, hearth_log_level level, const char* line);
void hearth_log(hearth_log_level level, hearth_log_line line, void* user);

// Serves the same trees to Firebase SDKs, REST and event streams.
typedef struct hearth_serve_options {
  const char* host;          // NULL: this machine alone
  uint16_t port;             // 0: picks a free one
  int is_open;               // 1: as `hearth serve --dev`: open to all
  const char* admin_secret;  // whoever knows it is an admin
  const char* usual_space;   // for clients that name no namespace
} hearth_serve_options;
hearth_status hearth_serve(hearth_database* database, const hearth_serve_options* options, hearth_server** server,
                           hearth_error* error);
uint16_t hearth_server_port(const hearth_server* server);
void hearth_server_stop(hearth_server* server);  // answers what was asked, says goodbye, and frees it

#ifdef __cplusplus
}
#endif
