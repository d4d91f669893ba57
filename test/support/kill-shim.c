/*
 * Kills its process before the KILL_AT-th call that changes the disk, counted from 1. Loaded with LD_PRELOAD. Each call
 * leaves one byte in the file KILL_COUNT, so that a run that is not killed tells how many there are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int calls;

static void step(void) {
  const char *at = getenv("KILL_AT"), *count = getenv("KILL_COUNT");
  if (!at || !count) return;
  pthread_mutex_lock(&lock);
  if (++calls == atoi(at)) kill(getpid(), SIGKILL);
  int file = open(count, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || write(file, ".", 1) != 1) abort();
  close(file);
  pthread_mutex_unlock(&lock);
}

#define STEP(type, name, parameters, arguments) \
  type name parameters { \
    static type(*real) parameters; \
    if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
    step(); \
    return real arguments; \
  }

STEP(int, fsync, (int fd), (fd))
STEP(int, fdatasync, (int fd), (fd))
STEP(int, link, (const char *from, const char *to), (from, to))
STEP(int, rename, (const char *from, const char *to), (from, to))
STEP(ssize_t, pwrite64, (int fd, const void *bytes, size_t length, off64_t at), (fd, bytes, length, at))
STEP(ssize_t, pwrite, (int fd, const void *bytes, size_t length, off_t at), (fd, bytes, length, at))
