/* The C interface, from C. Run: app_c FOLDER */
#include <hearth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int failures = 0;
#define CHECK(what)                                                 \
  do {                                                              \
    if (!(what)) {                                                  \
      ++failures;                                                   \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
    }                                                               \
  } while (0)

static char* one_more(void* user, const char* json) {
  char* text = malloc(32);
  ++*(int*)user;
  if (text != NULL) snprintf(text, 32, "%d", atoi(json) + 1);
  return text;
}
static char* nonsense(void* user, const char* json) {
  char* text = malloc(2);
  (void)user, (void)json;
  if (text != NULL) memcpy(text, "{", 2);
  return text;
}
static char* nothing(void* user, const char* json) {
  (void)user, (void)json;
  return NULL;
}

struct heard {
  volatile int count;
  char last[64];
  hearth_database* database;
  hearth_status within;
};
static void told(void* user, const char* json, const char* why) {
  struct heard* heard = user;
  if (why != NULL || json == NULL) return;
  snprintf(heard->last, sizeof heard->last, "%s", json);
  heard->within = hearth_set(heard->database, "shop", "elsewhere", "1", NULL); /* would wait for itself */
  heard->count = heard->count + 1;
}
static void wait_for(struct heard* heard, int count) {
  const struct timespec pause = {0, 1000000};
  for (int i = 0; i < 30000 && heard->count < count; ++i) nanosleep(&pause, NULL);
}

/* An app with a loop of its own: it is woken by a pipe, and polls. */
struct loop {
  int pipe[2];
  hearth_database* database;
  int done, got, told;
  hearth_status last;
  char json[64];
};
static void wake(void* user) {
  struct loop* loop = user;
  if (write(loop->pipe[1], "!", 1) != 1) abort();
}
static void on_done(void* user, hearth_status status, const char* message) {
  struct loop* loop = user;
  ++loop->done;
  loop->last = status;
  CHECK((status == HEARTH_OK) == (message == NULL));
}
static void on_got(void* user, const char* json, hearth_status status, const char* message) {
  struct loop* loop = user;
  ++loop->got;
  CHECK(status == HEARTH_OK && message == NULL);
  snprintf(loop->json, sizeof loop->json, "%s", json);
}
static void on_told(void* user, const char* json, const char* why) {
  struct loop* loop = user;
  if (why != NULL) return;
  loop->told = atoi(json);
  /* A listener may write, if it does not wait. */
  if (atoi(json) < 5) {
    char next[16];
    snprintf(next, sizeof next, "%d", atoi(json) + 1);
    CHECK(hearth_set_async(loop->database, "game", "score", next, on_done, loop, NULL) == HEARTH_OK);
  }
}
/* Runs until there were so many in all. */
static void run_until(struct loop* loop, const int* count, int wanted) {
  char byte;
  while (*count < wanted) {
    if (read(loop->pipe[0], &byte, 1) != 1) abort();
    CHECK(hearth_poll(loop->database) > 0);
  }
}
static void use_loop(const char* folder) {
  struct loop loop;
  hearth_error error;
  hearth_options options;
  hearth_listener* listener = NULL;
  char key[21], name[32], *json = NULL;
  memset(&loop, 0, sizeof loop);
  memset(&options, 0, sizeof options);
  if (pipe(loop.pipe) != 0) abort();
  options.wake = wake;
  options.wake_user = &loop;
  CHECK(hearth_open(folder, &options, &loop.database, &error) == HEARTH_OK);
  CHECK(hearth_poll(loop.database) == 0);

  CHECK(hearth_set_async(loop.database, "game", "a", "{\"b\":1}", on_done, &loop, &error) == HEARTH_OK);
  CHECK(loop.done == 0);
  run_until(&loop, &loop.done, 1);
  CHECK(loop.last == HEARTH_OK);
  CHECK(hearth_update_async(loop.database, "game", "a", "{\"c/d\":2}", on_done, &loop, &error) == HEARTH_OK);
  CHECK(hearth_push_async(loop.database, "game", "list", "3", key, on_done, &loop, &error) == HEARTH_OK && strlen(key) == 20);
  run_until(&loop, &loop.done, 3);
  CHECK(hearth_get_async(loop.database, "game", "a", on_got, &loop, &error) == HEARTH_OK);
  run_until(&loop, &loop.got, 1);
  CHECK(strcmp(loop.json, "{\"b\":1,\"c\":{\"d\":2}}") == 0);
  CHECK(hearth_remove_async(loop.database, "game", "a", NULL, NULL, &error) == HEARTH_OK);
  CHECK(hearth_set_async(loop.database, "game", "a", "{", on_done, &loop, &error) == HEARTH_INVALID_DATA);
  CHECK(hearth_set_async(loop.database, "game", "a/$b", "1", on_done, &loop, &error) == HEARTH_INVALID_PATH);
  CHECK(loop.done == 3);

  CHECK(hearth_listen(loop.database, "game", "score", on_told, &loop, &listener, &error) == HEARTH_OK);
  CHECK(hearth_set_async(loop.database, "game", "score", "1", NULL, NULL, &error) == HEARTH_OK);
  run_until(&loop, &loop.told, 5);
  CHECK(hearth_get(loop.database, "game", "score", &json, &error) == HEARTH_OK && strcmp(json, "5") == 0);
  hearth_free(json);

  /* Busy to the end: nobody is called once it is closed. */
  for (int i = 0; i < 1000; ++i) {
    snprintf(name, sizeof name, "busy/%d", i);
    CHECK(hearth_set_async(loop.database, "game", name, "1", on_done, &loop, &error) == HEARTH_OK);
  }
  hearth_close(loop.database);
  hearth_unlisten(listener);
  close(loop.pipe[0]);
  close(loop.pipe[1]);
}

