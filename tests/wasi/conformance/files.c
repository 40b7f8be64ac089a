// Calls on open files: reading, writing, positions, sizes, times.
#include "wasi.h"

static iovec_t vec(const void *at, u32 size) { return (iovec_t){(u32)(uintptr_t)at, size}; }

static void writing(void) {
  u32 fd = open_at(ROOT, "w", O_CREAT_, ALL, 0);
  iovec_t three[3] = {vec("abc", 3), vec(0, 0), vec("defg", 4)};
  CHECK(SUCCESS, "several pieces", fd_write, fd, three, 3, &got32);
  HOLDS(fd_write, "tells how much", got32 == 7);
  CHECK(SUCCESS, "no pieces", fd_write, fd, three, 0, &got32);
  HOLDS(fd_write, "no pieces are no bytes", got32 == 0);
  HOLDS(fd_write, "the pieces follow each other", file_holds("w", "abcdefg"));
  static iovec_t many[1025];
  for (int i = 0; i < 1025; i++) many[i] = vec("x", 1);
  CHECK(INVAL, "more than 1024 pieces", fd_write, fd, many, 1025, &got32);
  CHECK(SUCCESS, "1024 pieces", fd_write, fd, many, 1024, &got32);
  HOLDS(fd_write, "1024 pieces are written", got32 == 1024);
  fd_close(fd);
  CHECK(BADF, "closed", fd_write, fd, three, 3, &got32);
  fd = open_at(ROOT, "w", 0, R(FD_READ), 0);
  CHECK(NOTCAPABLE, "without the right", fd_write, fd, three, 3, &got32);
  CHECK(NOTCAPABLE, "without the right", fd_pwrite, fd, three, 3, 0, &got32);
  fd_close(fd);
  CHECK(NOTCAPABLE, "a directory", fd_write, ROOT, three, 3, &got32);
  CHECK(NOTCAPABLE, "a directory", fd_pwrite, ROOT, three, 3, 0, &got32);

  make_file("w", "123");
  fd = open_at(ROOT, "w", 0, ALL, F_APPEND);
  CHECK(SUCCESS, "of an appending file", fd_seek, fd, 0, FROM_START, &got64);
  write_fd(fd, "45");
  HOLDS(fd_write, "appends", file_holds("w", "12345"));
  CHECK(SUCCESS, "after appending", fd_tell, fd, &got64);
  HOLDS(fd_tell, "appending moves to the end", got64 == 5);
  fd_close(fd);

  make_file("w", "0123456789");
  fd = open_at(ROOT, "w", 0, ALL, 0);
  iovec_t two[2] = {vec("AB", 2), vec("C", 1)};
  CHECK(SUCCESS, "in the middle", fd_pwrite, fd, two, 2, 4, &got32);
  HOLDS(fd_pwrite, "tells how much", got32 == 3);
  fd_tell(fd, &got64);
  HOLDS(fd_pwrite, "leaves the position", got64 == 0);
  HOLDS(fd_pwrite, "writes there", file_holds("w", "0123ABC789"));
  CHECK(SUCCESS, "beyond the end", fd_pwrite, fd, two, 1, 12, &got32);
  fd_seek(fd, 10, FROM_START, &got64);
  read_fd(fd, 100);
  HOLDS(fd_pwrite, "a gap reads as zeros", got32 == 4 && !memcmp(scratch, "\0\0AB", 4));
  CHECK(INVAL, "at a negative offset", fd_pwrite, fd, two, 2, ~(u64)0, &got32);
  CHECK(INVAL, "more than 1024 pieces", fd_pwrite, fd, many, 1025, 0, &got32);
  CHECK(SUCCESS, "no pieces", fd_pwrite, fd, two, 0, 0, &got32);
  fd_close(fd);
  CHECK(BADF, "closed", fd_pwrite, fd, two, 2, 0, &got32);
}

