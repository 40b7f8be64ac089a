// Opening by path, attributes by path, and symbolic links.
#include "wasi.h"

static char longest[300];

static u32 open_only(const char *path, u32 lookup, u32 oflags, u64 rights, u32 fdflags) {
  u32 fd = (u32)-1;
  u32 error = path_open(ROOT, lookup, path, strlen(path), oflags, rights, 0, fdflags, &fd);
  if (!error) fd_close(fd);
  return error;
}
#define OPEN(want, what, path, lookup, oflags, rights) \
  expect("path_open", what, E_##want, open_only(path, lookup, oflags, rights, 0))

static void opening(void) {
  const u64 rw = R(FD_READ) | R(FD_WRITE);
  path_create_directory(ROOT, P("d"));
  OPEN(NOENT, "nothing", "f", 0, 0, rw);
  OPEN(SUCCESS, "create", "f", 0, O_CREAT_, rw);
  OPEN(SUCCESS, "create what is there", "f", 0, O_CREAT_, rw);
  OPEN(EXIST, "create exclusively what is there", "f", 0, O_CREAT_ | O_EXCL_, rw);
  OPEN(SUCCESS, "create exclusively", "g", 0, O_CREAT_ | O_EXCL_, rw);
  OPEN(NOENT, "create below nothing", "none/f", 0, O_CREAT_, rw);
  OPEN(NOTDIR, "create below a file", "f/x", 0, O_CREAT_, rw);
  OPEN(ISDIR, "create with a trailing slash", "new/", 0, O_CREAT_, rw);
  OPEN(NOTDIR, "a file as a directory", "f", 0, O_DIRECTORY_, R(FD_READ));
  OPEN(NOTDIR, "a file with a trailing slash", "f/", 0, 0, R(FD_READ));
  OPEN(SUCCESS, "a directory", "d", 0, O_DIRECTORY_, R(FD_READDIR));
  OPEN(SUCCESS, "a directory without saying so", "d", 0, 0, R(FD_READDIR));
  OPEN(SUCCESS, "a directory with a trailing slash", "d/", 0, 0, R(FD_READDIR));
  OPEN(ISDIR, "a directory to write", "d", 0, O_DIRECTORY_, rw);
  OPEN(ISDIR, "truncate a directory", "d", 0, O_TRUNC_, rw);
  OPEN(INVAL, "create a directory", "new", 0, O_DIRECTORY_ | O_CREAT_, R(FD_READ));
  OPEN(NOENT, "no name", "", 0, O_CREAT_, rw);
  OPEN(SUCCESS, "here", ".", 0, O_DIRECTORY_, 0);
  OPEN(SUCCESS, "up and down", "d/../d/.././f", 0, 0, R(FD_READ));
  OPEN(NOTDIR, "up from a file", "f/../f", 0, 0, R(FD_READ));
  OPEN(NOENT, "up from nothing", "none/../f", 0, 0, R(FD_READ));
  OPEN(SUCCESS, "doubled slashes", ".//d//..//f", 0, 0, R(FD_READ));
  OPEN(NOTCAPABLE, "above", "..", 0, O_DIRECTORY_, 0);
  OPEN(NOTCAPABLE, "above by a detour", "d/../../f", 0, 0, R(FD_READ));
  OPEN(NOTCAPABLE, "above and back", "../root/f", 0, 0, R(FD_READ));
  OPEN(NOTCAPABLE, "an absolute path", "/f", 0, 0, R(FD_READ));
  OPEN(NAMETOOLONG, "a name of 300 bytes", longest, 0, 0, R(FD_READ));
  CHECK(ILSEQ, "a name that is not UTF-8", path_open, ROOT, 0, P("a\xff"), 0, 0, 0, 0, &got32);
  CHECK(INVAL, "a name with a NUL", path_open, ROOT, 0, P("f\0x"), 0, 0, 0, 0, &got32);
  CHECK(BADF, "closed", path_open, CLOSED, 0, P("f"), 0, 0, 0, 0, &got32);
  CHECK(BADF, "a standard stream", path_open, CLOSED, 0, P("f"), 0, 0, 0, 0, &got32);
  CHECK_UNKNOWN(INVAL, "unknown oflags", path_open, ROOT, 0, P("f"), 16, 0, 0, 0, &got32);
  CHECK_UNKNOWN(INVAL, "unknown fdflags", path_open, ROOT, 0, P("f"), 0, 0, 0, 32, &got32);
  CHECK_UNKNOWN(INVAL, "unknown lookup flags", path_open, ROOT, 2, P("f"), 0, 0, 0, 0, &got32);
  CHECK_UNKNOWN(NOTCAPABLE, "unknown rights", path_open, ROOT, 0, P("f"), 0, R(40), 0, 0, &got32);
  u32 fd = open_at(ROOT, "f", 0, rw, 0);
  CHECK(NOTDIR, "from a file", path_open, fd, 0, P("x"), 0, 0, 0, 0, &got32);
  write_fd(fd, "content");
  fd_close(fd);
  u32 folder = open_at(ROOT, "d", O_DIRECTORY_, ALL & ~R(PATH_OPEN) & ~R(FD_WRITE), 0);
  CHECK(NOTCAPABLE, "without the right", path_open, folder, 0, P("x"), 0, 0, 0, 0, &got32);
  fd_close(folder);
  folder = open_at(ROOT, "d", O_DIRECTORY_, R(PATH_OPEN), 0);
  CHECK(NOTCAPABLE, "create without the right", path_open, folder, 0, P("x"), O_CREAT_, 0, 0, 0, &got32);
  CHECK(NOTCAPABLE, "truncate without the right", path_open, folder, 0, P("x"), O_TRUNC_, 0, 0, 0, &got32);
  CHECK(SUCCESS, "of a directory that was opened, below", path_open, folder, 0, P("."), O_DIRECTORY_, 0, 0, 0, &got32);
  fd_close(got32);
  CHECK(NOTCAPABLE, "above a directory that was opened", path_open, folder, 0, P("../f"), 0, 0, 0, 0, &got32);
  fd_close(folder);
  OPEN(SUCCESS, "truncate", "f", 0, O_TRUNC_, rw);
  HOLDS(path_open, "truncates", file_holds("f", ""));
  for (u32 flag = 1; flag <= 16; flag *= 2)
    expect("path_open", "each fdflag", E_SUCCESS, open_only("f", 0, 0, rw, flag));
  u32 a = open_at(ROOT, "f", 0, rw, 0), b = open_at(ROOT, "f", 0, rw, 0);
  HOLDS(path_open, "two descriptors have two positions", a != b && !write_fd(a, "ab") && reads(b, "ab"));
  fd_close(a), fd_close(b);
}

static void links(void) {
  filestat_t st, target;
  make_file("file", "target");
  CHECK(SUCCESS, "to a file", path_symlink, P("file"), ROOT, P("link"));
  CHECK(SUCCESS, "to a directory", path_symlink, P("d"), ROOT, P("dlink"));
  CHECK(SUCCESS, "to nothing", path_symlink, P("nothing"), ROOT, P("dangling"));
  CHECK(SUCCESS, "to itself", path_symlink, P("loop"), ROOT, P("loop"));
  CHECK(SUCCESS, "to above", path_symlink, P("../outside"), ROOT, P("up"));
  CHECK(EXIST, "over something", path_symlink, P("file"), ROOT, P("link"));
  CHECK(EXIST, "over a dangling link", path_symlink, P("file"), ROOT, P("dangling"));
  CHECK(NOTCAPABLE, "to an absolute path", path_symlink, P("/etc"), ROOT, P("abs"));
  CHECK(NOTCAPABLE, "above", path_symlink, P("file"), ROOT, P("../x"));
  CHECK(NOENT, "to no name", path_symlink, "", 0, ROOT, P("x"));
  CHECK(NOENT, "of no name", path_symlink, P("file"), ROOT, "", 0);
  CHECK(NOENT, "below nothing", path_symlink, P("file"), ROOT, P("none/x"));
  CHECK(NOTDIR, "below a file", path_symlink, P("file"), ROOT, P("file/x"));
  CHECK(NOENT, "with a trailing slash", path_symlink, P("file"), ROOT, P("x/"));
  CHECK(BADF, "closed", path_symlink, P("file"), CLOSED, P("x"));
  CHECK(NAMETOOLONG, "a name of 300 bytes", path_symlink, P("file"), ROOT, longest, 299);
  CHECK(ILSEQ, "a name that is not UTF-8", path_symlink, P("file"), ROOT, P("\x80"));
  CHECK(ILSEQ, "to a name that is not UTF-8", path_symlink, P("\x80"), ROOT, P("x"));
  CHECK(INVAL, "to a name with a NUL", path_symlink, P("a\0b"), ROOT, P("x"));

  CHECK(SUCCESS, "a link", path_readlink, ROOT, P("link"), scratch, 100, &got32);
  HOLDS(path_readlink, "says where it points", got32 == 4 && !memcmp(scratch, "file", 4));
  memset(scratch, '.', 9);
  CHECK(SUCCESS, "a small buffer", path_readlink, ROOT, P("link"), scratch, 2, &got32);
  HOLDS(path_readlink, "is cut", got32 == 2 && !memcmp(scratch, "fi..", 4));
  CHECK(SUCCESS, "a link that leads out", path_readlink, ROOT, P("up"), scratch, 100, &got32);
  CHECK(INVAL, "a file", path_readlink, ROOT, P("file"), scratch, 100, &got32);
  CHECK(INVAL, "a directory", path_readlink, ROOT, P("d"), scratch, 100, &got32);
  CHECK(NOENT, "nothing", path_readlink, ROOT, P("none"), scratch, 100, &got32);
  CHECK(NOTDIR, "below a file", path_readlink, ROOT, P("file/x"), scratch, 100, &got32);
  CHECK(NOTCAPABLE, "above", path_readlink, ROOT, P("../x"), scratch, 100, &got32);
  CHECK(BADF, "closed", path_readlink, CLOSED, P("link"), scratch, 100, &got32);

  OPEN(SUCCESS, "a link, followed", "link", FOLLOW, 0, R(FD_READ));
  OPEN(LOOP, "a link, not followed", "link", 0, 0, R(FD_READ));
  OPEN(SUCCESS, "through a link to a directory", "dlink/../file", 0, 0, R(FD_READ));
  OPEN(SUCCESS, "a link to a directory with a trailing slash", "dlink/", 0, O_DIRECTORY_, 0);
  OPEN(NOTDIR, "a link to a file with a trailing slash", "link/", FOLLOW, 0, R(FD_READ));
  OPEN(NOENT, "a dangling link", "dangling", FOLLOW, 0, R(FD_READ));
  OPEN(LOOP, "a loop", "loop", FOLLOW, 0, R(FD_READ));
  OPEN(LOOP, "a loop on the way", "loop/x", 0, 0, R(FD_READ));
  OPEN(NOTCAPABLE, "a link that leads out", "up", FOLLOW, 0, R(FD_READ));
  OPEN(NOTCAPABLE, "below a link that leads out", "up/x", 0, 0, R(FD_READ));
  OPEN(EXIST, "create exclusively a link", "dangling", FOLLOW, O_CREAT_ | O_EXCL_, R(FD_READ));
  OPEN(SUCCESS, "create through a dangling link", "dangling", FOLLOW, O_CREAT_, R(FD_READ));
  HOLDS(path_open, "the target of the link is created", stat_at("nothing", 0, &st) == E_SUCCESS);

  expect("path_filestat_get", "a link itself", E_SUCCESS, stat_at("link", 0, &st));
  HOLDS(path_filestat_get, "a link is one", st.type == SYMLINK && st.size == 4);
  expect("path_filestat_get", "a link, followed", E_SUCCESS, stat_at("link", FOLLOW, &st));
  stat_at("file", 0, &target);
  HOLDS(path_filestat_get, "is its target", st.type == REGULAR && st.ino == target.ino && st.size == 6);
}

static void attributes(void) {
  filestat_t st, before;
  expect("path_filestat_get", "a directory", E_SUCCESS, stat_at("d", 0, &st));
  HOLDS(path_filestat_get, "a directory is one", st.type == DIRECTORY);
  expect("path_filestat_get", "a directory with a trailing slash", E_SUCCESS, stat_at("d/", 0, &st));
  expect("path_filestat_get", "here", E_SUCCESS, stat_at(".", 0, &st));
  expect("path_filestat_get", "nothing", E_NOENT, stat_at("none", 0, &st));
  expect("path_filestat_get", "no name", E_NOENT, stat_at("", 0, &st));
  expect("path_filestat_get", "below a file", E_NOTDIR, stat_at("file/x", 0, &st));
  expect("path_filestat_get", "a file with a trailing slash", E_NOTDIR, stat_at("file/", 0, &st));
  expect("path_filestat_get", "above", E_NOTCAPABLE, stat_at("..", 0, &st));
  expect("path_filestat_get", "a loop", E_LOOP, stat_at("loop", FOLLOW, &st));
  expect("path_filestat_get", "a loop itself", E_SUCCESS, stat_at("loop", 0, &st));
  expect("path_filestat_get", "a name of 300 bytes", E_NAMETOOLONG, stat_at(longest, 0, &st));
  CHECK(BADF, "closed", path_filestat_get, CLOSED, 0, P("file"), &st);
  u32 folder = open_at(ROOT, "d", O_DIRECTORY_, R(PATH_OPEN), 0);
  CHECK(NOTCAPABLE, "without the right", path_filestat_get, folder, 0, P("x"), &st);
  CHECK(NOTCAPABLE, "without the right", path_filestat_set_times, folder, 0, P("x"), 0, 0, 0);
  fd_close(folder);

  const u64 a = 1111111111222222222, m = 1333333333444444444;
  CHECK(SUCCESS, "both", path_filestat_set_times, ROOT, 0, P("file"), a, m, SET_ATIM | SET_MTIM);
  stat_at("file", 0, &st);
  HOLDS(path_filestat_set_times, "to the nanosecond", st.atim == a && st.mtim == m);
  stat_at("file", 0, &before);
  CHECK(SUCCESS, "of a link itself", path_filestat_set_times, ROOT, 0, P("link"), 5, 6, SET_ATIM | SET_MTIM);
  stat_at("file", 0, &st);
  HOLDS(path_filestat_set_times, "not through the link", st.atim == a && st.mtim == m);
  CHECK(SUCCESS, "through a link", path_filestat_set_times, ROOT, FOLLOW, P("link"), 0, 7, SET_MTIM);
  stat_at("file", 0, &st);
  HOLDS(path_filestat_set_times, "through the link", st.mtim == 7);
  CHECK(SUCCESS, "now", path_filestat_set_times, ROOT, 0, P("file"), 0, 0, SET_MTIM_NOW);
  stat_at("file", 0, &st);
  HOLDS(path_filestat_set_times, "now is later", st.mtim > a && st.atim == a);
  CHECK(INVAL, "a given time and now", path_filestat_set_times, ROOT, 0, P("file"), 0, 0, 3);
  CHECK_UNKNOWN(INVAL, "unknown flags", path_filestat_set_times, ROOT, 0, P("file"), 0, 0, 16);
  CHECK(NOENT, "nothing", path_filestat_set_times, ROOT, 0, P("none"), 0, 0, SET_MTIM);
  CHECK(NOTDIR, "a file with a trailing slash", path_filestat_set_times, ROOT, 0, P("file/"), 0, 0, SET_MTIM);
  CHECK(NOTCAPABLE, "above", path_filestat_set_times, ROOT, 0, P(".."), 0, 0, SET_MTIM);
  CHECK(BADF, "closed", path_filestat_set_times, CLOSED, 0, P("file"), 0, 0, SET_MTIM);
}

int main(void) {
  memset(longest, 'n', sizeof longest - 1);
  opening();
  links();
  attributes();
  return finish();
}
