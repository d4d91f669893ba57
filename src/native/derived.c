/*
 * Authenticated encryption under a key of its own for every message: AES-256-GCM, the key being HMAC-SHA256 over the
 * derivation input that the caller composes. One call does what takes node:crypto two objects and eight calls.
 */
#include "addon.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

enum { KEY_BYTES = 32, IV_BYTES = 12, TAG_BYTES = 16 };

/* Keyed once and used on Node's thread only; a handle is not shared between threads. */
typedef struct {
  EVP_MAC_CTX *kdf;
  EVP_CIPHER_CTX *cipher;
} DerivingKey;

/* The arguments of seal and open. */
typedef struct {
  DerivingKey *key;
  unsigned char *derivation, *iv, *aad, *input, *output;
  size_t derivation_length, iv_length, aad_length, input_length, output_length;
} Message;

static const napi_type_tag DERIVING_TAG = {0x7472656f696c6b64, 0x65726976696e676b};

/* OpenSSL wipes what it frees of a MAC's or a cipher's key. */
static void free_deriving(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  DerivingKey *key = data;
  EVP_MAC_CTX_free(key->kdf);
  EVP_CIPHER_CTX_free(key->cipher);
  free(key);
}

static EVP_MAC_CTX *new_kdf(const unsigned char *secret) {
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                             OSSL_PARAM_construct_end()};
  EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *kdf = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
  EVP_MAC_free(hmac);
  if (kdf != NULL && EVP_MAC_init(kdf, secret, KEY_BYTES, parameters) > 0) return kdf;
  EVP_MAC_CTX_free(kdf);
  return NULL;
}

static EVP_CIPHER_CTX *new_cipher(void) {
  EVP_CIPHER *gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
  EVP_CIPHER_CTX *cipher = gcm == NULL ? NULL : EVP_CIPHER_CTX_new();
  bool ready = cipher != NULL && EVP_EncryptInit_ex2(cipher, gcm, NULL, NULL, NULL) > 0;
  EVP_CIPHER_free(gcm);
  if (ready) return cipher;
  EVP_CIPHER_CTX_free(cipher);
  return NULL;
}

/* importDeriving(secret): an opaque handle. The bytes stay the caller's. */
napi_value import_deriving(napi_env env, napi_callback_info info) {
  napi_value argument, handle;
  unsigned char *secret;
  size_t length;
  if (!read_arguments(env, info, 1, &argument) || !read_bytes(env, argument, &secret, &length)) return NULL;
  if (length != KEY_BYTES) return throw_error(env, "not a key of 32 bytes");
  DerivingKey *key = calloc(1, sizeof *key);
  if (key == NULL) return throw_error(env, "out of memory");
  ERR_set_mark();
  key->kdf = new_kdf(secret);
  key->cipher = new_cipher();
  ERR_pop_to_mark();
  if (key->kdf == NULL || key->cipher == NULL || napi_create_external(env, key, free_deriving, NULL, &handle) != napi_ok) {
    free_deriving(env, key, NULL);
    return throw_error(env, "the key could not be made ready");
  }
  if (napi_type_tag_object(env, handle, &DERIVING_TAG) != napi_ok)
    return throw_error(env, "the handle could not be marked");
  return handle;
}

