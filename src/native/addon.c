/* The add-on's exports, and what its files share. src/native/addon.ts describes them. */
#include "addon.h"

napi_value throw_error(napi_env env, const char *message) {
  napi_throw_error(env, NULL, message);
  return NULL;
}

bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) == napi_ok && given == count) return true;
  throw_error(env, "wrong number of arguments");
  return false;
}

bool read_bytes(napi_env env, napi_value value, unsigned char **bytes, size_t *length) {
  bool typed = false;
  napi_typedarray_type type;
  if (napi_is_typedarray(env, value, &typed) == napi_ok && typed &&
      napi_get_typedarray_info(env, value, &type, length, (void **)bytes, NULL, NULL) == napi_ok &&
      type == napi_uint8_array) {
    return true;
  }
  throw_error(env, "not a Uint8Array");
  return false;
}

static const struct {
  const char *name;
  napi_callback call;
} EXPORTS[] = {
    {"importKey", import_key},
    {"sign", sign_now},
    {"signAsync", sign_later},
    {"importSecret", import_secret},
    {"mac", mac_text},
    {"seal", seal_derived},
    {"open", open_derived},
    {"append", append_durably},
    {"preload", preload},
    {"tokenModule", token_module},
    {"tokenUse", token_use},
    {"tokenUseLater", token_use_later},
    {"forbidCoreDumps", forbid_core_dumps},
};

NAPI_MODULE_INIT() {
  for (size_t i = 0; i < sizeof EXPORTS / sizeof *EXPORTS; i++) {
    napi_value function;
    if (napi_create_function(env, EXPORTS[i].name, NAPI_AUTO_LENGTH, EXPORTS[i].call, NULL, &function) != napi_ok ||
        napi_set_named_property(env, exports, EXPORTS[i].name, function) != napi_ok) {
      return throw_error(env, "the exports could not be made");
    }
  }
  return exports;
}
