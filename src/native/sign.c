/*
 * Signatures that node:crypto has no call for, by the OpenSSL that the node executable exports: ECDSA over a ready digest
 * (nodejs/node#60263), and ML-DSA over the representative of a message (FIPS 204 section 6.2, "external mu").
 */
#include "addon.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

enum {
  INPUT_BYTES = 64,       /* a SHA-512 digest, or mu */
  SIGNATURE_BYTES = 4627, /* ML-DSA-87 */
  ECDSA_DER_BYTES = 144,  /* P-521: 141 */
};

typedef struct {
  EVP_PKEY *pkey;
  bool ecdsa;
} Key;

typedef struct {
  EVP_PKEY *pkey;
  bool ecdsa;
  unsigned char input[INPUT_BYTES];
  size_t input_length;
  unsigned char signature[SIGNATURE_BYTES];
  size_t signature_length;
  bool signed_well;
  napi_deferred deferred;
  napi_async_work work;
} Job;

/* Tells a handle of ours from any other external value. */
static const napi_type_tag KEY_TAG = {0x7472656f696c6b65, 0x792d68616e646c65};

/* OpenSSL wipes the secret parts of a key with OPENSSL_cleanse when its last reference goes. */
static void free_key(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  EVP_PKEY_free(((Key *)data)->pkey);
  free(data);
}

static bool is_ml_dsa(const EVP_PKEY *pkey) {
  return EVP_PKEY_is_a(pkey, "ML-DSA-44") || EVP_PKEY_is_a(pkey, "ML-DSA-65") || EVP_PKEY_is_a(pkey, "ML-DSA-87");
}

/* NULL unless `der` is the PKCS#8 of a key that can be used here. */
static EVP_PKEY *parse_key(const unsigned char *der, size_t length, bool *ecdsa) {
  const unsigned char *end = der;
  ERR_set_mark();
  EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &end, (long)length);
  ERR_pop_to_mark();
  if (pkey == NULL) return NULL;
  *ecdsa = EVP_PKEY_is_a(pkey, "EC");
  if (end == der + length && (*ecdsa || is_ml_dsa(pkey))) return pkey;
  EVP_PKEY_free(pkey);
  return NULL;
}

/* importKey(pkcs8): an opaque handle. The bytes stay the caller's. */
napi_value import_key(napi_env env, napi_callback_info info) {
  napi_value argument, handle;
  unsigned char *der;
  size_t length;
  if (!read_arguments(env, info, 1, &argument) || !read_bytes(env, argument, &der, &length)) return NULL;
  Key *key = calloc(1, sizeof *key);
  if (key == NULL) return throw_error(env, "out of memory");
  key->pkey = parse_key(der, length, &key->ecdsa);
  if (key->pkey == NULL) {
    free(key);
    return throw_error(env, "not a key to sign with");
  }
  if (napi_create_external(env, key, free_key, NULL, &handle) != napi_ok) {
    free_key(env, key, NULL);
    return throw_error(env, "out of memory");
  }
  if (napi_type_tag_object(env, handle, &KEY_TAG) != napi_ok) return throw_error(env, "the handle could not be marked");
  return handle;
}

/* Raw r||s, each as long as the order of the curve. */
static bool sign_ecdsa(Job *job) {
  unsigned char der[ECDSA_DER_BYTES];
  const unsigned char *cursor = der;
  size_t length = sizeof der;
  int coordinate = (EVP_PKEY_get_bits(job->pkey) + 7) / 8;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, job->pkey, NULL);
  ECDSA_SIG *signature = NULL;
  if (context != NULL && EVP_PKEY_sign_init(context) > 0 &&
      EVP_PKEY_sign(context, der, &length, job->input, job->input_length) > 0) {
    signature = d2i_ECDSA_SIG(NULL, &cursor, (long)length);
  }
  EVP_PKEY_CTX_free(context);
  if (signature == NULL) return false;
  bool whole = BN_bn2binpad(ECDSA_SIG_get0_r(signature), job->signature, coordinate) == coordinate &&
               BN_bn2binpad(ECDSA_SIG_get0_s(signature), job->signature + coordinate, coordinate) == coordinate;
  ECDSA_SIG_free(signature);
  job->signature_length = 2 * (size_t)coordinate;
  return whole;
}

