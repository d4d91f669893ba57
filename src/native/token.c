/*
 * The hot calls of a PKCS#11 module: a use of a key is its Init and the call itself, under a key derived for it where one
 * is asked for, in one visit to C, at once or on the thread pool. A slow token's Init holds up nobody there. Sessions, keys
 * and everything that is done once are pkcs11js' matter.
 */
#define _GNU_SOURCE
#include "addon.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CK_PTR *
#define CK_DECLARE_FUNCTION(returnType, name) returnType name
#define CK_DECLARE_FUNCTION_POINTER(returnType, name) returnType(*name)
#define CK_CALLBACK_FUNCTION(returnType, name) returnType(*name)
#ifndef NULL_PTR
#define NULL_PTR 0
#endif
#include "pkcs11.h"

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0
#endif

/* Parameters and templates come as words of 8 bytes (src/hsm/native-use.ts). */
_Static_assert(sizeof(CK_ULONG) == 8, "the hot calls need CK_ULONG to have 8 bytes");

enum { PATH_BYTES = 4097, MAX_ATTRIBUTES = 16, WORD = sizeof(CK_ULONG) };

/* As addon.ts numbers them. */
enum { SIGN, ENCRYPT, DECRYPT };
enum { PLAIN, GCM, CONTEXT };
/* Where a use ended. */
enum { DERIVE, INIT, CALL };

/* CK_SIGN_ADDITIONAL_CONTEXT of PKCS#11 v3.2, which the header at hand is older than. */
typedef struct {
  CK_ULONG hedge;
  CK_BYTE_PTR context;
  CK_ULONG length;
} SignContext;

typedef struct {
  unsigned char *bytes;
  size_t length;
} Bytes;

/* Its bytes are the caller's, who holds them until it has ended. */
typedef struct {
  CK_FUNCTION_LIST_PTR module;
  uint32_t operation, layout, tag_bits;
  CK_SESSION_HANDLE session;
  CK_OBJECT_HANDLE key;
  CK_MECHANISM_TYPE mechanism;
  Bytes parameter, more, input, output;
  /* Of the key that is derived for this use and destroyed after; none without a template. */
  CK_MECHANISM_TYPE derivation;
  Bytes derivation_iv, derivation_data, template;

  CK_RV rv;
  int stage;
  CK_ULONG length;

  /* On the thread pool, without the wait for a thread. */
  double milliseconds;
  napi_ref done;
  napi_async_work work;
} Use;

static const napi_type_tag MODULE_TAG = {0x7472656f696c7031, 0x312d6d6f64756c65};

