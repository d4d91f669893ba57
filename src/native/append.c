/*
 * A write that is durable when its promise resolves, in one visit to the thread pool: two, for the write and for the sync,
 * wake another thread twice and the event loop twice.
 */
/* Before any header: pwrite and fdatasync. */
#define _GNU_SOURCE
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  int fd;
  off_t position;
  const unsigned char *bytes;
  size_t length;
  int error; /* errno, 0 when all of it is durable */
  napi_ref buffer;
  napi_deferred deferred;
  napi_async_work work;
} Append;

static int sync_data(int fd) {
#ifdef F_FULLFSYNC
  /* fsync on macOS leaves the bytes in the drive's cache. */
  return fcntl(fd, F_FULLFSYNC);
#else
  return fdatasync(fd);
#endif
}

static void execute(napi_env env, void *data) {
  (void)env;
  Append *append = data;
  for (size_t done = 0; done < append->length;) {
    ssize_t written = pwrite(append->fd, append->bytes + done, append->length - done, append->position + (off_t)done);
    if (written >= 0) {
      done += (size_t)written;
    } else if (errno != EINTR) {
      append->error = errno;
      return;
    }
  }
  while (sync_data(append->fd) != 0) {
    if (errno != EINTR) {
      append->error = errno;
      return;
    }
  }
}

static void free_append(napi_env env, Append *append) {
  if (append->work != NULL) napi_delete_async_work(env, append->work);
  if (append->buffer != NULL) napi_delete_reference(env, append->buffer);
  free(append);
}

static void complete(napi_env env, napi_status status, void *data) {
  Append *append = data;
  napi_value value, message;
  int error = status == napi_ok ? append->error : ECANCELED;
  if (error == 0) {
    if (napi_get_undefined(env, &value) == napi_ok) napi_resolve_deferred(env, append->deferred, value);
  } else if (napi_create_string_utf8(env, strerror(error), NAPI_AUTO_LENGTH, &message) == napi_ok &&
             napi_create_error(env, NULL, message, &value) == napi_ok) {
    napi_reject_deferred(env, append->deferred, value);
  }
  free_append(env, append);
}

/* append(fd, bytes, position): the bytes must not change until the promise is settled. */
napi_value append_durably(napi_env env, napi_callback_info info) {
  napi_value arguments[3], name, promise;
  int64_t position;
  Append *append = calloc(1, sizeof *append);
  if (append == NULL) return throw_error(env, "out of memory");
  if (!read_arguments(env, info, 3, arguments) ||
      !read_bytes(env, arguments[1], (unsigned char **)&append->bytes, &append->length)) {
    free_append(env, append);
    return NULL;
  }
  if (napi_get_value_int32(env, arguments[0], &append->fd) != napi_ok || append->fd < 0 ||
      napi_get_value_int64(env, arguments[2], &position) != napi_ok || position < 0) {
    free_append(env, append);
    return throw_error(env, "not a place in a file");
  }
  append->position = (off_t)position;
  if (napi_create_reference(env, arguments[1], 1, &append->buffer) != napi_ok ||
      napi_create_string_utf8(env, "trefoil:append", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, execute, complete, append, &append->work) != napi_ok ||
      napi_create_promise(env, &append->deferred, &promise) != napi_ok ||
      napi_queue_async_work(env, append->work) != napi_ok) {
    free_append(env, append);
    return throw_error(env, "the work could not be queued");
  }
  return promise;
}
