// WASI preview 1 as a guest sees it: the raw imports, and what the checks are made of.
//
// Addresses and lengths are passed as they are, so that wrong ones can be.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define F(name, ...) \
  __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) u32 name(__VA_ARGS__);
F(args_get, void *, void *)
F(args_sizes_get, void *, void *)
F(environ_get, void *, void *)
F(environ_sizes_get, void *, void *)
F(clock_res_get, u32, void *)
F(clock_time_get, u32, u64, void *)
F(fd_advise, u32, u64, u64, u32)
F(fd_allocate, u32, u64, u64)
F(fd_close, u32)
F(fd_datasync, u32)
F(fd_fdstat_get, u32, void *)
F(fd_fdstat_set_flags, u32, u32)
F(fd_fdstat_set_rights, u32, u64, u64)
F(fd_filestat_get, u32, void *)
F(fd_filestat_set_size, u32, u64)
F(fd_filestat_set_times, u32, u64, u64, u32)
F(fd_pread, u32, const void *, u32, u64, void *)
F(fd_prestat_get, u32, void *)
F(fd_prestat_dir_name, u32, void *, u32)
F(fd_pwrite, u32, const void *, u32, u64, void *)
F(fd_read, u32, const void *, u32, void *)
F(fd_readdir, u32, void *, u32, u64, void *)
F(fd_renumber, u32, u32)
F(fd_seek, u32, int64_t, u32, void *)
F(fd_sync, u32)
F(fd_tell, u32, void *)
F(fd_write, u32, const void *, u32, void *)
F(path_create_directory, u32, const void *, u32)
F(path_filestat_get, u32, u32, const void *, u32, void *)
F(path_filestat_set_times, u32, u32, const void *, u32, u64, u64, u32)
F(path_link, u32, u32, const void *, u32, u32, const void *, u32)
F(path_open, u32, u32, const void *, u32, u32, u64, u64, u32, void *)
F(path_readlink, u32, const void *, u32, void *, u32, void *)
F(path_remove_directory, u32, const void *, u32)
F(path_rename, u32, const void *, u32, u32, const void *, u32)
F(path_symlink, const void *, u32, u32, const void *, u32)
F(path_unlink_file, u32, const void *, u32)
F(poll_oneoff, const void *, void *, u32, void *)
F(proc_raise, u32)
F(random_get, void *, u32)
F(sched_yield, void)
F(sock_accept, u32, u32, void *)
F(sock_recv, u32, const void *, u32, u32, void *, void *)
F(sock_send, u32, const void *, u32, u32, void *)
F(sock_shutdown, u32, u32)
#undef F
__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"), noreturn))
void proc_exit(u32);

#define ERRNOS(X)                                                                                 \
  X(SUCCESS) X(2BIG) X(ACCES) X(ADDRINUSE) X(ADDRNOTAVAIL) X(AFNOSUPPORT) X(AGAIN) X(ALREADY)     \
  X(BADF) X(BADMSG) X(BUSY) X(CANCELED) X(CHILD) X(CONNABORTED) X(CONNREFUSED) X(CONNRESET)       \
  X(DEADLK) X(DESTADDRREQ) X(DOM) X(DQUOT) X(EXIST) X(FAULT) X(FBIG) X(HOSTUNREACH) X(IDRM)       \
  X(ILSEQ) X(INPROGRESS) X(INTR) X(INVAL) X(IO) X(ISCONN) X(ISDIR) X(LOOP) X(MFILE) X(MLINK)      \
  X(MSGSIZE) X(MULTIHOP) X(NAMETOOLONG) X(NETDOWN) X(NETRESET) X(NETUNREACH) X(NFILE) X(NOBUFS)   \
  X(NODEV) X(NOENT) X(NOEXEC) X(NOLCK) X(NOLINK) X(NOMEM) X(NOMSG) X(NOPROTOOPT) X(NOSPC)         \
  X(NOSYS) X(NOTCONN) X(NOTDIR) X(NOTEMPTY) X(NOTRECOVERABLE) X(NOTSOCK) X(NOTSUP) X(NOTTY)       \
  X(NXIO) X(OVERFLOW) X(OWNERDEAD) X(PERM) X(PIPE) X(PROTO) X(PROTONOSUPPORT) X(PROTOTYPE)        \
  X(RANGE) X(ROFS) X(SPIPE) X(SRCH) X(STALE) X(TIMEDOUT) X(TXTBSY) X(XDEV) X(NOTCAPABLE)
#define X(name) E_##name,
enum { ERRNOS(X) };
#undef X
#define X(name) #name,
static const char *const errno_names[] = {ERRNOS(X)};
#undef X