static void reading(void) {
  make_file("r", "0123456789");
  u32 fd = open_at(ROOT, "r", 0, ALL, 0);
  char a[4] = "", b[8] = "";
  iovec_t v[3] = {vec(a, 3), vec(0, 0), vec(b, 5)};
  CHECK(SUCCESS, "into several pieces", fd_read, fd, v, 3, &got32);
  HOLDS(fd_read, "fills them in order", got32 == 8 && !memcmp(a, "012", 3) && !memcmp(b, "34567", 5));
  CHECK(SUCCESS, "the rest", fd_read, fd, v, 3, &got32);
  HOLDS(fd_read, "is short at the end", got32 == 2 && !memcmp(a, "89", 2));
  CHECK(SUCCESS, "at the end", fd_read, fd, v, 3, &got32);
  HOLDS(fd_read, "gives nothing at the end", got32 == 0);
  CHECK(SUCCESS, "into no pieces", fd_read, fd, v, 0, &got32);
  HOLDS(fd_read, "no pieces are no bytes", got32 == 0);

  CHECK(SUCCESS, "from the middle", fd_pread, fd, v, 3, 4, &got32);
  HOLDS(fd_pread, "reads there", got32 == 6 && !memcmp(a, "456", 3) && !memcmp(b, "789", 3));
  fd_tell(fd, &got64);
  HOLDS(fd_pread, "leaves the position", got64 == 10);
  CHECK(SUCCESS, "beyond the end", fd_pread, fd, v, 3, 100, &got32);
  HOLDS(fd_pread, "gives nothing there", got32 == 0);
  CHECK(INVAL, "at a negative offset", fd_pread, fd, v, 3, (u64)1 << 63, &got32);
  static iovec_t many[1025];
  CHECK(INVAL, "more than 1024 pieces", fd_read, fd, many, 1025, &got32);
  CHECK(INVAL, "more than 1024 pieces", fd_pread, fd, many, 1025, 0, &got32);
  fd_close(fd);
  CHECK(BADF, "closed", fd_read, fd, v, 3, &got32);
  CHECK(BADF, "closed", fd_pread, fd, v, 3, 0, &got32);
  fd = open_at(ROOT, "r", 0, R(FD_WRITE), 0);
  CHECK(NOTCAPABLE, "without the right", fd_read, fd, v, 3, &got32);
  CHECK(NOTCAPABLE, "without the right", fd_pread, fd, v, 3, 0, &got32);
  fd_close(fd);
  CHECK(NOTCAPABLE, "a directory", fd_read, ROOT, v, 3, &got32);
  CHECK(NOTCAPABLE, "a directory", fd_pread, ROOT, v, 3, 0, &got32);
}

static void positions(void) {
  make_file("p", "0123456789");
  u32 fd = open_at(ROOT, "p", 0, ALL, 0);
  CHECK(SUCCESS, "from the start", fd_seek, fd, 4, FROM_START, &got64);
  HOLDS(fd_seek, "from the start tells the position", got64 == 4);
  CHECK(SUCCESS, "from here", fd_seek, fd, -1, FROM_HERE, &got64);
  HOLDS(fd_seek, "from here tells the position", got64 == 3);
  CHECK(SUCCESS, "from the end", fd_seek, fd, -2, FROM_END, &got64);
  HOLDS(fd_seek, "from the end tells the position", got64 == 8 && reads(fd, "89"));
  CHECK(SUCCESS, "beyond the end", fd_seek, fd, 1000, FROM_START, &got64);
  HOLDS(fd_read, "gives nothing beyond the end", reads(fd, ""));
  CHECK(INVAL, "before the start", fd_seek, fd, -1, FROM_START, &got64);
  CHECK(INVAL, "before the start from the end", fd_seek, fd, -11, FROM_END, &got64);
  CHECK_UNKNOWN(INVAL, "from nowhere known", fd_seek, fd, 0, 3, &got64);
  CHECK(SUCCESS, "of a file", fd_tell, fd, &got64);
  HOLDS(fd_tell, "failed seeks do not move", got64 == 1000);
  CHECK(SUCCESS, "drop the right to seek", fd_fdstat_set_rights, fd, R(FD_TELL) | R(FD_READ), 0);
  CHECK(NOTCAPABLE, "without the right", fd_seek, fd, 1, FROM_START, &got64);
  CHECK(SUCCESS, "nowhere, with the right to tell", fd_seek, fd, 0, FROM_HERE, &got64);
  fd_fdstat_set_rights(fd, R(FD_READ), 0);
  CHECK(NOTCAPABLE, "without the right", fd_tell, fd, &got64);
  CHECK(NOTCAPABLE, "nowhere, without the right to tell", fd_seek, fd, 0, FROM_HERE, &got64);
  fd_close(fd);
  CHECK(BADF, "closed", fd_seek, fd, 0, FROM_START, &got64);
  CHECK(BADF, "closed", fd_tell, fd, &got64);
  CHECK(BADF, "a directory", fd_seek, ROOT, 0, FROM_START, &got64);
  CHECK(NOTCAPABLE, "a directory", fd_tell, ROOT, &got64);
  CHECK(SPIPE, "standard output", fd_seek, 1, 0, FROM_START, &got64);
  CHECK(SPIPE, "standard output", fd_tell, 1, &got64);
}

