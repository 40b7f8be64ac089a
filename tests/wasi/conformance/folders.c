// Directories: making, removing, listing; files: unlinking, linking, renaming.
#include "wasi.h"

static char longest[300];  // a name longer than any file system takes
static char deep[5000];    // a path longer than any kernel takes

static void making(void) {
  CHECK(SUCCESS, "new", path_create_directory, ROOT, P("d"));
  CHECK(EXIST, "a directory", path_create_directory, ROOT, P("d"));
  CHECK(SUCCESS, "with a trailing slash", path_create_directory, ROOT, P("d/e/"));
  make_file("f", "x");
  CHECK(EXIST, "a file", path_create_directory, ROOT, P("f"));
  CHECK(NOTDIR, "below a file", path_create_directory, ROOT, P("f/x"));
  CHECK(NOENT, "below nothing", path_create_directory, ROOT, P("none/x"));
  CHECK(NOENT, "no name", path_create_directory, ROOT, "", 0);
  CHECK(EXIST, "here", path_create_directory, ROOT, P("."));
  CHECK(NOTCAPABLE, "above", path_create_directory, ROOT, P("../x"));
  CHECK(NOTCAPABLE, "above by a detour", path_create_directory, ROOT, P("d/../../x"));
  CHECK(NOTCAPABLE, "at an absolute path", path_create_directory, ROOT, P("/x"));
  CHECK(NAMETOOLONG, "a name of 300 bytes", path_create_directory, ROOT, longest, 300);
  CHECK(NAMETOOLONG, "a path of 5000 bytes", path_create_directory, ROOT, deep, 5000);
  CHECK(ILSEQ, "a name that is not UTF-8", path_create_directory, ROOT, P("\xff"));
  CHECK(INVAL, "a name with a NUL", path_create_directory, ROOT, P("a\0b"));
  path_symlink(P("nowhere"), ROOT, P("dangling"));
  CHECK(EXIST, "a dangling link", path_create_directory, ROOT, P("dangling"));
  CHECK(SUCCESS, "a name beyond ASCII", path_create_directory, ROOT, P("\xc3\xa9 \xe2\x82\xac"));
  CHECK(BADF, "closed", path_create_directory, CLOSED, P("x"));
  u32 file = open_at(ROOT, "f", 0, ALL, 0);
  CHECK(NOTDIR, "from a file", path_create_directory, file, P("x"));
  fd_close(file);
  u32 bare = open_at(ROOT, "d", O_DIRECTORY_, R(PATH_OPEN), 0);
  CHECK(NOTCAPABLE, "without the right", path_create_directory, bare, P("x"));
  CHECK(NOTCAPABLE, "without the right", path_remove_directory, bare, P("e"));
  CHECK(NOTCAPABLE, "without the right", path_unlink_file, bare, P("e"));
  CHECK(NOTCAPABLE, "without the right", fd_readdir, bare, scratch, 100, 0, &got32);
  CHECK(NOTCAPABLE, "without the right", path_link, bare, 0, P("e"), ROOT, P("x"));
  CHECK(NOTCAPABLE, "without the right to the target", path_link, ROOT, 0, P("f"), bare, P("x"));
  CHECK(NOTCAPABLE, "without the right", path_rename, bare, P("e"), ROOT, P("x"));
  CHECK(NOTCAPABLE, "without the right to the target", path_rename, ROOT, P("f"), bare, P("x"));
  CHECK(NOTCAPABLE, "without the right", path_symlink, P("e"), bare, P("x"));
  CHECK(NOTCAPABLE, "without the right", path_readlink, bare, P("e"), scratch, 9, &got32);
  fd_close(bare);
}

