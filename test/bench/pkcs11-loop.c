/*
 * What a PKCS#11 module does without anything around it: signatures from several threads, each with a session of its own,
 * by one token key that is made before and destroyed after.
 *
 *   pkcs11-loop <library> <token label> <threads> <seconds> rsa | ecdsa      the PIN in P11_PIN
 *
 * Prints signatures and CPU seconds.
 */
#define CK_PTR *
#define CK_DECLARE_FUNCTION(returnType, name) returnType name
#define CK_DECLARE_FUNCTION_POINTER(returnType, name) returnType(*name)
#define CK_CALLBACK_FUNCTION(returnType, name) returnType(*name)
#ifndef NULL_PTR
#define NULL_PTR 0
#endif
#include "pkcs11.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { MAX_SLOTS = 64, MAX_THREADS = 256, DIGEST_INFO_BYTES = 51, DIGEST_BYTES = 32, LABEL_BYTES = 32 };

/* RSA-2048 with PKCS#1 padding over a DigestInfo; P-256 over a digest. */
static const struct {
  const char *name;
  CK_MECHANISM_TYPE pair, sign;
  CK_ULONG input;
} ALGORITHMS[] = {{"rsa", CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS, DIGEST_INFO_BYTES},
                  {"ecdsa", CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, DIGEST_BYTES}},
  *algorithm;

static CK_FUNCTION_LIST_PTR module;
static CK_SLOT_ID slot;
static CK_OBJECT_HANDLE key;
static double until;

static void check(CK_RV rv, const char *what) {
  if (rv == CKR_OK) return;
  fprintf(stderr, "%s: 0x%lx\n", what, (unsigned long)rv);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static CK_SESSION_HANDLE open_session(void) {
  CK_SESSION_HANDLE session;
  check(module->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), "C_OpenSession");
  return session;
}

static void find_slot(const char *label) {
  CK_SLOT_ID slots[MAX_SLOTS];
  CK_ULONG count = MAX_SLOTS;
  CK_TOKEN_INFO info;
  char padded[LABEL_BYTES + 1];
  snprintf(padded, sizeof padded, "%-32s", label);
  check(module->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
  for (CK_ULONG i = 0; i < count; i++) {
    check(module->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
    slot = slots[i];
    if (memcmp(info.label, padded, LABEL_BYTES) == 0) return;
  }
  fprintf(stderr, "no token %s\n", label);
  exit(1);
}

static void choose_algorithm(const char *name) {
  for (size_t i = 0; i < sizeof ALGORITHMS / sizeof *ALGORITHMS; i++)
    if (strcmp(ALGORITHMS[i].name, name) == 0) algorithm = &ALGORITHMS[i];
  if (algorithm != NULL) return;
  fprintf(stderr, "no algorithm %s\n", name);
  exit(2);
}

static void make_key(CK_SESSION_HANDLE session) {
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  CK_ULONG bits = 2048;
  CK_BYTE exponent[] = {1, 0, 1}, p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
  CK_ATTRIBUTE rsa[] = {
      {CKA_TOKEN, &no, sizeof no}, {CKA_MODULUS_BITS, &bits, sizeof bits}, {CKA_PUBLIC_EXPONENT, exponent, sizeof exponent}};
  CK_ATTRIBUTE ec[] = {{CKA_TOKEN, &no, sizeof no}, {CKA_EC_PARAMS, p256, sizeof p256}};
  CK_ATTRIBUTE own[] = {{CKA_TOKEN, &yes, sizeof yes},
                        {CKA_PRIVATE, &yes, sizeof yes},
                        {CKA_SENSITIVE, &yes, sizeof yes},
                        {CKA_EXTRACTABLE, &no, sizeof no},
                        {CKA_SIGN, &yes, sizeof yes}};
  CK_MECHANISM mechanism = {algorithm->pair, NULL, 0};
  CK_OBJECT_HANDLE public_key;
  bool is_rsa = algorithm->sign == CKM_RSA_PKCS;
  check(module->C_GenerateKeyPair(session, &mechanism, is_rsa ? rsa : ec, is_rsa ? 3 : 2, own, 5, &public_key, &key),
        "C_GenerateKeyPair");
}

static void *sign(void *count) {
  CK_SESSION_HANDLE session = open_session();
  CK_MECHANISM mechanism = {algorithm->sign, NULL, 0};
  CK_BYTE data[DIGEST_INFO_BYTES] = {0}, signature[256];
  while (now() < until) {
    CK_ULONG length = sizeof signature;
    check(module->C_SignInit(session, &mechanism, key), "C_SignInit");
    check(module->C_Sign(session, data, algorithm->input, signature, &length), "C_Sign");
    ++*(long *)count;
  }
  return NULL;
}

int main(int argc, char **argv) {
  CK_C_INITIALIZE_ARGS locking = {.flags = CKF_OS_LOCKING_OK};
  const char *pin = getenv("P11_PIN");
  pthread_t threads[MAX_THREADS];
  long counts[MAX_THREADS] = {0}, total = 0;
  if (argc != 6 || pin == NULL || atoi(argv[3]) > MAX_THREADS) return 2;
  choose_algorithm(argv[5]);
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  CK_C_GetFunctionList get = library ? (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList") : NULL;
  if (get == NULL) return 2;
  check(get(&module), "C_GetFunctionList");
  check(module->C_Initialize(&locking), "C_Initialize");
  find_slot(argv[2]);
  CK_SESSION_HANDLE session = open_session();
  check(module->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)pin, strlen(pin)), "C_Login");
  make_key(session);
  double before = cpu_seconds();
  until = now() + atof(argv[4]);
  for (int i = 0; i < atoi(argv[3]); i++) pthread_create(&threads[i], NULL, sign, &counts[i]);
  for (int i = 0; i < atoi(argv[3]); i++) {
    pthread_join(threads[i], NULL);
    total += counts[i];
  }
  printf("%ld %f\n", total, cpu_seconds() - before);
  check(module->C_DestroyObject(session, key), "C_DestroyObject");
  return 0;
}
