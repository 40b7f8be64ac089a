// What bench/wasi.py times: each function repeats one thing that programs ask of WASI.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
static char block[65536];

// Blocks of 64 KiB to /dev/null.
EXPORT int write_blocks(int n) {
  int fd = open("/dev/null", O_WRONLY);
  for (int i = 0; i < n; i++)
    if (write(fd, block, sizeof block) != sizeof block) return -1;
  return close(fd);
}

EXPORT int write_small(int n) {
  int fd = open("/dev/null", O_WRONLY);
  for (int i = 0; i < n; i++)
    if (write(fd, block, 16) != 16) return -1;
  return close(fd);
}

EXPORT int read_blocks(int n) {
  int fd = open("/dev/zero", O_RDONLY);
  for (int i = 0; i < n; i++)
    if (read(fd, block, sizeof block) != sizeof block) return -1;
  return close(fd);
}

EXPORT int read_small(int n) {
  int fd = open("/tmp/small", O_RDONLY);
  for (int i = 0; i < n; i++)
    if (read(fd, block, 16) != 16 || lseek(fd, 0, SEEK_SET)) return -1;
  return close(fd);
}

EXPORT int pread_small(int n) {
  int fd = open("/tmp/small", O_RDONLY);
  for (int i = 0; i < n; i++)
    if (pread(fd, block, 16, 4) != 16) return -1;
  return close(fd);
}

EXPORT int open_files(int n) {
  for (int i = 0; i < n; i++) {
    int fd = open("/tmp/small", O_RDONLY);
    if (fd < 0 || read(fd, block, 100) != 64 || close(fd)) return -1;
  }
  return 0;
}

EXPORT int open_deep(int n) {
  for (int i = 0; i < n; i++) {
    int fd = open("/tmp/a/b/c/d/small", O_RDONLY);
    if (fd < 0 || close(fd)) return -1;
  }
  return 0;
}

EXPORT int stat_files(int n) {
  struct stat s;
  for (int i = 0; i < n; i++)
    if (stat("/tmp/a/b/small", &s)) return -1;
  return 0;
}

EXPORT int list_directory(int n) {
  int seen = 0;
  for (int i = 0; i < n; i++) {
    DIR *dir = opendir("/tmp/many");
    if (!dir) return -1;
    while (readdir(dir)) seen++;
    closedir(dir);
  }
  return seen == n * 1002 ? 0 : -1;
}

EXPORT int ask_the_time(int n) {
  struct timespec t;
  for (int i = 0; i < n; i++) clock_gettime(CLOCK_MONOTONIC, &t);
  return 0;
}

EXPORT int sleep_ms(int n) {
  struct timespec t = {n / 1000, n % 1000 * 1000000L};
  return nanosleep(&t, 0);
}

EXPORT int poll_ready(int n) {
  struct pollfd p = {open("/dev/null", O_WRONLY), POLLOUT, 0};
  for (int i = 0; i < n; i++)
    if (poll(&p, 1, 1000) != 1) return -1;
  return close(p.fd);
}
