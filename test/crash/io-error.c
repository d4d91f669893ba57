/*
 * A disk that fails under one database. Loaded with LD_PRELOAD it answers EIO to what is done to files whose paths begin
 * with IO_ERROR_FILES: to writes while the file IO_ERROR_CONTROL.write is there, to syncs while IO_ERROR_CONTROL.sync is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int fails(int fd, const char *what) {
  const char *files = getenv("IO_ERROR_FILES"), *control = getenv("IO_ERROR_CONTROL");
  char path[4096], link[64];
  int saved = errno, failing = 0;
  if (fd > 2 && files && control) {
    snprintf(path, sizeof path, "%s.%s", control, what);
    if (access(path, F_OK) == 0) {
      snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
      ssize_t length = readlink(link, path, sizeof path - 1);
      if (length > 0) {
        path[length] = 0;
        failing = strncmp(path, files, strlen(files)) == 0;
      }
    }
  }
  errno = failing ? EIO : saved;
  return failing;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  return fails(fd, "write") ? -1 : real(fd, bytes, length);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  return fails(fd, "write") ? -1 : real(fd, parts, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  REAL(pwrite);
  return fails(fd, "write") ? -1 : real(fd, bytes, length, offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  REAL(pwrite64);
  return fails(fd, "write") ? -1 : real(fd, bytes, length, offset);
}
int ftruncate(int fd, off_t length) {
  REAL(ftruncate);
  return fails(fd, "write") ? -1 : real(fd, length);
}
int ftruncate64(int fd, off64_t length) {
  REAL(ftruncate64);
  return fails(fd, "write") ? -1 : real(fd, length);
}
int fsync(int fd) {
  REAL(fsync);
  return fails(fd, "sync") ? -1 : real(fd);
}
int fdatasync(int fd) {
  REAL(fdatasync);
  return fails(fd, "sync") ? -1 : real(fd);
}