static void removing(void) {
  CHECK(NOTEMPTY, "with something in it", path_remove_directory, ROOT, P("d"));
  CHECK(SUCCESS, "empty", path_remove_directory, ROOT, P("d/e"));
  CHECK(NOENT, "again", path_remove_directory, ROOT, P("d/e"));
  path_create_directory(ROOT, P("d/e"));
  CHECK(SUCCESS, "with a trailing slash", path_remove_directory, ROOT, P("d/e/"));
  CHECK(NOTDIR, "a file", path_remove_directory, ROOT, P("f"));
  CHECK(NOTDIR, "below a file", path_remove_directory, ROOT, P("f/x"));
  CHECK(NOENT, "no name", path_remove_directory, ROOT, "", 0);
  CHECK(INVAL, "here", path_remove_directory, ROOT, P("."));
  path_symlink(P("d"), ROOT, P("to-d"));
  CHECK(NOTDIR, "a link to a directory", path_remove_directory, ROOT, P("to-d"));
  CHECK(NOTDIR, "a link with a trailing slash", path_remove_directory, ROOT, P("to-d/"));
  CHECK(NOTCAPABLE, "above", path_remove_directory, ROOT, P(".."));
  CHECK(NOTCAPABLE, "at an absolute path", path_remove_directory, ROOT, P("/tmp"));
  CHECK(BADF, "closed", path_remove_directory, CLOSED, P("d"));
  CHECK(ILSEQ, "a name that is not UTF-8", path_remove_directory, ROOT, P("\xc0\x80"));
  CHECK(NAMETOOLONG, "a name of 300 bytes", path_remove_directory, ROOT, longest, 300);
  u32 open = open_at(ROOT, "d", O_DIRECTORY_, R(PATH_OPEN) | R(PATH_CREATE_FILE) | R(FD_READDIR), 0);
  CHECK(SUCCESS, "while it is open", path_remove_directory, ROOT, P("d"));
  CHECK(NOENT, "in a directory that was removed", path_open, open, 0, P("x"), O_CREAT_, 0, 0, 0, &got32);
  fd_close(open);

  CHECK(SUCCESS, "a file", path_unlink_file, ROOT, P("f"));
  CHECK(NOENT, "again", path_unlink_file, ROOT, P("f"));
  path_create_directory(ROOT, P("d"));
  CHECK(ISDIR, "a directory", path_unlink_file, ROOT, P("d"));
  CHECK(ISDIR, "a directory with a trailing slash", path_unlink_file, ROOT, P("d/"));
  CHECK(SUCCESS, "a link and not where it points", path_unlink_file, ROOT, P("to-d"));
  filestat_t st;
  HOLDS(path_unlink_file, "what a link pointed to stays", stat_at("d", 0, &st) == E_SUCCESS);
  CHECK(SUCCESS, "a dangling link", path_unlink_file, ROOT, P("dangling"));
  make_file("f", "x");
  CHECK(NOTDIR, "a file with a trailing slash", path_unlink_file, ROOT, P("f/"));
  path_symlink(P("d"), ROOT, P("to-d"));
  CHECK(NOTDIR, "a link with a trailing slash", path_unlink_file, ROOT, P("to-d/"));
  CHECK(NOTDIR, "below a file", path_unlink_file, ROOT, P("f/x"));
  CHECK(NOENT, "no name", path_unlink_file, ROOT, "", 0);
  CHECK(NOTCAPABLE, "above", path_unlink_file, ROOT, P("../x"));
  CHECK(BADF, "closed", path_unlink_file, CLOSED, P("f"));
  CHECK(NAMETOOLONG, "a name of 300 bytes", path_unlink_file, ROOT, longest, 300);
  u32 fd = open_at(ROOT, "f", 0, ALL, 0);
  CHECK(SUCCESS, "while it is open", path_unlink_file, ROOT, P("f"));
  HOLDS(path_unlink_file, "an open file can still be read", reads(fd, "x"));
  fd_filestat_get(fd, &st);
  HOLDS(fd_filestat_get, "no links are left", st.nlink == 0);
  fd_close(fd);
}

// List a directory through a buffer of `room` bytes; how many entries, or -1 if one came twice.
static int list(u32 fd, u32 room, bool *seen, int most) {
  u64 cookie = 0;
  int entries = 0;
  memset(seen, 0, most);
  for (;;) {
    if (fd_readdir(fd, scratch, room, cookie, &got32) || got32 > room) return -1;
    u32 at = 0;
    while (at + sizeof(dirent_t) <= got32) {
      dirent_t entry;
      memcpy(&entry, scratch + at, sizeof entry);
      if (at + sizeof entry + entry.namlen > got32) break;
      char name[300] = "";
      memcpy(name, scratch + at + sizeof entry, entry.namlen);
      if (!strncmp(name, "entry", 5)) {
        int number = atoi(name + 5);
        if (seen[number] || entry.type != REGULAR) return -1;
        seen[number] = true;
      } else if ((strcmp(name, ".") && strcmp(name, "..")) || entry.type != DIRECTORY) {
        return -1;
      }
      entries++;
      cookie = entry.next;
      at += sizeof entry + entry.namlen;
    }
    if (got32 < room) return entries;
    if (!at) return -2;
  }
}

