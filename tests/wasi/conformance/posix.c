// What a program sees through the C library: the same natively and in WebAssembly.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *error(int number) {
  switch (number) {
#define E(name) case name: return #name;
    E(ENOENT) E(EEXIST) E(ENOTDIR) E(EISDIR) E(ENOTEMPTY) E(EINVAL) E(EBADF) E(ELOOP) E(EPERM)
    E(ENAMETOOLONG) E(EACCES) E(ESPIPE) E(EXDEV) E(EROFS) E(EBUSY) E(ENOTSUP) E(EMFILE)
  }
  return "another";
}

#define DO(call)                                                                 \
  do {                                                                           \
    errno = 0;                                                                   \
    long r_ = (long)(call);                                                      \
    printf("%s = %ld %s\n", #call, r_, r_ == -1 ? error(errno) : "");            \
  } while (0)

static char buffer[70000];

static void show(const char *path) {
  int fd = open(path, O_RDONLY);
  long n = fd < 0 ? -1 : read(fd, buffer, 200);
  printf("%s holds %ld:", path, n);
  for (long i = 0; i < n; i++) printf("%c", buffer[i] ? buffer[i] : '~');
  printf("\n");
  if (fd >= 0) close(fd);
}

static void stats(const char *path, int flags) {
  struct stat s;
  int failed = fstatat(AT_FDCWD, path, &s, flags);
  if (failed) {
    printf("stat %s: %s\n", path, error(errno));
    return;
  }
  const char *type = S_ISDIR(s.st_mode) ? "directory" : S_ISLNK(s.st_mode) ? "link" : "file";
  printf("stat %s: %s, %ld links", path, type, S_ISDIR(s.st_mode) ? 0L : (long)s.st_nlink);
  printf(", %ld bytes\n", S_ISDIR(s.st_mode) ? 0L : (long)s.st_size);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static void list(const char *path) {
  char *names[3000];
  int count = 0;
  DIR *dir = opendir(path);
  if (!dir) {
    printf("opendir %s: %s\n", path, error(errno));
    return;
  }
  for (struct dirent *e; (e = readdir(dir));) {
    char text[400];
    snprintf(text, sizeof text, "%s%s", e->d_name,
             e->d_type == DT_DIR ? "/" : e->d_type == DT_LNK ? "@" : "");
    names[count++] = strdup(text);
  }
  closedir(dir);
  qsort(names, count, sizeof *names, by_name);
  printf("%s has %d:", path, count);
  unsigned sum = 0;
  for (int i = 0; i < count; i++) {
    if (count < 50) printf(" %s", names[i]);
    for (char *c = names[i]; *c; c++) sum = sum * 31 + *c;
  }
  if (count >= 50) printf(" sum %08x", sum);
  printf("\n");
}

int main(void) {
  int fd, other;
  DO(mkdir("d", 0777));
  DO(mkdir("d", 0777));
  DO(mkdir("d/e", 0777));
  DO(mkdir("no/e", 0777));
  DO((fd = open("d/f", O_RDWR | O_CREAT | O_EXCL, 0666)) < 0);
  DO(open("d/f", O_RDWR | O_CREAT | O_EXCL, 0666));
  DO(write(fd, "hello world", 11));
  DO(lseek(fd, 6, SEEK_SET));
  DO(write(fd, "WORLD", 5));
  DO(lseek(fd, 0, SEEK_CUR));
  DO(lseek(fd, -3, SEEK_END));
  DO(lseek(fd, -300, SEEK_END));
  DO(pwrite(fd, "!", 1, 20));
  DO(pread(fd, buffer, 5, 6));
  DO(ftruncate(fd, 24));
  DO(ftruncate(fd, -1));
  struct iovec pieces[3] = {{"abc", 3}, {"", 0}, {"defg", 4}};
  DO(lseek(fd, 0, SEEK_SET));
  // a C library for WASI may write fewer pieces at once
  DO(writev(fd, pieces, 3));
  show("d/f");
  DO(fsync(fd));
  DO(fdatasync(fd));
  DO(close(fd));
  DO(close(fd));
  DO(write(fd, "x", 1));
  DO((fd = open("d/f", O_WRONLY | O_APPEND)) < 0);
  DO(write(fd, "END", 3));
  DO(lseek(fd, 0, SEEK_CUR));
  DO(close(fd));
  show("d/f");
  DO((fd = open("d/f", O_WRONLY | O_TRUNC)) < 0);
  DO(close(fd));
  show("d/f");

  DO(open("d/f/x", O_RDONLY));
  DO(open("d", O_WRONLY));
  DO(open("none", O_RDONLY));
  DO(open("d/f", O_RDONLY | O_DIRECTORY));
  DO(open("d/f/", O_RDONLY));
  DO(symlink("d/f", "link"));
  DO(symlink("d", "dlink"));
  DO(symlink("nowhere", "dangling"));
  DO(symlink("loop", "loop"));
  DO(symlink("x", "link"));
  DO(open("loop", O_RDONLY));
  DO(open("dangling", O_RDONLY));
  DO(open("link", O_RDONLY | O_NOFOLLOW));
  memset(buffer, 0, 100);
  DO(readlink("link", buffer, 100));
  printf("link -> %s\n", buffer);
  DO(readlink("d/f", buffer, 100));
  DO(readlink("none", buffer, 100));
  stats("link", AT_SYMLINK_NOFOLLOW), stats("link", 0), stats("dlink/", 0), stats("dangling", 0);
  stats("loop", 0), stats("d", 0), stats("d/", 0), stats("d/f/", 0), stats("none", 0);
  DO(link("d/f", "hard"));
  DO(link("d/f", "hard"));
  DO(link("none", "hard2"));
  DO(link("d", "hard2"));
  stats("hard", 0);
  DO(rename("hard", "renamed"));
  DO(rename("none", "x"));
  DO(rename("d", "d/e/x"));
  DO(rename("renamed", "d"));
  DO(rename("d", "renamed"));
  DO(rename("d/e", "e"));
  list("."), list("d"), list("e"), list("dlink"), list("none"), list("renamed");
  DO(rmdir("d"));
  DO(rmdir("renamed"));
  DO(rmdir("none"));
  DO(rmdir("dlink"));
  DO(rmdir("e/"));
  DO(unlink("none"));
  DO(unlink("link"));
  DO(unlink("renamed/"));
  DO(unlink("renamed"));
  DO(unlink("d/f"));
  DO(rmdir("d"));
  list(".");

  struct timespec t[2] = {{1000000000, 123456789}, {1500000000, 1}};
  struct stat s;
  DO((fd = open("t", O_RDWR | O_CREAT, 0666)) < 0);
  DO(futimens(fd, t));
  fstat(fd, &s);
  printf("%ld.%09ld %ld.%09ld\n", (long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long)s.st_mtim.tv_sec,
         s.st_mtim.tv_nsec);
  t[0].tv_nsec = UTIME_OMIT, t[1].tv_sec = 77;
  DO(utimensat(AT_FDCWD, "t", t, 0));
  stat("t", &s);
  printf("%ld.%09ld %ld.%09ld\n", (long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long)s.st_mtim.tv_sec,
         s.st_mtim.tv_nsec);
  DO(posix_fallocate(fd, 0, 5000));
  stats("t", 0);
  DO(posix_fadvise(fd, 0, 100, POSIX_FADV_WILLNEED));
  struct pollfd p = {fd, POLLIN | POLLOUT, 0};
  DO(poll(&p, 1, 1000));
  DO((p.revents & POLLIN) != 0);
  DO(close(fd));

  DO(mkdir("many", 0777));
  for (int i = 0; i < 2000; i++) {
    char name[40];
    snprintf(name, sizeof name, "many/%d-%0*d", i, i % 20, 0);
    close(open(name, O_WRONLY | O_CREAT, 0666));
  }
  list("many");

  FILE *file = fopen("stdio", "w+");
  for (int i = 0; i < 20000; i++) fprintf(file, "%d\n", i);
  DO(fseek(file, 5000, SEEK_SET));
  DO(ftell(file));
  long sum = 0;
  for (int n; fscanf(file, "%d", &n) == 1;) sum += n;
  printf("sum %ld\n", sum);
  fclose(file);
  stats("stdio", 0);
  file = fopen("stdio", "a");
  fputs("more\n", file);
  fclose(file);
  stats("stdio", 0);
  DO(remove("stdio"));
  printf("%s\n", fopen("stdio", "r") ? "?" : error(errno));
  struct timespec pause = {0, 2000000};
  DO(nanosleep(&pause, 0));
  return 7;
}