/* tokenModule(path): of a library that pkcs11js has loaded and initialised. */
napi_value token_module(napi_env env, napi_callback_info info) {
  napi_value argument, handle;
  char path[PATH_BYTES];
  size_t length;
  CK_FUNCTION_LIST_PTR module = NULL;
  if (!read_arguments(env, info, 1, &argument)) return NULL;
  if (napi_get_value_string_utf8(env, argument, path, sizeof path, &length) != napi_ok || length == 0 ||
      length == sizeof path - 1) {
    return throw_error(env, "not a path");
  }
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  CK_C_GetFunctionList get = library == NULL ? NULL : (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList");
  if (get == NULL || get(&module) != CKR_OK || module == NULL) return throw_error(env, "not a PKCS#11 module");
  if (napi_create_external(env, module, NULL, NULL, &handle) != napi_ok ||
      napi_type_tag_object(env, handle, &MODULE_TAG) != napi_ok) {
    return throw_error(env, "the handle could not be made");
  }
  return handle;
}

/* [type, length, value] each, every part at a multiple of a word; how many, or -1 for what is no template. */
static int read_template(const Bytes *packed, CK_ATTRIBUTE *attributes) {
  int count = 0;
  for (size_t at = 0; at < packed->length; count++) {
    CK_ULONG head[2];
    if (count == MAX_ATTRIBUTES || packed->length - at < sizeof head) return -1;
    memcpy(head, packed->bytes + at, sizeof head);
    at += sizeof head;
    if (head[1] > packed->length - at) return -1;
    attributes[count] = (CK_ATTRIBUTE){head[0], packed->bytes + at, head[1]};
    at += (head[1] + WORD - 1) / WORD * WORD;
  }
  return count;
}

static CK_RV derive(const Use *use, CK_OBJECT_HANDLE *derived) {
  Bytes data = use->derivation_data;
  CK_AES_CBC_ENCRYPT_DATA_PARAMS parameter = {.pData = data.bytes, .length = data.length};
  CK_MECHANISM mechanism = {use->derivation, &parameter, sizeof parameter};
  CK_ATTRIBUTE attributes[MAX_ATTRIBUTES];
  int count = read_template(&use->template, attributes);
  if (count < 0 || use->derivation_iv.length != sizeof parameter.iv) return CKR_ARGUMENTS_BAD;
  memcpy(parameter.iv, use->derivation_iv.bytes, sizeof parameter.iv);
  return use->module->C_DeriveKey(use->session, &mechanism, use->key, attributes, (CK_ULONG)count, derived);
}

static CK_RV run_stages(Use *use, CK_OBJECT_HANDLE key) {
  CK_FUNCTION_LIST_PTR module = use->module;
  CK_SESSION_HANDLE session = use->session;
  Bytes parameter = use->parameter, more = use->more, input = use->input;
  CK_GCM_PARAMS gcm = {parameter.bytes, parameter.length, parameter.length * 8, more.bytes, more.length, use->tag_bits};
  SignContext context = {0, more.bytes, more.length};
  CK_MECHANISM mechanism = {use->mechanism, parameter.length == 0 ? NULL : parameter.bytes, parameter.length};
  if (use->layout == GCM) mechanism = (CK_MECHANISM){use->mechanism, &gcm, sizeof gcm};
  if (use->layout == CONTEXT) {
    memcpy(&context.hedge, parameter.bytes, WORD);
    mechanism = (CK_MECHANISM){use->mechanism, &context, sizeof context};
  }
  use->stage = INIT;
  use->length = use->output.length;
  CK_RV rv = use->operation == SIGN      ? module->C_SignInit(session, &mechanism, key)
             : use->operation == ENCRYPT ? module->C_EncryptInit(session, &mechanism, key)
                                         : module->C_DecryptInit(session, &mechanism, key);
  if (rv != CKR_OK) return rv;
  use->stage = CALL;
  return use->operation == SIGN ? module->C_Sign(session, input.bytes, input.length, use->output.bytes, &use->length)
         : use->operation == ENCRYPT
             ? module->C_Encrypt(session, input.bytes, input.length, use->output.bytes, &use->length)
             : module->C_Decrypt(session, input.bytes, input.length, use->output.bytes, &use->length);
}

/* On any thread. */
static void run(Use *use) {
  CK_OBJECT_HANDLE derived;
  if (use->template.length == 0) {
    use->rv = run_stages(use, use->key);
    return;
  }
  use->stage = DERIVE;
  use->rv = derive(use, &derived);
  if (use->rv != CKR_OK) return;
  use->rv = run_stages(use, derived);
  CK_RV destroyed = use->module->C_DestroyObject(use->session, derived);
  if (use->rv != CKR_OK || destroyed == CKR_OK || destroyed == CKR_OBJECT_HANDLE_INVALID) return;
  use->stage = DERIVE;
  use->rv = destroyed;
}

/* A module may refuse a null pointer, which is what an empty array has. */
static bool read_span(napi_env env, napi_value value, Bytes *span) {
  static unsigned char nothing;
  if (!read_bytes(env, value, &span->bytes, &span->length)) return false;
  if (span->length == 0) span->bytes = &nothing;
  return true;
}

static bool read_handle(napi_env env, napi_value value, CK_ULONG *handle) {
  Bytes span;
  if (!read_bytes(env, value, &span.bytes, &span.length)) return false;
  if (span.length == WORD) {
    memcpy(handle, span.bytes, WORD);
    return true;
  }
  throw_error(env, "not a handle of PKCS#11");
  return false;
}

static bool read_number(napi_env env, napi_value value, uint32_t *number) {
  if (napi_get_value_uint32(env, value, number) == napi_ok) return true;
  throw_error(env, "not a number");
  return false;
}

enum { USE_ARGUMENTS = 15 };

/* The arguments that addon.ts describes into `use`; false with an exception pending. */
static bool read_use(napi_env env, napi_value *arguments, Use *use) {
  bool ours = false;
  napi_valuetype type;
  uint32_t mechanism, derivation;
  if (napi_typeof(env, arguments[0], &type) != napi_ok || type != napi_external ||
      napi_check_object_type_tag(env, arguments[0], &MODULE_TAG, &ours) != napi_ok || !ours ||
      napi_get_value_external(env, arguments[0], (void **)&use->module) != napi_ok) {
    throw_error(env, "not a handle of a module");
    return false;
  }
  if (!read_number(env, arguments[1], &use->operation) || !read_handle(env, arguments[2], &use->session) ||
      !read_handle(env, arguments[3], &use->key) || !read_number(env, arguments[4], &mechanism) ||
      !read_number(env, arguments[5], &use->layout) || !read_span(env, arguments[6], &use->parameter) ||
      !read_span(env, arguments[7], &use->more) || !read_number(env, arguments[8], &use->tag_bits) ||
      !read_span(env, arguments[9], &use->input) || !read_span(env, arguments[10], &use->output) ||
      !read_number(env, arguments[11], &derivation) || !read_span(env, arguments[12], &use->derivation_iv) ||
      !read_span(env, arguments[13], &use->derivation_data) || !read_span(env, arguments[14], &use->template)) {
    return false;
  }
  use->mechanism = mechanism;
  use->derivation = derivation;
  if (use->operation <= DECRYPT && use->layout <= CONTEXT &&
      (use->layout != CONTEXT || use->parameter.length == WORD)) {
    return true;
  }
  throw_error(env, "not a use of a key");
  return false;
}

/* The length of the output; or -(4 * return code + stage) - 1 where the token refused. */
static double outcome_of(const Use *use) {
  return use->rv == CKR_OK ? (double)use->length : -((double)use->rv * 4 + use->stage) - 1;
}

napi_value token_use(napi_env env, napi_callback_info info) {
  napi_value arguments[USE_ARGUMENTS], outcome;
  Use use = {0};
  if (!read_arguments(env, info, USE_ARGUMENTS, arguments) || !read_use(env, arguments, &use)) return NULL;
  run(&use);
  return napi_create_double(env, outcome_of(&use), &outcome) == napi_ok ? outcome : NULL;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void execute(napi_env env, void *data) {
  (void)env;
  Use *use = data;
  double started = now();
  run(use);
  use->milliseconds = now() - started;
}

static void free_use(napi_env env, Use *use) {
  if (use->work != NULL) napi_delete_async_work(env, use->work);
  if (use->done != NULL) napi_delete_reference(env, use->done);
  free(use);
}

static void complete(napi_env env, napi_status status, void *data) {
  Use *use = data;
  napi_value done, arguments[2], receiver;
  if (status == napi_ok && napi_get_reference_value(env, use->done, &done) == napi_ok &&
      napi_create_double(env, outcome_of(use), &arguments[0]) == napi_ok &&
      napi_create_double(env, use->milliseconds, &arguments[1]) == napi_ok &&
      napi_get_undefined(env, &receiver) == napi_ok) {
    napi_call_function(env, receiver, done, 2, arguments, NULL);
  }
  free_use(env, use);
}

/* The same on libuv's pool, and one argument more: a function that is called with the outcome and what it took. */
napi_value token_use_later(napi_env env, napi_callback_info info) {
  napi_value arguments[USE_ARGUMENTS + 1], name;
  Use *use = calloc(1, sizeof *use);
  if (use == NULL) return throw_error(env, "out of memory");
  if (!read_arguments(env, info, USE_ARGUMENTS + 1, arguments) || !read_use(env, arguments, use)) {
    free_use(env, use);
    return NULL;
  }
  if (napi_create_reference(env, arguments[USE_ARGUMENTS], 1, &use->done) != napi_ok ||
      napi_create_string_utf8(env, "trefoil:token", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, execute, complete, use, &use->work) != napi_ok ||
      napi_queue_async_work(env, use->work) != napi_ok) {
    free_use(env, use);
    return throw_error(env, "the work could not be queued");
  }
  return NULL;
}