/* Hedged, as OpenSSL signs by default. */
static bool sign_mu(Job *job) {
  int external = 1;
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_int("mu", &external), OSSL_PARAM_construct_end()};
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  job->signature_length = sizeof job->signature;
  bool whole = context != NULL && EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, job->pkey, parameters) > 0 &&
               EVP_DigestSign(context, job->signature, &job->signature_length, job->input, job->input_length) > 0;
  EVP_MD_CTX_free(context);
  return whole;
}

/* On any thread. Leaves OpenSSL's queue of errors, which Node reads, as it was. */
static void run_job(Job *job) {
  ERR_set_mark();
  job->signed_well = job->ecdsa ? sign_ecdsa(job) : sign_mu(job);
  ERR_pop_to_mark();
}

/* The arguments (key, input) into `job`; false with an exception pending. */
static bool fill_job(napi_env env, napi_callback_info info, Job *job) {
  napi_value arguments[2];
  unsigned char *input;
  bool ours = false;
  napi_valuetype type;
  Key *key;
  if (!read_arguments(env, info, 2, arguments)) return false;
  if (napi_typeof(env, arguments[0], &type) != napi_ok || type != napi_external ||
      napi_check_object_type_tag(env, arguments[0], &KEY_TAG, &ours) != napi_ok || !ours ||
      napi_get_value_external(env, arguments[0], (void **)&key) != napi_ok) {
    throw_error(env, "not a handle of a key");
    return false;
  }
  if (!read_bytes(env, arguments[1], &input, &job->input_length)) return false;
  if (job->input_length == 0 || job->input_length > INPUT_BYTES || (!key->ecdsa && job->input_length != INPUT_BYTES)) {
    throw_error(env, "not the length of what is signed");
    return false;
  }
  memcpy(job->input, input, job->input_length);
  job->pkey = key->pkey;
  job->ecdsa = key->ecdsa;
  return true;
}

static napi_value signature_of(napi_env env, const Job *job) {
  napi_value buffer;
  if (!job->signed_well || napi_create_buffer_copy(env, job->signature_length, job->signature, NULL, &buffer) != napi_ok)
    return NULL;
  return buffer;
}

napi_value sign_now(napi_env env, napi_callback_info info) {
  Job job;
  if (!fill_job(env, info, &job)) return NULL;
  run_job(&job);
  napi_value signature = signature_of(env, &job);
  return signature == NULL ? throw_error(env, "the signature could not be made") : signature;
}

static void execute(napi_env env, void *data) {
  (void)env;
  run_job(data);
}

static void free_job(napi_env env, Job *job) {
  if (job->work != NULL) napi_delete_async_work(env, job->work);
  EVP_PKEY_free(job->pkey);
  free(job);
}

static void complete(napi_env env, napi_status status, void *data) {
  Job *job = data;
  napi_value signature = status == napi_ok ? signature_of(env, job) : NULL;
  if (signature != NULL) {
    napi_resolve_deferred(env, job->deferred, signature);
  } else {
    napi_value message, error;
    if (napi_create_string_utf8(env, "the signature could not be made", NAPI_AUTO_LENGTH, &message) == napi_ok &&
        napi_create_error(env, NULL, message, &error) == napi_ok) {
      napi_reject_deferred(env, job->deferred, error);
    }
  }
  free_job(env, job);
}

/* On libuv's pool; the handle may be collected meanwhile, the key may not. */
napi_value sign_later(napi_env env, napi_callback_info info) {
  napi_value name, promise;
  Job *job = calloc(1, sizeof *job);
  if (job == NULL) return throw_error(env, "out of memory");
  if (!fill_job(env, info, job)) {
    free(job);
    return NULL;
  }
  EVP_PKEY_up_ref(job->pkey);
  if (napi_create_string_utf8(env, "trefoil:sign", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, execute, complete, job, &job->work) != napi_ok ||
      napi_create_promise(env, &job->deferred, &promise) != napi_ok ||
      napi_queue_async_work(env, job->work) != napi_ok) {
    free_job(env, job);
    return throw_error(env, "the work could not be queued");
  }
  return promise;
}