static void sizes(void) {
  make_file("s", "0123456789");
  filestat_t st;
  u32 fd = open_at(ROOT, "s", 0, ALL, 0);
  CHECK(SUCCESS, "shorter", fd_filestat_set_size, fd, 4);
  HOLDS(fd_filestat_set_size, "cuts", file_holds("s", "0123"));
  CHECK(SUCCESS, "longer", fd_filestat_set_size, fd, 6);
  HOLDS(fd_filestat_set_size, "fills with zeros",
        read_fd(fd, 100) == 0 && got32 == 6 && !memcmp(scratch, "0123\0\0", 6));
  CHECK(INVAL, "negative", fd_filestat_set_size, fd, ~(u64)0);
  CHECK(SUCCESS, "longer", fd_allocate, fd, 4, 16);
  CHECK(SUCCESS, "of a file", fd_filestat_get, fd, &st);
  HOLDS(fd_allocate, "makes it as long", st.size == 20);
  CHECK(SUCCESS, "of what is there", fd_allocate, fd, 0, 3);
  fd_filestat_get(fd, &st);
  HOLDS(fd_allocate, "never shortens", st.size == 20);
  CHECK(INVAL, "nothing", fd_allocate, fd, 0, 0);
  CHECK(INVAL, "at a negative offset", fd_allocate, fd, ~(u64)0, 1);
  CHECK(INVAL, "of a negative size", fd_allocate, fd, 0, ~(u64)0);
  HOLDS(fd_filestat_get, "type, links and identity",
        st.type == REGULAR && st.nlink == 1 && st.ino != 0);
  fd_fdstat_set_rights(fd, R(FD_READ), 0);
  CHECK(NOTCAPABLE, "without the right", fd_filestat_set_size, fd, 1);
  CHECK(NOTCAPABLE, "without the right", fd_allocate, fd, 0, 1);
  CHECK(NOTCAPABLE, "without the right", fd_filestat_get, fd, &st);
  fd_close(fd);
  CHECK(BADF, "closed", fd_filestat_set_size, fd, 1);
  CHECK(BADF, "closed", fd_allocate, fd, 0, 1);
  CHECK(BADF, "closed", fd_filestat_get, fd, &st);
  CHECK(SUCCESS, "of a directory", fd_filestat_get, ROOT, &st);
  HOLDS(fd_filestat_get, "a directory is one", st.type == DIRECTORY);
  CHECK(NOTCAPABLE, "a directory", fd_allocate, ROOT, 0, 1);
  CHECK(INVAL, "a directory", fd_filestat_set_size, ROOT, 0);
}

