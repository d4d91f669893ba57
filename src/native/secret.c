/*
 * What a secret of 32 bytes is used for thousands of times a second. HMAC-SHA256 of a text; and authenticated encryption
 * under a key of its own for every message: AES-256-GCM, the key being HMAC-SHA256 over the derivation input that the
 * caller composes. One call does what takes node:crypto two objects and eight calls.
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
  EVP_MAC_CTX *hmac;
  EVP_CIPHER_CTX *cipher;
} Secret;

/* The arguments of seal and open. */
typedef struct {
  Secret *secret;
  unsigned char *derivation, *iv, *aad, *input, *output;
  size_t derivation_length, iv_length, aad_length, input_length, output_length;
} Message;

static const napi_type_tag SECRET_TAG = {0x7472656f696c6b64, 0x65726976696e676b};

/* OpenSSL wipes what it frees of a MAC's or a cipher's key. */
static void free_secret(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  Secret *secret = data;
  EVP_MAC_CTX_free(secret->hmac);
  EVP_CIPHER_CTX_free(secret->cipher);
  free(secret);
}

static EVP_MAC_CTX *new_hmac(const unsigned char *key) {
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                             OSSL_PARAM_construct_end()};
  EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *hmac = algorithm == NULL ? NULL : EVP_MAC_CTX_new(algorithm);
  EVP_MAC_free(algorithm);
  if (hmac != NULL && EVP_MAC_init(hmac, key, KEY_BYTES, parameters) > 0) return hmac;
  EVP_MAC_CTX_free(hmac);
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

/* importSecret(bytes): an opaque handle. The bytes stay the caller's. */
napi_value import_secret(napi_env env, napi_callback_info info) {
  napi_value argument, handle;
  unsigned char *bytes;
  size_t length;
  if (!read_arguments(env, info, 1, &argument) || !read_bytes(env, argument, &bytes, &length)) return NULL;
  if (length != KEY_BYTES) return throw_error(env, "not a key of 32 bytes");
  Secret *secret = calloc(1, sizeof *secret);
  if (secret == NULL) return throw_error(env, "out of memory");
  ERR_set_mark();
  secret->hmac = new_hmac(bytes);
  secret->cipher = new_cipher();
  ERR_pop_to_mark();
  if (secret->hmac == NULL || secret->cipher == NULL ||
      napi_create_external(env, secret, free_secret, NULL, &handle) != napi_ok) {
    free_secret(env, secret, NULL);
    return throw_error(env, "the key could not be made ready");
  }
  if (napi_type_tag_object(env, handle, &SECRET_TAG) != napi_ok)
    return throw_error(env, "the handle could not be marked");
  return handle;
}

static Secret *read_secret(napi_env env, napi_value value) {
  napi_valuetype type;
  bool ours = false;
  Secret *secret;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_external &&
      napi_check_object_type_tag(env, value, &SECRET_TAG, &ours) == napi_ok && ours &&
      napi_get_value_external(env, value, (void **)&secret) == napi_ok)
    return secret;
  throw_error(env, "not a handle of a secret");
  return NULL;
}

/* (secret, derivation, iv, aad, input, output); false with an exception pending. `growth` is what the output is longer by. */
static bool read_message(napi_env env, napi_callback_info info, int growth, Message *message) {
  napi_value arguments[6];
  if (!read_arguments(env, info, 6, arguments)) return false;
  message->secret = read_secret(env, arguments[0]);
  if (message->secret == NULL) return false;
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
  EVP_MAC_CTX *hmac = message->secret->hmac;
  EVP_CIPHER_CTX *cipher = message->secret->cipher;
  /* Without a key: the same key again. */
  bool ready = EVP_MAC_init(hmac, NULL, 0, NULL) > 0 &&
               EVP_MAC_update(hmac, message->derivation, message->derivation_length) > 0 &&
               EVP_MAC_final(hmac, derived, &length, sizeof derived) > 0 && length == KEY_BYTES &&
               EVP_CipherInit_ex2(cipher, NULL, derived, message->iv, encrypting, NULL) > 0;
  OPENSSL_cleanse(derived, sizeof derived);
  return ready && (message->aad_length == 0 ||
                   EVP_CipherUpdate(cipher, NULL, &ignored, message->aad, (int)message->aad_length) > 0);
}

static bool update(const Message *message, size_t length) {
  int written = 0;
  return length == 0 ||
         (EVP_CipherUpdate(message->secret->cipher, message->output, &written, message->input, (int)length) > 0 &&
          (size_t)written == length);
}

