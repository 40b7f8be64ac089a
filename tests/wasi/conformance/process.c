// Arguments, environment, clocks, random numbers, and the end.  Started with the arguments
// "process" "second one" "" "é" and the variables A=1, EMPTY= and PHRASE="x = y".
#include "wasi.h"

static bool list_is(u32 count, u32 *at, char *buffer, u32 size, const char *const *wanted) {
  char *next = buffer;
  for (u32 i = 0; i < count; i++) {
    if ((char *)(uintptr_t)at[i] != next || strcmp(next, wanted[i])) return false;
    next += strlen(next) + 1;
  }
  return next == buffer + size;
}

static void strings(void) {
  u32 count = 0, size = 0, at[8] = {0};
  CHECK(SUCCESS, "sizes", args_sizes_get, &count, &size);
  HOLDS(args_sizes_get, "how many, and how long", count == 4 && size == 8 + 11 + 1 + 3);
  CHECK(SUCCESS, "all", args_get, at, scratch);
  HOLDS(args_get, "one after the other, each ended by a NUL",
        list_is(4, at, scratch, size, (const char *const[]){"process", "second one", "", "\xc3\xa9"}));
  CHECK(SUCCESS, "sizes", environ_sizes_get, &count, &size);
  HOLDS(environ_sizes_get, "how many, and how long", count == 3 && size == 4 + 7 + 13);
  CHECK(SUCCESS, "all", environ_get, at, scratch);
  HOLDS(environ_get, "names and values",
        list_is(3, at, scratch, size, (const char *const[]){"A=1", "EMPTY=", "PHRASE=x = y"}));
}

static void clocks(void) {
  static const char *const names[] = {"realtime", "monotonic", "processor", "thread"};
  for (u32 id = 0; id < 4; id++) {
    u64 resolution = 0, first = 0, second = 0;
    CHECK(SUCCESS, names[id], clock_res_get, id, &resolution);
    HOLDS(clock_res_get, names[id], resolution > 0 && resolution < 1000000000);
    CHECK(SUCCESS, names[id], clock_time_get, id, 1, &first);
    clock_time_get(id, 0, &second);
    HOLDS(clock_time_get, "does not go back", second >= first);
  }
  clock_time_get(0, 0, &got64);
  HOLDS(clock_time_get, "the year is after 2020", got64 > (u64)50 * 365 * 86400 * 1000000000);
  CHECK_UNKNOWN(INVAL, "no clock", clock_res_get, 4, &got64);
  CHECK_UNKNOWN(INVAL, "no clock", clock_time_get, 4, 0, &got64);
  CHECK_UNKNOWN(INVAL, "no clock at all", clock_time_get, (u32)-1, 0, &got64);
}

static void others(void) {
  memset(scratch, 0, 300);
  CHECK(SUCCESS, "some", random_get, scratch + 1, 256);
  int seen = 0;
  for (int i = 1; i <= 256; i++) seen += scratch[i] != 0;
  HOLDS(random_get, "fills the buffer and no more", seen > 200 && !scratch[0] && !scratch[257]);
  CHECK(SUCCESS, "none", random_get, scratch, 0);
  char again[256];
  random_get(again, 256);
  HOLDS(random_get, "not the same twice", memcmp(again, scratch + 1, 256));
  CHECK(SUCCESS, "whenever", sched_yield);
  CHECK(NOTSUP, "any signal", proc_raise, 6);
}

int main(void) {
  strings();
  clocks();
  others();
  if (finish()) return 1;
  HOLDS(proc_exit, "the exit code says whether it ends the program", true);
  fflush(stdout);
  proc_exit(33);
  printf("FAIL proc_exit: returned\n");
  return 1;
}
