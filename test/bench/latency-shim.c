/* A PKCS#11 module that adds P11_LATENCY_US microseconds to each C_Sign of the one in P11_LATENCY_MODULE: a network HSM. */
#define CK_PTR *
#define CK_DECLARE_FUNCTION(returnType, name) returnType name
#define CK_DECLARE_FUNCTION_POINTER(returnType, name) returnType(*name)
#define CK_CALLBACK_FUNCTION(returnType, name) returnType(*name)
#ifndef NULL_PTR
#define NULL_PTR 0
#endif
#include "pkcs11.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static CK_FUNCTION_LIST_PTR real;
static CK_FUNCTION_LIST list;
static unsigned latency;

static CK_RV slow_Sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG dataLength, CK_BYTE_PTR signature,
                       CK_ULONG_PTR signatureLength) {
  usleep(latency);
  return real->C_Sign(session, data, dataLength, signature, signatureLength);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out) {
  if (!real) {
    const char *path = getenv("P11_LATENCY_MODULE"), *microseconds = getenv("P11_LATENCY_US");
    void *module = path && microseconds ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    CK_C_GetFunctionList get = module ? (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList") : NULL;
    if (!get || get(&real) != CKR_OK) return CKR_GENERAL_ERROR;
    latency = (unsigned)atoi(microseconds);
    list = *real;
    list.C_Sign = slow_Sign;
  }
  *out = &list;
  return CKR_OK;
}