#define R(bit) ((u64)1 << (bit))
enum {
  FD_DATASYNC, FD_READ, FD_SEEK, FD_FDSTAT_SET_FLAGS, FD_SYNC, FD_TELL, FD_WRITE, FD_ADVISE,
  FD_ALLOCATE, PATH_CREATE_DIRECTORY, PATH_CREATE_FILE, PATH_LINK_SOURCE, PATH_LINK_TARGET,
  PATH_OPEN, FD_READDIR, PATH_READLINK, PATH_RENAME_SOURCE, PATH_RENAME_TARGET, PATH_FILESTAT_GET,
  PATH_FILESTAT_SET_SIZE, PATH_FILESTAT_SET_TIMES, FD_FILESTAT_GET, FD_FILESTAT_SET_SIZE,
  FD_FILESTAT_SET_TIMES, PATH_SYMLINK, PATH_REMOVE_DIRECTORY, PATH_UNLINK_FILE,
  POLL_FD_READWRITE, SOCK_SHUTDOWN, SOCK_ACCEPT
};
#define ALL (R(30) - 1)
enum { O_CREAT_ = 1, O_DIRECTORY_ = 2, O_EXCL_ = 4, O_TRUNC_ = 8 };
enum { F_APPEND = 1, F_DSYNC = 2, F_NONBLOCK = 4, F_RSYNC = 8, F_SYNC = 16 };
enum { UNKNOWN, BLOCK, CHARACTER, DIRECTORY, REGULAR, DGRAM, STREAM, SYMLINK };
enum { SET_ATIM = 1, SET_ATIM_NOW = 2, SET_MTIM = 4, SET_MTIM_NOW = 8 };
enum { FOLLOW = 1 };
enum { FROM_START, FROM_HERE, FROM_END };

typedef struct { u32 at, size; } iovec_t;
typedef struct { uint8_t type; uint16_t flags; u64 rights, inheriting; } fdstat_t;
typedef struct { u64 dev, ino; uint8_t type; u64 nlink, size, atim, mtim, ctim; } filestat_t;
typedef struct { u64 next, ino; u32 namlen; uint8_t type; } dirent_t;
typedef struct { uint8_t tag; u32 size; } prestat_t;
typedef struct {
  u64 user;
  uint8_t type;
  _Alignas(8) u32 id;  // of a clock, or a descriptor
  u64 timeout, precision;
  uint16_t flags;
} subscription_t;
typedef struct { u64 user; uint16_t error; uint8_t type; u64 bytes; uint16_t flags; } event_t;
_Static_assert(sizeof(fdstat_t) == 24 && sizeof(filestat_t) == 64 && sizeof(dirent_t) == 24, "");
_Static_assert(sizeof(subscription_t) == 48 && sizeof(event_t) == 32 && sizeof(prestat_t) == 8, "");

static int failures;

// Say how `what` of a function went, one line a check.
static void expect(const char *function, const char *what, u32 want, u32 got) {
  const char *name = got <= E_NOTCAPABLE ? errno_names[got] : "no errno";
  if (got == want) {
    printf("ok   %s: %s: %s\n", function, what, name);
  } else {
    printf("FAIL %s: %s: %s, not %s\n", function, what, name, errno_names[want]);
    failures++;
  }
}

static void expect_true(const char *function, const char *what, bool holds) {
  printf("%s %s: %s\n", holds ? "ok  " : "FAIL", function, what);
  failures += !holds;
}

// A call, what is special about it, and the error it gives.
#define CHECK(want, what, function, ...) \
  expect(#function, what, E_##want, function(__VA_ARGS__))
// A call with a number that is no flag or enumerator.  Peers may end the program for that.
#ifdef PEER
#define CHECK_UNKNOWN(...)
#else
#define CHECK_UNKNOWN CHECK
#endif
#define HOLDS(function, what, condition) expect_true(#function, what, condition)
#define P(path) path, sizeof(path) - 1

static const u32 ROOT = 3;     // the preopened directory
static const u32 CLOSED = 99;  // no descriptor
static u32 got32;
static u64 got64;
static char scratch[1 << 16];

static u32 open_at(u32 dir, const char *path, u32 oflags, u64 rights, u32 fdflags) {
  u32 fd = (u32)-1;
  u32 error = path_open(dir, FOLLOW, path, strlen(path), oflags, rights, ALL, fdflags, &fd);
  if (error) printf("FAIL cannot open %s: %s\n", path, errno_names[error]), failures++;
  return fd;
}

static u32 write_fd(u32 fd, const char *text) {
  iovec_t v = {(u32)(uintptr_t)text, strlen(text)};
  return fd_write(fd, &v, 1, &got32);
}

static void make_file(const char *path, const char *text) {
  u32 fd = open_at(ROOT, path, O_CREAT_ | O_TRUNC_, ALL, 0);
  write_fd(fd, text);
  fd_close(fd);
}

// Read up to `size` bytes into `scratch`, NUL-terminated.
static u32 read_fd(u32 fd, u32 size) {
  iovec_t v = {(u32)(uintptr_t)scratch, size};
  got32 = 0;
  u32 error = fd_read(fd, &v, 1, &got32);
  scratch[error ? 0 : got32] = 0;
  return error;
}

static bool reads(u32 fd, const char *text) {
  return read_fd(fd, sizeof scratch - 1) == E_SUCCESS && strcmp(scratch, text) == 0;
}

static bool file_holds(const char *path, const char *text) {
  u32 fd = open_at(ROOT, path, 0, R(FD_READ), 0);
  bool same = reads(fd, text);
  fd_close(fd);
  return same;
}

static u32 stat_at(const char *path, u32 flags, filestat_t *to) {
  return path_filestat_get(ROOT, flags, path, strlen(path), to);
}

static int finish(void) {
  printf("%d failures\n", failures);
  return failures != 0;
}
