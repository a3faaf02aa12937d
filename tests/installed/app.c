/* The C interface, from C. Run: app_c FOLDER */
#include <hearth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

int main(int argc, char** argv) {
  const char* folder = argc > 1 ? argv[1] : "app-c-data";
  hearth_database* database = NULL;
  hearth_database* other = NULL;
  hearth_error error;
  char* json = NULL;
  char key[21];
  int calls = 0;
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
  char command[256];
  CHECK(hearth_serve(database, &options, &server, &error) == HEARTH_OK);
  snprintf(command, sizeof command, "test \"$(curl -sf http://127.0.0.1:%d/counter.json)\" = 2",
           hearth_server_port(server));
  CHECK(system(command) == 0);
  const hearth_serve_options taken = {"127.0.0.1", hearth_server_port(server), 1, NULL, NULL};
  hearth_server* second = NULL;
  CHECK(hearth_serve(database, &taken, &second, &error) != HEARTH_OK && second == NULL);
  hearth_server_stop(server);
  CHECK(hearth_remove(database, "shop", "", &error) == HEARTH_OK);
  hearth_close(database);

  CHECK(hearth_open(folder, NULL, &database, &error) == HEARTH_OK);
  CHECK(hearth_get(database, "shop", "", &json, &error) == HEARTH_OK && strcmp(json, "null") == 0);
  hearth_free(json);
  hearth_close(database);
  printf(failures == 0 ? "all is well\n" : "%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
