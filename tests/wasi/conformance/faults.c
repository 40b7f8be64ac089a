// Every address that a function takes, pointing out of memory.
#include "wasi.h"

// The end of memory: the first byte that is not there.
#define END ((void *)(__builtin_wasm_memory_size(0) << 16))
// So near to it that nothing of more than a byte fits, and the last address of all.
#define NEAR ((void *)((__builtin_wasm_memory_size(0) << 16) - 1))
#define LAST ((void *)0xffffffff)

#define FAULTS(function, ...)                   \
  do {                                          \
    void *BAD = END;                            \
    CHECK(FAULT, "the end", function, __VA_ARGS__);  \
    BAD = NEAR;                                 \
    CHECK(FAULT, "near the end", function, __VA_ARGS__); \
    BAD = LAST;                                 \
    CHECK(FAULT, "the last address", function, __VA_ARGS__); \
  } while (0)

int main(void) {
  // A peer may end the program for a bad address, which is an answer too.
  u32 a, b;
  make_file("f", "0123456789");
  path_symlink(P("f"), ROOT, P("link"));
  u32 fd = open_at(ROOT, "f", 0, ALL, 0);
  iovec_t v = {(u32)(uintptr_t)scratch, 4};
  subscription_t sub = {.type = 0, .id = 1, .timeout = 0};
  event_t event;
  setvbuf(stdout, 0, _IOFBF, 1 << 14);

  FAULTS(args_sizes_get, BAD, &a);
  FAULTS(args_sizes_get, &a, BAD);
  FAULTS(args_get, BAD, scratch);
  FAULTS(args_get, scratch, BAD);
  FAULTS(environ_sizes_get, BAD, &a);
  FAULTS(environ_sizes_get, &a, BAD);
  FAULTS(environ_get, BAD, scratch);
  FAULTS(environ_get, scratch, BAD);
  FAULTS(clock_res_get, 0, BAD);
  FAULTS(clock_time_get, 0, 0, BAD);
  FAULTS(random_get, BAD, 2);
  CHECK(FAULT, "4 GiB", random_get, scratch, 0xffffffff);
  FAULTS(fd_fdstat_get, fd, BAD);
  FAULTS(fd_filestat_get, fd, BAD);
  FAULTS(fd_prestat_get, ROOT, BAD);
  CHECK(FAULT, "the end", fd_prestat_dir_name, ROOT, END, 1);
  CHECK(FAULT, "the last address", fd_prestat_dir_name, ROOT, LAST, 1);
  FAULTS(fd_read, fd, BAD, 1, &a);
  FAULTS(fd_read, fd, &v, 1, BAD);
  FAULTS(fd_pread, fd, BAD, 1, 0, &a);
  FAULTS(fd_pread, fd, &v, 1, 0, BAD);
  FAULTS(fd_write, fd, BAD, 1, &a);
  FAULTS(fd_pwrite, fd, BAD, 1, 0, &a);
  FAULTS(fd_seek, fd, 0, 0, BAD);
  FAULTS(fd_tell, fd, BAD);
  FAULTS(fd_readdir, ROOT, BAD, 100, 0, &a);
  FAULTS(fd_readdir, ROOT, scratch, 100, 0, BAD);
  iovec_t beyond[2] = {{(u32)(uintptr_t)scratch, 4}, {(u32)(uintptr_t)END - 2, 4}};
  CHECK(FAULT, "a piece that ends outside", fd_read, fd, beyond, 2, &a);
  CHECK(FAULT, "a piece that ends outside", fd_pread, fd, beyond, 2, 0, &a);
  CHECK(FAULT, "a piece that ends outside", fd_write, fd, beyond, 2, &a);
  CHECK(FAULT, "a piece that ends outside", fd_pwrite, fd, beyond, 2, 0, &a);
  beyond[1] = (iovec_t){(u32)(uintptr_t)scratch, 0xffffffff};
  CHECK(FAULT, "a piece of 4 GiB", fd_read, fd, beyond, 2, &a);
  CHECK(FAULT, "a piece of 4 GiB", fd_write, fd, beyond, 2, &a);
  HOLDS(fd_write, "faults write nothing", file_holds("f", "0123456789"));

  FAULTS(path_create_directory, ROOT, BAD, 2);
  FAULTS(path_remove_directory, ROOT, BAD, 2);
  FAULTS(path_unlink_file, ROOT, BAD, 2);
  FAULTS(path_filestat_get, ROOT, 0, BAD, 2, scratch);
  FAULTS(path_filestat_get, ROOT, 0, P("f"), BAD);
  FAULTS(path_filestat_set_times, ROOT, 0, BAD, 2, 0, 0, 0);
  FAULTS(path_link, ROOT, 0, BAD, 2, ROOT, P("x"));
  FAULTS(path_link, ROOT, 0, P("f"), ROOT, BAD, 2);
  FAULTS(path_rename, ROOT, BAD, 2, ROOT, P("x"));
  FAULTS(path_rename, ROOT, P("f"), ROOT, BAD, 2);
  FAULTS(path_symlink, BAD, 2, ROOT, P("x"));
  FAULTS(path_symlink, P("f"), ROOT, BAD, 2);
  FAULTS(path_readlink, ROOT, BAD, 2, scratch, 9, &a);
  FAULTS(path_readlink, ROOT, P("link"), scratch, 9, BAD);
  CHECK(FAULT, "the end", path_readlink, ROOT, P("link"), END, 9, &a);
  FAULTS(path_open, ROOT, 0, BAD, 2, 0, 0, 0, 0, &a);
  FAULTS(path_open, ROOT, 0, P("f"), 0, 0, 0, 0, BAD);
  CHECK(FAULT, "a path of 4 GiB", path_open, ROOT, 0, "f", 0xffffffff, 0, 0, 0, 0, &a);
  // where a failed call may not have left a descriptor or a file behind
  FAULTS(path_open, ROOT, 0, P("made"), O_CREAT_, 0, 0, 0, BAD);
  u32 next = open_at(ROOT, "f", 0, ALL, 0);
  HOLDS(path_open, "faults leave no descriptor behind", next == fd + 1);

  FAULTS(poll_oneoff, BAD, &event, 1, &a);
  FAULTS(poll_oneoff, &sub, BAD, 1, &a);
  FAULTS(poll_oneoff, &sub, &event, 1, BAD);
  CHECK(FAULT, "2^32 - 1 subscriptions", poll_oneoff, scratch, scratch, 0xffffffff, &a);
  return finish();
}
