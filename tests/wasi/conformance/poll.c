// Waiting for clocks and descriptors.
#include "wasi.h"

static subscription_t in[4];
static event_t out[4];

static void clock_sub(int i, u64 user, u32 id, u64 timeout, uint16_t flags) {
  in[i] = (subscription_t){.user = user, .type = 0, .id = id, .timeout = timeout, .flags = flags};
}

static void fd_sub(int i, u64 user, uint8_t type, u32 fd) {
  in[i] = (subscription_t){.user = user, .type = type, .id = fd};
}

static u64 now(u32 id) {
  u64 t = 0;
  clock_time_get(id, 0, &t);
  return t;
}

enum { MS = 1000000 };

static void clocks(void) {
  CHECK(INVAL, "nothing", poll_oneoff, in, out, 0, &got32);
  for (u32 id = 0; id < 2; id++) {
    u64 start = now(1);
    clock_sub(0, 42, id, 20 * MS, 0);
    CHECK(SUCCESS, "a while", poll_oneoff, in, out, 1, &got32);
    HOLDS(poll_oneoff, "waits", now(1) - start >= 20 * MS && now(1) - start < 5000ull * MS);
    HOLDS(poll_oneoff, "tells which", got32 == 1 && out[0].user == 42 && out[0].type == 0 && !out[0].error);
    start = now(1);
    clock_sub(0, 43, id, now(id) + 20 * MS, 1);
    CHECK(SUCCESS, "until", poll_oneoff, in, out, 1, &got32);
    HOLDS(poll_oneoff, "waits until then", now(1) - start >= 19 * MS);
    start = now(1);
    clock_sub(0, 43, id, now(id) - 1000, 1);
    CHECK(SUCCESS, "until a time that is past", poll_oneoff, in, out, 1, &got32);
    HOLDS(poll_oneoff, "does not wait for what is past", now(1) - start < 1000ull * MS);
  }
  clock_sub(0, 1, 1, 10000ull * MS, 0);
  clock_sub(1, 2, 0, 10 * MS, 0);
  clock_sub(2, 3, 1, 20000ull * MS, 0);
  CHECK(SUCCESS, "the first of several", poll_oneoff, in, out, 3, &got32);
  HOLDS(poll_oneoff, "only the first has happened", got32 == 1 && out[0].user == 2);
  clock_sub(0, 7, 1, 0, 0);
  CHECK(SUCCESS, "no time", poll_oneoff, in, out, 1, &got32);
  HOLDS(poll_oneoff, "no time is now", got32 == 1 && out[0].user == 7);
#ifndef PEER
  clock_sub(0, 8, 9, 0, 0);
  CHECK(SUCCESS, "no clock", poll_oneoff, in, out, 1, &got32);
  HOLDS(poll_oneoff, "no clock is an error of the event", got32 == 1 && out[0].error == E_INVAL);
  fd_sub(0, 8, 3, 0);
  CHECK(INVAL, "no type of event", poll_oneoff, in, out, 1, &got32);
#endif
}

static void descriptors(void) {
  make_file("f", "0123");
  u32 fd = open_at(ROOT, "f", 0, ALL, 0);
  fd_sub(0, 1, 1, fd);
  fd_sub(1, 2, 2, fd);
  clock_sub(2, 3, 1, 60000ull * MS, 0);
  CHECK(SUCCESS, "a file", poll_oneoff, in, out, 3, &got32);
  HOLDS(poll_oneoff, "files are always ready", got32 == 2 && out[0].user == 1 && out[1].user == 2 &&
                                                  out[0].type == 1 && out[1].type == 2);
  HOLDS(poll_oneoff, "what is left of a file can be read", out[0].bytes == 4 && !out[0].error);
  fd_sub(0, 5, 1, CLOSED);
  CHECK(SUCCESS, "closed", poll_oneoff, in, out, 1, &got32);
  HOLDS(poll_oneoff, "closed is an error of the event", got32 == 1 && out[0].error == E_BADF && out[0].user == 5);
  fd_sub(1, 6, 1, fd);
  CHECK(SUCCESS, "closed, and a file", poll_oneoff, in, out, 2, &got32);
  HOLDS(poll_oneoff, "an error does not hide what is ready", got32 == 2);
  fd_fdstat_set_rights(fd, R(FD_READ), 0);
  fd_sub(0, 6, 1, fd);
  CHECK(SUCCESS, "without the right", poll_oneoff, in, out, 1, &got32);
  HOLDS(poll_oneoff, "a missing right is an error of the event", got32 == 1 && out[0].error == E_NOTCAPABLE);
  fd_close(fd);
  fd_sub(0, 9, 2, 1);
  clock_sub(1, 3, 1, 60000ull * MS, 0);
  CHECK(SUCCESS, "standard output", poll_oneoff, in, out, 2, &got32);
  HOLDS(poll_oneoff, "standard output can be written", got32 == 1 && out[0].user == 9 && !out[0].error);
  fd_sub(0, 10, 1, 0);
  clock_sub(1, 3, 1, 60000ull * MS, 0);
  CHECK(SUCCESS, "standard input without input", poll_oneoff, in, out, 2, &got32);
  HOLDS(poll_oneoff, "the end of input can be read", got32 == 1 && out[0].user == 10 && !out[0].error);
}

int main(void) {
  clocks();
  descriptors();
  return finish();
}