static void listing(void) {
  enum { FILES = 300 };
  bool seen[FILES];
  path_create_directory(ROOT, P("many"));
  for (int i = 0; i < FILES; i++) {
    char name[32];
    snprintf(name, sizeof name, "many/entry%d", i);
    make_file(name, "");
  }
  u32 fd = open_at(ROOT, "many", O_DIRECTORY_, R(FD_READDIR) | R(PATH_OPEN), 0);
  HOLDS(fd_readdir, "one large buffer", list(fd, sizeof scratch, seen, FILES) == FILES + 2);
  HOLDS(fd_readdir, "a small buffer", list(fd, 100, seen, FILES) == FILES + 2);
  HOLDS(fd_readdir, "the smallest buffer", list(fd, 24 + 8, seen, FILES) == FILES + 2);
  HOLDS(fd_readdir, "a buffer too small for any name", list(fd, 24, seen, FILES) == -2);
  CHECK(SUCCESS, "no buffer", fd_readdir, fd, scratch, 0, 0, &got32);
  HOLDS(fd_readdir, "no buffer holds nothing", got32 == 0);
  CHECK(SUCCESS, "a buffer for less than a header", fd_readdir, fd, scratch, 10, 0, &got32);
  HOLDS(fd_readdir, "a header may be cut", got32 == 10);
  CHECK(SUCCESS, "a cookie beyond the end", fd_readdir, fd, scratch, 100, (u64)1 << 40, &got32);
  HOLDS(fd_readdir, "nothing is beyond the end", got32 == 0);
  CHECK(SUCCESS, "the largest cookie", fd_readdir, fd, scratch, 100, ~(u64)0, &got32);
  HOLDS(fd_readdir, "nothing is at the largest cookie", got32 == 0);
  // removing while listing: what stays is seen once
  u64 cookie = 0;
  int stay = 0;
  fd_readdir(fd, scratch, 24 * 8, 0, &got32);
  path_unlink_file(ROOT, P("many/entry299"));
  HOLDS(fd_readdir, "starts anew from the first cookie", list(fd, 500, seen, FILES) == FILES + 1 && !seen[299]);
  make_file("many/entry299", "");
  HOLDS(fd_readdir, "new entries are seen", list(fd, 500, seen, FILES) == FILES + 2 && seen[299]);
  fd_close(fd);
  CHECK(BADF, "closed", fd_readdir, fd, scratch, 100, 0, &got32);
  fd = open_at(ROOT, "many/entry1", 0, ALL, 0);
  CHECK(NOTDIR, "a file", fd_readdir, fd, scratch, 100, 0, &got32);
  fd_close(fd);
}

static void linking(void) {
  filestat_t one, two;
  make_file("one", "linked");
  CHECK(SUCCESS, "a file", path_link, ROOT, 0, P("one"), ROOT, P("two"));
  stat_at("one", 0, &one), stat_at("two", 0, &two);
  HOLDS(path_link, "both are one file", one.ino == two.ino && one.nlink == 2);
  CHECK(EXIST, "onto something", path_link, ROOT, 0, P("one"), ROOT, P("two"));
  CHECK(EXIST, "onto itself", path_link, ROOT, 0, P("one"), ROOT, P("one"));
  CHECK(NOENT, "from nothing", path_link, ROOT, 0, P("none"), ROOT, P("x"));
  CHECK(NOENT, "to below nothing", path_link, ROOT, 0, P("one"), ROOT, P("none/x"));
  CHECK(NOTDIR, "to below a file", path_link, ROOT, 0, P("one"), ROOT, P("two/x"));
  CHECK(PERM, "a directory", path_link, ROOT, 0, P("many"), ROOT, P("x"));
  CHECK(NOTCAPABLE, "from above", path_link, ROOT, 0, P("../x"), ROOT, P("x"));
  CHECK(NOTCAPABLE, "to above", path_link, ROOT, 0, P("one"), ROOT, P("../x"));
  CHECK(INVAL, "through a symbolic link", path_link, ROOT, FOLLOW, P("one"), ROOT, P("x"));
  CHECK(BADF, "from closed", path_link, CLOSED, 0, P("one"), ROOT, P("x"));
  CHECK(BADF, "to closed", path_link, ROOT, 0, P("one"), CLOSED, P("x"));
  path_symlink(P("one"), ROOT, P("soft"));
  CHECK(SUCCESS, "a symbolic link itself", path_link, ROOT, 0, P("soft"), ROOT, P("soft2"));
  stat_at("soft2", 0, &two);
  HOLDS(path_link, "a link to a link is a link", two.type == SYMLINK);
}