static void count_lines(void* user, hearth_log_level level, const char* line) {
  if (level == HEARTH_LOG_INFO && strstr(line, "rules set") != NULL) ++*(volatile int*)user;
}

static void use_rules(hearth_database* database) {
  static const char* const rules =
      "{\"rules\": {\"notes\": {\"$uid\": {\".read\": \"auth.uid === $uid\", \".write\": \"auth.uid === $uid\"}}}}";
  static const char* const ada = "{\"uid\":\"ada\",\"token\":{}}";
  hearth_error error;
  char* json = NULL;
  CHECK(hearth_set_as(database, "club", "notes/ada", "1", ada, &error) == HEARTH_REFUSED); /* there is no such namespace */
  CHECK(hearth_set(database, "club", "other", "1", &error) == HEARTH_OK);
  CHECK(hearth_set_as(database, "club", "notes/ada", "1", ada, &error) == HEARTH_DENIED); /* nor any rules */
  CHECK(hearth_set_rules(database, "club", "{\"rules\": {\".read\": \"nonsense(\"}}", &error) == HEARTH_INVALID_DATA);
  CHECK(hearth_set_rules(database, "club", rules, &error) == HEARTH_OK);
  CHECK(hearth_set_as(database, "club", "notes/ada", "{\"text\":\"tea\"}", ada, &error) == HEARTH_OK);
  CHECK(hearth_update_as(database, "club", "notes/ada", "{\"old\":true}", ada, &error) == HEARTH_OK);
  CHECK(hearth_set_as(database, "club", "notes/bob", "1", ada, &error) == HEARTH_DENIED && error.status == HEARTH_DENIED);
  CHECK(hearth_set_as(database, "club", "notes/ada", "1", NULL, &error) == HEARTH_DENIED);
  CHECK(hearth_set_as(database, "club", "notes/ada", "1", "ada", &error) == HEARTH_INVALID_ARGUMENT);
  CHECK(hearth_get_as(database, "club", "notes/ada", ada, &json, &error) == HEARTH_OK);
  CHECK(json != NULL && strcmp(json, "{\"old\":true,\"text\":\"tea\"}") == 0);
  hearth_free(json);
  CHECK(hearth_get_as(database, "club", "notes/ada", NULL, &json, &error) == HEARTH_DENIED);
  CHECK(hearth_set(database, "club", "notes/bob", "1", &error) == HEARTH_OK); /* the app's own */
}