/* seal(secret, derivation, iv, aad, plaintext, output): ciphertext and tag into `output`. */
napi_value seal_derived(napi_env env, napi_callback_info info) {
  Message message;
  int ignored;
  if (!read_message(env, info, TAG_BYTES, &message)) return NULL;
  ERR_set_mark();
  unsigned char *tag = message.output + message.input_length;
  bool sealed = begin(&message, true) && update(&message, message.input_length) &&
                EVP_CipherFinal_ex(message.secret->cipher, tag, &ignored) > 0 &&
                EVP_CIPHER_CTX_ctrl(message.secret->cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) > 0;
  ERR_pop_to_mark();
  if (!sealed) {
    OPENSSL_cleanse(message.output, message.output_length);
    return throw_error(env, "the message could not be sealed");
  }
  return NULL;
}

/* open(secret, derivation, iv, aad, sealed, output): whether the tag is right; `output` is wiped where it is not. */
napi_value open_derived(napi_env env, napi_callback_info info) {
  Message message;
  int ignored;
  unsigned char none[TAG_BYTES];
  napi_value verdict;
  if (!read_message(env, info, -TAG_BYTES, &message)) return NULL;
  ERR_set_mark();
  unsigned char *tag = message.input + message.output_length;
  bool opened = begin(&message, false) && update(&message, message.output_length) &&
                EVP_CIPHER_CTX_ctrl(message.secret->cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) > 0 &&
                EVP_CipherFinal_ex(message.secret->cipher, none, &ignored) > 0;
  ERR_pop_to_mark();
  if (!opened) OPENSSL_cleanse(message.output, message.output_length);
  return napi_get_boolean(env, opened, &verdict) == napi_ok ? verdict : throw_error(env, "out of memory");
}

/* base64url without padding, as Node writes it. */
static void encode_base64url(const unsigned char *bytes, size_t length, char *text) {
  static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (size_t i = 0; i < length; i += 3) {
    unsigned long group = (unsigned long)bytes[i] << 16;
    if (i + 1 < length) group |= (unsigned long)bytes[i + 1] << 8;
    if (i + 2 < length) group |= bytes[i + 2];
    *text++ = DIGITS[group >> 18 & 63];
    *text++ = DIGITS[group >> 12 & 63];
    if (i + 1 < length) *text++ = DIGITS[group >> 6 & 63];
    if (i + 2 < length) *text++ = DIGITS[group & 63];
  }
}

/* The text in UTF-8: in `room`, or in memory that is the caller's to free. NULL with an exception pending. */
static char *read_text(napi_env env, napi_value value, char *room, size_t size, size_t *length) {
  if (napi_get_value_string_utf8(env, value, room, size, length) != napi_ok) {
    throw_error(env, "not a string");
    return NULL;
  }
  /* Less than a character was left: there may be more. */
  if (*length + 4 < size) return room;
  char *text = napi_get_value_string_utf8(env, value, NULL, 0, length) == napi_ok ? malloc(*length + 1) : NULL;
  if (text != NULL && napi_get_value_string_utf8(env, value, text, *length + 1, length) == napi_ok) return text;
  free(text);
  throw_error(env, "out of memory");
  return NULL;
}

/* mac(secret, text): HMAC-SHA256 of its UTF-8, in base64url. */
napi_value mac_text(napi_env env, napi_callback_info info) {
  napi_value arguments[2], result;
  char room[4096], encoded[43];
  unsigned char mac[KEY_BYTES];
  size_t length, mac_length;
  if (!read_arguments(env, info, 2, arguments)) return NULL;
  Secret *secret = read_secret(env, arguments[0]);
  char *text = secret == NULL ? NULL : read_text(env, arguments[1], room, sizeof room, &length);
  if (text == NULL) return NULL;
  ERR_set_mark();
  bool made = EVP_MAC_init(secret->hmac, NULL, 0, NULL) > 0 &&
              EVP_MAC_update(secret->hmac, (unsigned char *)text, length) > 0 &&
              EVP_MAC_final(secret->hmac, mac, &mac_length, sizeof mac) > 0 && mac_length == sizeof mac;
  ERR_pop_to_mark();
  if (text != room) free(text);
  if (!made) return throw_error(env, "the MAC could not be made");
  encode_base64url(mac, sizeof mac, encoded);
  return napi_create_string_latin1(env, encoded, sizeof encoded, &result) == napi_ok
             ? result
             : throw_error(env, "out of memory");
}