static void times(void) {
  make_file("t", "x");
  filestat_t st, before;
  u32 fd = open_at(ROOT, "t", 0, ALL, 0);
  const u64 a = 1000000000123456789, m = 1500000000000000001;
  CHECK(SUCCESS, "both", fd_filestat_set_times, fd, a, m, SET_ATIM | SET_MTIM);
  fd_filestat_get(fd, &st);
  HOLDS(fd_filestat_set_times, "to the nanosecond", st.atim == a && st.mtim == m);
  CHECK(SUCCESS, "one", fd_filestat_set_times, fd, 7, 8, SET_MTIM);
  fd_filestat_get(fd, &st);
  HOLDS(fd_filestat_set_times, "leaves the other", st.atim == a && st.mtim == 8);
  clock_time_get(0, 0, &got64);
  CHECK(SUCCESS, "now", fd_filestat_set_times, fd, 0, 0, SET_ATIM_NOW);
  fd_filestat_get(fd, &st);
  // the system's clock for files may be a tick behind
  HOLDS(fd_filestat_set_times, "now is now", st.atim + 100000000 > got64 && st.mtim == 8);
  before = st;
  CHECK(SUCCESS, "none", fd_filestat_set_times, fd, 1, 2, 0);
  fd_filestat_get(fd, &st);
  HOLDS(fd_filestat_set_times, "none changes nothing", !memcmp(&before, &st, sizeof st));
  CHECK(INVAL, "a given time and now", fd_filestat_set_times, fd, 0, 0, SET_ATIM | SET_ATIM_NOW);
  CHECK(INVAL, "a given time and now, of the other", fd_filestat_set_times, fd, 0, 0,
        SET_MTIM | SET_MTIM_NOW);
  CHECK_UNKNOWN(INVAL, "unknown flags", fd_filestat_set_times, fd, 0, 0, 16);
  fd_fdstat_set_rights(fd, R(FD_READ), 0);
  CHECK(NOTCAPABLE, "without the right", fd_filestat_set_times, fd, 0, 0, SET_ATIM);
  fd_close(fd);
  CHECK(BADF, "closed", fd_filestat_set_times, fd, 0, 0, SET_ATIM);
  CHECK(SUCCESS, "of a directory", fd_filestat_set_times, ROOT, a, m, SET_ATIM | SET_MTIM);
}

static void hints(void) {
  make_file("h", "0123456789");
  u32 fd = open_at(ROOT, "h", 0, ALL, 0);
  for (u32 advice = 0; advice < 6; advice++)
    CHECK(SUCCESS, "each advice", fd_advise, fd, 0, 10, advice);
  CHECK_UNKNOWN(INVAL, "no advice", fd_advise, fd, 0, 10, 6);
  CHECK(INVAL, "of a negative size", fd_advise, fd, 0, ~(u64)0, 0);
  CHECK(INVAL, "at a negative offset", fd_advise, fd, ~(u64)0, 10, 0);
  HOLDS(fd_advise, "changes nothing", file_holds("h", "0123456789"));
  CHECK(SUCCESS, "a file", fd_datasync, fd);
  CHECK(SUCCESS, "a file", fd_sync, fd);
  fd_fdstat_set_rights(fd, R(FD_READ), 0);
  CHECK(NOTCAPABLE, "without the right", fd_advise, fd, 0, 10, 0);
  CHECK(NOTCAPABLE, "without the right", fd_datasync, fd);
  CHECK(NOTCAPABLE, "without the right", fd_sync, fd);
  fd_close(fd);
  CHECK(BADF, "closed", fd_advise, fd, 0, 10, 0);
  CHECK(BADF, "closed", fd_datasync, fd);
  CHECK(BADF, "closed", fd_sync, fd);
  CHECK(BADF, "a directory", fd_advise, ROOT, 0, 10, 0);
  CHECK(SUCCESS, "a directory", fd_datasync, ROOT);
  CHECK(SUCCESS, "a directory", fd_sync, ROOT);
}

int main(void) {
  writing();
  reading();
  positions();
  sizes();
  times();
  hints();
  return finish();
}