/* (key, derivation, iv, aad, input, output); false with an exception pending. `growth` is what the output is longer by. */
static bool read_message(napi_env env, napi_callback_info info, int growth, Message *message) {
  napi_value arguments[6];
  napi_valuetype type;
  bool ours = false;
  if (!read_arguments(env, info, 6, arguments)) return false;
  if (napi_typeof(env, arguments[0], &type) != napi_ok || type != napi_external ||
      napi_check_object_type_tag(env, arguments[0], &DERIVING_TAG, &ours) != napi_ok || !ours ||
      napi_get_value_external(env, arguments[0], (void **)&message->key) != napi_ok) {
    throw_error(env, "not a handle of a key");
    return false;
  }
  if (!read_bytes(env, arguments[1], &message->derivation, &message->derivation_length) ||
      !read_bytes(env, arguments[2], &message->iv, &message->iv_length) ||
      !read_bytes(env, arguments[3], &message->aad, &message->aad_length) ||
      !read_bytes(env, arguments[4], &message->input, &message->input_length) ||
      !read_bytes(env, arguments[5], &message->output, &message->output_length))
    return false;
  /* OpenSSL counts in ints. */
  bool bounded = message->aad_length <= INT32_MAX && message->input_length <= INT32_MAX - TAG_BYTES;
  ptrdiff_t output = (ptrdiff_t)message->input_length + growth;
  if (bounded && message->iv_length == IV_BYTES && output >= 0 && message->output_length == (size_t)output) return true;
  throw_error(env, "not the lengths of a message");
  return false;
}

/* Keys the cipher for one message, and takes the additional data. */
static bool begin(const Message *message, bool encrypting) {
  unsigned char derived[KEY_BYTES];
  size_t length;
  int ignored;
  EVP_MAC_CTX *kdf = message->key->kdf;
  EVP_CIPHER_CTX *cipher = message->key->cipher;
  /* Without a key: the same key again. */
  bool ready = EVP_MAC_init(kdf, NULL, 0, NULL) > 0 &&
               EVP_MAC_update(kdf, message->derivation, message->derivation_length) > 0 &&
               EVP_MAC_final(kdf, derived, &length, sizeof derived) > 0 && length == KEY_BYTES &&
               EVP_CipherInit_ex2(cipher, NULL, derived, message->iv, encrypting, NULL) > 0;
  OPENSSL_cleanse(derived, sizeof derived);
  return ready && (message->aad_length == 0 ||
                   EVP_CipherUpdate(cipher, NULL, &ignored, message->aad, (int)message->aad_length) > 0);
}

static bool update(const Message *message, size_t length) {
  int written = 0;
  return length == 0 ||
         (EVP_CipherUpdate(message->key->cipher, message->output, &written, message->input, (int)length) > 0 &&
          (size_t)written == length);
}

/* seal(key, derivation, iv, aad, plaintext, output): ciphertext and tag into `output`. */
napi_value seal_derived(napi_env env, napi_callback_info info) {
  Message message;
  int ignored;
  if (!read_message(env, info, TAG_BYTES, &message)) return NULL;
  ERR_set_mark();
  unsigned char *tag = message.output + message.input_length;
  bool sealed = begin(&message, true) && update(&message, message.input_length) &&
                EVP_CipherFinal_ex(message.key->cipher, tag, &ignored) > 0 &&
                EVP_CIPHER_CTX_ctrl(message.key->cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) > 0;
  ERR_pop_to_mark();
  if (!sealed) {
    OPENSSL_cleanse(message.output, message.output_length);
    return throw_error(env, "the message could not be sealed");
  }
  return NULL;
}

/* open(key, derivation, iv, aad, sealed, output): whether the tag is right; `output` is wiped where it is not. */
napi_value open_derived(napi_env env, napi_callback_info info) {
  Message message;
  int ignored;
  unsigned char none[TAG_BYTES];
  napi_value verdict;
  if (!read_message(env, info, -TAG_BYTES, &message)) return NULL;
  ERR_set_mark();
  unsigned char *tag = message.input + message.output_length;
  bool opened = begin(&message, false) && update(&message, message.output_length) &&
                EVP_CIPHER_CTX_ctrl(message.key->cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) > 0 &&
                EVP_CipherFinal_ex(message.key->cipher, none, &ignored) > 0;
  ERR_pop_to_mark();
  if (!opened) OPENSSL_cleanse(message.output, message.output_length);
  return napi_get_boolean(env, opened, &verdict) == napi_ok ? verdict : throw_error(env, "out of memory");
}