static void renaming(void) {
  filestat_t st;
  make_file("from", "moved");
  CHECK(SUCCESS, "a file", path_rename, ROOT, P("from"), ROOT, P("to"));
  HOLDS(path_rename, "moves", file_holds("to", "moved") && stat_at("from", 0, &st) == E_NOENT);
  make_file("from", "over");
  CHECK(SUCCESS, "over a file", path_rename, ROOT, P("from"), ROOT, P("to"));
  HOLDS(path_rename, "replaces", file_holds("to", "over"));
  CHECK(SUCCESS, "onto itself", path_rename, ROOT, P("to"), ROOT, P("to"));
  CHECK(NOENT, "nothing", path_rename, ROOT, P("from"), ROOT, P("x"));
  path_create_directory(ROOT, P("dir"));
  path_create_directory(ROOT, P("dir2"));
  CHECK(ISDIR, "a file over a directory", path_rename, ROOT, P("to"), ROOT, P("dir"));
  CHECK(NOTDIR, "a directory over a file", path_rename, ROOT, P("dir"), ROOT, P("to"));
  CHECK(SUCCESS, "a directory over an empty one", path_rename, ROOT, P("dir"), ROOT, P("dir2"));
  CHECK(NOTEMPTY, "a directory over a full one", path_rename, ROOT, P("dir2"), ROOT, P("many"));
  CHECK(INVAL, "a directory into itself", path_rename, ROOT, P("dir2"), ROOT, P("dir2/x"));
  CHECK(SUCCESS, "a directory with trailing slashes", path_rename, ROOT, P("dir2/"), ROOT, P("dir/"));
  CHECK(NOTDIR, "a file with a trailing slash", path_rename, ROOT, P("to/"), ROOT, P("x"));
  CHECK(NOTDIR, "a file to a trailing slash", path_rename, ROOT, P("to"), ROOT, P("x/"));
  path_symlink(P("dir"), ROOT, P("to-dir"));
  CHECK(NOTDIR, "a link with a trailing slash", path_rename, ROOT, P("to-dir/"), ROOT, P("x"));
  CHECK(SUCCESS, "a link itself", path_rename, ROOT, P("to-dir"), ROOT, P("to-dir2"));
  CHECK(BUSY, "here", path_rename, ROOT, P("."), ROOT, P("x"));
  CHECK(NOTCAPABLE, "from above", path_rename, ROOT, P("../x"), ROOT, P("x"));
  CHECK(NOTCAPABLE, "to above", path_rename, ROOT, P("to"), ROOT, P("../x"));
  CHECK(NOENT, "no name", path_rename, ROOT, "", 0, ROOT, P("x"));
  CHECK(NOENT, "to no name", path_rename, ROOT, P("to"), ROOT, "", 0);
  CHECK(NAMETOOLONG, "to a name of 300 bytes", path_rename, ROOT, P("to"), ROOT, longest, 300);
  CHECK(ILSEQ, "to a name that is not UTF-8", path_rename, ROOT, P("to"), ROOT, P("\xed\xa0\x80"));
  CHECK(BADF, "from closed", path_rename, CLOSED, P("to"), ROOT, P("x"));
  CHECK(BADF, "to closed", path_rename, ROOT, P("to"), CLOSED, P("x"));
  u32 dir = open_at(ROOT, "dir", O_DIRECTORY_, R(PATH_RENAME_SOURCE) | R(PATH_RENAME_TARGET), 0);
  CHECK(SUCCESS, "into another directory", path_rename, ROOT, P("to"), dir, P("deep"));
  CHECK(SUCCESS, "out of another directory", path_rename, dir, P("deep"), ROOT, P("to"));
  fd_close(dir);
}

int main(void) {
  memset(longest, 'n', sizeof longest);
  for (int i = 0; i < 5000; i++) deep[i] = i % 2 ? '/' : 'a';
  making();
  removing();
  listing();
  linking();
  renaming();
  return finish();
}