/* What happened, as lines; from where the last page ended there is nothing more, until something happens. */
static void use_changes(const char* folder) {
  hearth_error error;
  hearth_options options;
  hearth_database* database = NULL;
  char *lines = NULL, *more = NULL, since[64] = "";
  memset(&options, 0, sizeof options);
  options.history = "a while";
  CHECK(hearth_open(folder, &options, &database, &error) == HEARTH_INVALID_ARGUMENT);
  options.history = "24h,1MB";
  CHECK(hearth_open(folder, &options, &database, &error) == HEARTH_OK);
  CHECK(hearth_set(database, "log", "a", "{\"b\":1}", &error) == HEARTH_OK);
  CHECK(hearth_set(database, "log", "c", "2", &error) == HEARTH_OK);
  CHECK(hearth_changes(database, "log", "a", "0", 0, &lines, &error) == HEARTH_OK);
  CHECK(strstr(lines, "\"changes\":[{\"path\":\"/a\",\"value\":{\"b\":1}}]}\n{\"next\":\"") != NULL);
  CHECK(strstr(lines, "/c") == NULL);
  if (sscanf(strstr(lines, "{\"next\":\""), "{\"next\":\"%63[^\"]", since) != 1) abort();
  CHECK(hearth_changes(database, "log", NULL, since, 10, &more, &error) == HEARTH_OK);
  CHECK(strncmp(more, "{\"next\":", 8) == 0);
  hearth_free(more);
  CHECK(hearth_remove(database, "log", "a/b", &error) == HEARTH_OK);
  CHECK(hearth_changes(database, "log", NULL, since, 60000, &more, &error) == HEARTH_OK);
  CHECK(strstr(more, "[{\"path\":\"/a/b\",\"value\":null}]") != NULL);
  hearth_free(more);
  hearth_free(lines);
  CHECK(hearth_changes(database, "log", NULL, "0123456789abcdef:1", 0, &lines, &error) == HEARTH_REFUSED);
  CHECK(hearth_changes(database, "log", NULL, NULL, 0, &lines, &error) == HEARTH_INVALID_ARGUMENT);
  hearth_close(database);
}

/* In memory alone: it goes when its time is over, unless it is said again, and needs a time at all. */
static void use_ttl(hearth_database* database) {
  const struct timespec pause = {0, 20000000};
  hearth_error error;
  char* json = NULL;
  int is_gone = 0;
  CHECK(hearth_set(database, "arena", "score", "7", &error) == HEARTH_OK);
  CHECK(hearth_set_for(database, "arena", "cursors/ada", "1", 500, &error) == HEARTH_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "/.settings/paths.json") != NULL); /* no path of it is ephemeral yet */
  CHECK(hearth_set_paths(database, "arena", "{\"cursors\": {\".ephemeral\": 1}}", &error) == HEARTH_INVALID_DATA);
  CHECK(strstr(error.message, "1:28: ") != NULL);
  CHECK(hearth_set_paths(database, "arena", "{\"cursors\": {\".ephemeral\": true}}", &error) == HEARTH_OK);
  CHECK(hearth_set(database, "arena", "cursors/ada", "1", &error) == HEARTH_INVALID_ARGUMENT);
  CHECK(hearth_set_for(database, "arena", "cursors/ada", "1", 0, &error) == HEARTH_INVALID_ARGUMENT);
  CHECK(hearth_set_for(database, "arena", "cursors/ada", "1", 60001, &error) == HEARTH_INVALID_ARGUMENT);
  CHECK(hearth_update_for(database, "arena", "cursors", "{\"ada/x\":1,\"bob/x\":2}", 60000, &error) == HEARTH_OK);
  CHECK(hearth_set_for(database, "arena", "cursors/eve", "3", 200, &error) == HEARTH_OK);
  CHECK(hearth_set_for_async(database, "arena", "cursors/eve", "4", 200, NULL, NULL, &error) == HEARTH_OK);
  for (int i = 0; i < 1500 && !is_gone; ++i) {
    nanosleep(&pause, NULL);
    CHECK(hearth_get(database, "arena", "cursors/eve", &json, &error) == HEARTH_OK);
    is_gone = json != NULL && strcmp(json, "null") == 0;
    hearth_free(json);
  }
  CHECK(is_gone);
  CHECK(hearth_get(database, "arena", "", &json, &error) == HEARTH_OK);
  CHECK(json != NULL && strcmp(json, "{\"cursors\":{\"ada\":{\"x\":1},\"bob\":{\"x\":2}},\"score\":7}") == 0);
  hearth_free(json);
}

