/*
 * Loads a shared library bound to its own dependencies. The node executable exports its OpenSSL, and a PKCS#11 module that
 * is loaded the ordinary way calls that one in place of the libcrypto it was built with. Whoever loads the same file later
 * gets this handle.
 */
#define _GNU_SOURCE
#include "addon.h"

#include <dlfcn.h>

#ifndef RTLD_DEEPBIND /* not in musl, nor on macOS, whose two-level namespaces do the same */
#define RTLD_DEEPBIND 0
#endif

enum { PATH_BYTES = 4097 };

napi_value preload(napi_env env, napi_callback_info info) {
  napi_value argument;
  char path[PATH_BYTES];
  size_t length;
  if (!read_arguments(env, info, 1, &argument)) return NULL;
  if (napi_get_value_string_utf8(env, argument, path, sizeof path, &length) != napi_ok || length == 0 ||
      length == sizeof path - 1) {
    return throw_error(env, "not a path");
  }
  if (dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND) == NULL) {
    const char *reason = dlerror();
    return throw_error(env, reason == NULL ? "the library could not be loaded" : reason);
  }
  return NULL;
}
