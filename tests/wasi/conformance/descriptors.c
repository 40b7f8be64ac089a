// The table of descriptors: closing, renumbering, flags, rights, preopened directories.
#include "wasi.h"

static void closing(void) {
  u32 fd = open_at(ROOT, "a", O_CREAT_, ALL, 0);
  CHECK(SUCCESS, "open", fd_close, fd);
  CHECK(BADF, "closed", fd_close, fd);
  CHECK(BADF, "never opened", fd_close, CLOSED);
  CHECK(BADF, "2^31 - 1", fd_close, 0x7fffffff);
  CHECK(BADF, "-1", fd_close, (u32)-1);
}

static void renumbering(void) {
  make_file("a", "aaa");
  make_file("b", "bbb");
  u32 a = open_at(ROOT, "a", 0, ALL, 0), b = open_at(ROOT, "b", 0, ALL, 0);
  CHECK(SUCCESS, "onto another", fd_renumber, a, b);
  HOLDS(fd_renumber, "the target is the source now", reads(b, "aaa"));
  CHECK(BADF, "of the source afterwards", fd_close, a);
  CHECK(SUCCESS, "onto itself", fd_renumber, b, b);
  HOLDS(fd_renumber, "onto itself keeps it", fd_seek(b, 0, FROM_START, &got64) == 0 && reads(b, "aaa"));
  CHECK(BADF, "from a closed one", fd_renumber, CLOSED, b);
  CHECK(BADF, "onto a closed one", fd_renumber, b, CLOSED);
  CHECK(BADF, "onto itself, closed", fd_renumber, CLOSED, CLOSED);
  CHECK(SUCCESS, "after all", fd_close, b);
}

static void stats(void) {
  make_file("f", "0123");
  fdstat_t st;
  u32 fd = open_at(ROOT, "f", 0, R(FD_READ) | R(FD_WRITE) | R(FD_TELL), F_APPEND);
  CHECK(SUCCESS, "a file", fd_fdstat_get, fd, &st);
  HOLDS(fd_fdstat_get, "type of a file", st.type == REGULAR);
  HOLDS(fd_fdstat_get, "flags it was opened with", st.flags == F_APPEND);
  HOLDS(fd_fdstat_get, "rights it was opened with",
        st.rights == (R(FD_READ) | R(FD_WRITE) | R(FD_TELL)));
  CHECK(SUCCESS, "a directory", fd_fdstat_get, ROOT, &st);
  HOLDS(fd_fdstat_get, "type of a directory", st.type == DIRECTORY);
  HOLDS(fd_fdstat_get, "rights of a directory",
        st.rights & R(PATH_OPEN) && !(st.rights & (R(FD_SEEK) | R(FD_READ) | R(FD_WRITE))));
  HOLDS(fd_fdstat_get, "rights below a directory", (st.inheriting & R(FD_READ)) != 0);
  CHECK(BADF, "closed", fd_fdstat_get, CLOSED, &st);
  for (u32 i = 0; i < 3; i++) CHECK(SUCCESS, "standard streams", fd_fdstat_get, i, &st);

  fd_fdstat_set_rights(fd, ALL, 0);
  CHECK(NOTCAPABLE, "without the right", fd_fdstat_set_flags, fd, 0);
  fd_close(fd);
  fd = open_at(ROOT, "f", 0, ALL, F_APPEND);
  CHECK(SUCCESS, "none", fd_fdstat_set_flags, fd, 0);
  write_fd(fd, "X");
  HOLDS(fd_fdstat_set_flags, "no longer appends", file_holds("f", "X123"));
  CHECK(SUCCESS, "append", fd_fdstat_set_flags, fd, F_APPEND);
  write_fd(fd, "Y");
  HOLDS(fd_fdstat_set_flags, "appends", file_holds("f", "X123Y"));
  CHECK(SUCCESS, "append, nonblock", fd_fdstat_set_flags, fd, F_APPEND | F_NONBLOCK);
  fd_fdstat_get(fd, &st);
  HOLDS(fd_fdstat_set_flags, "are told", st.flags == (F_APPEND | F_NONBLOCK));
  CHECK(NOTSUP, "dsync", fd_fdstat_set_flags, fd, F_DSYNC);
  CHECK(NOTSUP, "rsync", fd_fdstat_set_flags, fd, F_RSYNC);
  CHECK(NOTSUP, "sync", fd_fdstat_set_flags, fd, F_SYNC);
  CHECK_UNKNOWN(INVAL, "unknown ones", fd_fdstat_set_flags, fd, 32);
  fd_fdstat_get(fd, &st);
  HOLDS(fd_fdstat_set_flags, "failures change nothing", st.flags == (F_APPEND | F_NONBLOCK));
  CHECK(BADF, "closed", fd_fdstat_set_flags, CLOSED, 0);

  CHECK(SUCCESS, "the same", fd_fdstat_set_rights, fd, (fd_fdstat_get(fd, &st), st.rights),
        st.inheriting);
  u64 fewer = R(FD_READ) | R(FD_SEEK);
  CHECK(SUCCESS, "fewer", fd_fdstat_set_rights, fd, fewer, 0);
  fd_fdstat_get(fd, &st);
  HOLDS(fd_fdstat_set_rights, "are told", st.rights == fewer && st.inheriting == 0);
  CHECK(NOTCAPABLE, "are gone", fd_write, fd, scratch, 0, &got32);
  CHECK(NOTCAPABLE, "more", fd_fdstat_set_rights, fd, fewer | R(FD_WRITE), 0);
  CHECK(NOTCAPABLE, "more below", fd_fdstat_set_rights, fd, fewer, R(FD_READ));
  CHECK_UNKNOWN(NOTCAPABLE, "unknown ones", fd_fdstat_set_rights, fd, fewer | R(40), 0);
  CHECK(SUCCESS, "none", fd_fdstat_set_rights, fd, 0, 0);
  CHECK(NOTCAPABLE, "are gone", fd_read, fd, scratch, 0, &got32);
  CHECK(BADF, "closed", fd_fdstat_set_rights, CLOSED, 0, 0);
  CHECK(SUCCESS, "without rights", fd_close, fd);

  // what a directory may give decides what is opened below it
  path_create_directory(ROOT, P("d"));
  fd = open_at(ROOT, "d", O_DIRECTORY_, R(PATH_OPEN) | R(PATH_CREATE_FILE) | R(FD_READDIR), 0);
  CHECK(SUCCESS, "below a directory", fd_fdstat_set_rights, fd, R(PATH_OPEN) | R(PATH_CREATE_FILE),
        R(FD_READ) | R(PATH_OPEN));
  CHECK(SUCCESS, "within what is left", path_open, fd, 0, P("x"), O_CREAT_, R(FD_READ), 0, 0, &got32);
  fd_close(got32);
  CHECK(NOTCAPABLE, "beyond what is left", path_open, fd, 0, P("x"), 0, R(FD_WRITE), 0, 0, &got32);
  CHECK(NOTCAPABLE, "beyond, below", path_open, fd, 0, P("x"), 0, R(FD_READ), R(FD_WRITE), 0, &got32);
  CHECK(NOTCAPABLE, "without the right to truncate", path_open, fd, 0, P("x"), O_TRUNC_, R(FD_READ),
        0, 0, &got32);
  fd_close(fd);
}