int main(int argc, char** argv) {
  const char* folder = argc > 1 ? argv[1] : "app-c-data";
  hearth_database* database = NULL;
  hearth_database* other = NULL;
  hearth_error error;
  char* json = NULL;
  char key[21];
  int calls = 0;
  volatile int lines = 0;
  printf("hearth %s\n", hearth_version());

  if (hearth_open(folder, NULL, &database, &error) != HEARTH_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  CHECK(hearth_open(folder, NULL, &other, &error) == HEARTH_LOCKED && strlen(error.message) > 10);
  CHECK(hearth_open(NULL, NULL, &other, &error) == HEARTH_INVALID_ARGUMENT);

  CHECK(hearth_set(database, "shop", "items/tea", "{\"price\":3,\"left\":10}", &error) == HEARTH_OK);
  CHECK(hearth_update(database, "shop", "items", "{\"tea/left\":9,\"cake/left\":2}", &error) == HEARTH_OK);
  CHECK(hearth_push(database, "shop", "orders", "\"tea\"", key, &error) == HEARTH_OK && strlen(key) == 20);
  CHECK(hearth_get(database, "shop", "items", &json, &error) == HEARTH_OK);
  CHECK(json != NULL && strcmp(json, "{\"cake\":{\"left\":2},\"tea\":{\"left\":9,\"price\":3}}") == 0);
  hearth_free(json);

  CHECK(hearth_transaction(database, "shop", "items/tea/left", one_more, &calls, &json, &error) == HEARTH_OK);
  CHECK(calls == 1 && strcmp(json, "10") == 0);
  hearth_free(json);
  CHECK(hearth_transaction(database, "shop", "items/tea/left", nothing, NULL, &json, &error) == HEARTH_OK);
  CHECK(strcmp(json, "10") == 0);
  hearth_free(json);
  CHECK(hearth_transaction(database, "shop", "items/tea/left", nonsense, NULL, NULL, &error) == HEARTH_INVALID_DATA);

  CHECK(hearth_set(database, "shop", "a/b", "{", &error) == HEARTH_INVALID_DATA && error.status == HEARTH_INVALID_DATA);
  CHECK(hearth_set(database, "shop", "a/$b", "1", &error) == HEARTH_INVALID_PATH);
  CHECK(hearth_set(database, "no such name", "a", "1", NULL) == HEARTH_INVALID_ARGUMENT);
  CHECK(hearth_set(database, "shop", NULL, "1", &error) == HEARTH_INVALID_ARGUMENT);

  struct heard heard = {0, "", database, HEARTH_OK};
  hearth_listener* listener = NULL;
  CHECK(hearth_listen(database, "shop", "counter", told, &heard, &listener, &error) == HEARTH_OK);
  wait_for(&heard, 1);
  CHECK(strcmp(heard.last, "null") == 0);
  CHECK(hearth_set(database, "shop", "counter", "1", &error) == HEARTH_OK);
  wait_for(&heard, 2);
  CHECK(heard.count == 2 && strcmp(heard.last, "1") == 0);
  CHECK(heard.within == HEARTH_INVALID_ARGUMENT);
  hearth_unlisten(listener);
  CHECK(hearth_set(database, "shop", "counter", "2", &error) == HEARTH_OK);
  CHECK(heard.count == 2);

  const hearth_serve_options options = {NULL, 0, 1, NULL, "shop"};
  hearth_server* server = NULL;
  char command[512];
  CHECK(hearth_serve(database, &options, &server, &error) == HEARTH_OK);
  snprintf(command, sizeof command, "test \"$(curl -sf http://127.0.0.1:%d/counter.json)\" = 2",
           hearth_server_port(server));
  CHECK(system(command) == 0);
  const hearth_serve_options taken = {"127.0.0.1", hearth_server_port(server), 1, NULL, NULL};
  hearth_server* second = NULL;
  CHECK(hearth_serve(database, &taken, &second, &error) != HEARTH_OK && second == NULL);
  hearth_log(HEARTH_LOG_INFO, count_lines, (void*)&lines);
  snprintf(command, sizeof command, "test \"$(curl -sf -X PUT -d '{\"rules\":{}}' -H 'Authorization: Bearer owner' "
           "http://127.0.0.1:%d/.settings/rules.json)\" = '{\"status\":\"ok\"}'", hearth_server_port(server));
  CHECK(system(command) == 0);
  CHECK(lines == 1);
  hearth_log(HEARTH_LOG_INFO, NULL, NULL);
  hearth_server_stop(server);
  use_rules(database);
  use_ttl(database);
  CHECK(hearth_remove(database, "shop", "", &error) == HEARTH_OK);
  hearth_close(database);

  CHECK(hearth_open(folder, NULL, &database, &error) == HEARTH_OK);
  CHECK(hearth_get(database, "shop", "", &json, &error) == HEARTH_OK && strcmp(json, "null") == 0);
  hearth_free(json);
  /* What was in memory alone went with the process's database. */
  CHECK(hearth_get(database, "arena", "", &json, &error) == HEARTH_OK && strcmp(json, "{\"score\":7}") == 0);
  hearth_free(json);
  hearth_close(database);
  use_loop(folder);
  use_changes(folder);
  printf(failures == 0 ? "all is well\n" : "%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
