/* What the files of the add-on share. */
#ifndef TREFOIL_ADDON_H
#define TREFOIL_ADDON_H

#define NAPI_VERSION 9
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>

/* Throws an Error; returns NULL, so that a function can end with it. */
napi_value throw_error(napi_env env, const char *message);

/* The arguments of a call, exactly `count` of them; false with an exception pending. */
bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values);

/* The bytes of a Buffer or Uint8Array, the caller's own; false with an exception pending. */
bool read_bytes(napi_env env, napi_value value, unsigned char **bytes, size_t *length);

napi_value import_key(napi_env env, napi_callback_info info);
napi_value sign_now(napi_env env, napi_callback_info info);
napi_value sign_later(napi_env env, napi_callback_info info);
napi_value import_secret(napi_env env, napi_callback_info info);
napi_value mac_text(napi_env env, napi_callback_info info);
napi_value seal_derived(napi_env env, napi_callback_info info);
napi_value open_derived(napi_env env, napi_callback_info info);
napi_value append_durably(napi_env env, napi_callback_info info);
napi_value preload(napi_env env, napi_callback_info info);
napi_value token_module(napi_env env, napi_callback_info info);
napi_value token_use(napi_env env, napi_callback_info info);
napi_value token_use_later(napi_env env, napi_callback_info info);
napi_value forbid_core_dumps(napi_env env, napi_callback_info info);

#endif
