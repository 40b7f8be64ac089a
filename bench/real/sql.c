// A shell for SQLite: the statements on standard input, their rows on standard output.
#include <stdio.h>
#include <stdlib.h>
#include "sqlite3.h"

static int row(void *unused, int count, char **values, char **names) {
  for (int i = 0; i < count; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "");
  printf("\n");
  return 0;
}

int main(int argc, char **argv) {
  size_t size = 0, room = 1 << 16;
  char *text = malloc(room);
  for (size_t got; (got = fread(text + size, 1, room - size - 1, stdin)) > 0;) {
    size += got;
    if (room - size < 2) text = realloc(text, room *= 2);
  }
  text[size] = 0;
  sqlite3 *db;
  char *message = NULL;
  if (sqlite3_open(argc > 1 ? argv[1] : ":memory:", &db) ||
      sqlite3_exec(db, text, row, NULL, &message)) {
    fprintf(stderr, "%s\n", message ? message : sqlite3_errmsg(db));
    return 1;
  }
  return sqlite3_close(db);
}
