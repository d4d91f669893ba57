/*
 * A power failure for one process tree. Loaded with LD_PRELOAD it records, before every write to a file below
 * UNSYNCED_ROOT, what the write replaces; fsync and fdatasync forget the records of their file. After a SIGKILL,
 * undo.ts puts back what was never synced, as if the machine had lost its power.
 *
 * One undo log a file: UNSYNCED_LOGS/<device>-<inode>, made of { path length, path } once and then
 * { offset, old size, length, old bytes } per write, all 64-bit little endian. Sharing nothing with the logged file's
 * own durability, the logs themselves need no sync: the kernel outlives the process that is killed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* -1 where the descriptor is no file of ours; otherwise its path is left in `path`. */
static int tracked(int fd, struct stat *info, char *path, size_t room) {
  const char *root = getenv("UNSYNCED_ROOT");
  char link[64];
  if (!root || fstat(fd, info) != 0 || !S_ISREG(info->st_mode)) return -1;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, room - 1);
  if (length < 0) return -1;
  path[length] = 0;
  size_t prefix = strlen(root);
  if (strncmp(path, root, prefix) != 0 || path[prefix] != '/') return -1;
  /* SQLite's shared-memory index is rebuilt from the log it indexes: it is never synced, and never trusted. */
  return length > 4 && strcmp(path + length - 4, "-shm") == 0 ? -1 : 0;
}

static int open_log(const struct stat *info, int flags) {
  char name[4096];
  snprintf(name, sizeof name, "%s/%llx-%llx", getenv("UNSYNCED_LOGS"), (unsigned long long)info->st_dev,
           (unsigned long long)info->st_ino);
  return open(name, flags | O_CLOEXEC, 0600);
}

static void put(int log, const void *bytes, size_t length) {
  static ssize_t (*real_write)(int, const void *, size_t);
  if (!real_write) real_write = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  const char *at = bytes;
  while (length > 0) {
    ssize_t done = real_write(log, at, length);
    if (done <= 0) abort();
    at += done;
    length -= (size_t)done;
  }
}

static void remember(int fd, off_t offset, size_t length) {
  struct stat info;
  char path[4096];
  int saved = errno;
  if (tracked(fd, &info, path, sizeof path) == 0) {
    pthread_mutex_lock(&lock);
    int log = open_log(&info, O_WRONLY | O_CREAT | O_APPEND);
    if (log < 0) abort();
    struct stat log_info;
    if (fstat(log, &log_info) == 0 && log_info.st_size == 0) {
      uint64_t path_length = strlen(path);
      put(log, &path_length, sizeof path_length);
      put(log, path, path_length);
    }
    uint64_t kept = 0;
    if (offset < info.st_size) kept = (uint64_t)(info.st_size - offset) < length ? (uint64_t)(info.st_size - offset) : length;
    char *old = malloc(kept + 1);
    /* The descriptor may be write-only: read through a second one. */
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = kept > 0 && reader >= 0 ? pread(reader, old, kept, offset) : 0;
    if (reader >= 0) close(reader);
    uint64_t head[3] = {(uint64_t)offset, (uint64_t)info.st_size, (uint64_t)(got < 0 ? 0 : got)};
    put(log, head, sizeof head);
    put(log, old, head[2]);
    free(old);
    close(log);
    pthread_mutex_unlock(&lock);
  }
  errno = saved;
}

static void forget(int fd) {
  struct stat info;
  char path[4096];
  int saved = errno;
  if (tracked(fd, &info, path, sizeof path) == 0) {
    pthread_mutex_lock(&lock);
    int log = open_log(&info, O_WRONLY | O_TRUNC);
    if (log >= 0) close(log);
    pthread_mutex_unlock(&lock);
  }
  errno = saved;
}

static off_t position(int fd) {
  int flags = fcntl(fd, F_GETFL);
  struct stat info;
  if (flags >= 0 && (flags & O_APPEND) && fstat(fd, &info) == 0) return info.st_size;
  off_t at = lseek(fd, 0, SEEK_CUR);
  return at < 0 ? 0 : at;
}

static size_t total(const struct iovec *parts, int count) {
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  return length;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  if (fd > 2) remember(fd, position(fd), length);
  return real(fd, bytes, length);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  if (fd > 2) remember(fd, position(fd), total(parts, count));
  return real(fd, parts, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  REAL(pwrite);
  remember(fd, offset, length);
  return real(fd, bytes, length, offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  REAL(pwrite64);
  remember(fd, offset, length);
  return real(fd, bytes, length, offset);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  REAL(pwritev);
  remember(fd, offset, total(parts, count));
  return real(fd, parts, count, offset);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  REAL(pwritev64);
  remember(fd, offset, total(parts, count));
  return real(fd, parts, count, offset);
}
int ftruncate(int fd, off_t length) {
  REAL(ftruncate);
  struct stat info;
  if (fstat(fd, &info) == 0 && info.st_size > length) remember(fd, length, (size_t)(info.st_size - length));
  return real(fd, length);
}
int ftruncate64(int fd, off64_t length) {
  REAL(ftruncate64);
  struct stat info;
  if (fstat(fd, &info) == 0 && info.st_size > length) remember(fd, length, (size_t)(info.st_size - length));
  return real(fd, length);
}

/* Forgotten once the sync has ended: neither SQLite nor the audit log writes to a file while it syncs it. */
int fsync(int fd) {
  REAL(fsync);
  int result = real(fd);
  if (result == 0) forget(fd);
  return result;
}
int fdatasync(int fd) {
  REAL(fdatasync);
  int result = real(fd);
  if (result == 0) forget(fd);
  return result;
}