static void preopened(void) {
  prestat_t st = {9, 9};
  char name[8] = "......";
  CHECK(SUCCESS, "the directory", fd_prestat_get, ROOT, &st);
  HOLDS(fd_prestat_get, "a directory, and the length of its name", st.tag == 0 && st.size == 1);
  CHECK(SUCCESS, "the directory", fd_prestat_dir_name, ROOT, name, 1);
  HOLDS(fd_prestat_dir_name, "its name, and no more", !memcmp(name, "/.....", 6));
  CHECK(SUCCESS, "room to spare", fd_prestat_dir_name, ROOT, name, 8);
  CHECK(NAMETOOLONG, "no room", fd_prestat_dir_name, ROOT, name, 0);
  CHECK(BADF, "the last", fd_prestat_get, ROOT + 1, &st);
  CHECK(BADF, "a stream", fd_prestat_get, 1, &st);
  CHECK(BADF, "a stream", fd_prestat_dir_name, 1, name, 8);
  CHECK(BADF, "closed", fd_prestat_get, CLOSED, &st);
  CHECK(BADF, "closed", fd_prestat_dir_name, CLOSED, name, 8);
  u32 fd = open_at(ROOT, ".", O_DIRECTORY_, R(PATH_OPEN), 0);
  CHECK(BADF, "a directory that was opened", fd_prestat_get, fd, &st);
  CHECK(BADF, "a directory that was opened", fd_prestat_dir_name, fd, name, 8);
  CHECK(SUCCESS, "a preopened directory", fd_renumber, fd, ROOT);
  CHECK(BADF, "one that was replaced", fd_prestat_get, ROOT, &st);
  CHECK(SUCCESS, "what replaced it", fd_close, ROOT);
  CHECK(BADF, "after closing the directory", path_create_directory, ROOT, P("gone"));
}

int main(void) {
  closing();
  renumbering();
  stats();
  preopened();
  return finish();
}
