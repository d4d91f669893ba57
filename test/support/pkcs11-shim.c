/*
 * A PKCS#11 module in front of another one, for faults that SoftHSM does not make by itself. P11_SHIM_MODULE is the
 * module behind it, P11_SHIM_DIR a directory of control files:
 *   logins       one byte is appended per C_Login
 *   hang         while it exists, C_Sign and C_GenerateKeyPair do not return
 *   slow         while it exists, C_Sign takes 20 ms longer; a byte is appended to `overlaps` for each that begins while another
 *                has not ended
 *   sign         a return code (decimal) that C_Sign answers instead of signing; removed by being answered
 *   fail         a return code (decimal) that C_SignInit and C_GetSessionInfo answer while it exists
 *   crash        C_Sign ends the process with SIGSEGV; removed by doing so
 *   crash-made   C_GenerateKeyPair makes its keys, then ends the process; removed by doing so
 *   invalidate   C_Sign closes every session first, as another process' reset of the token would; removed by doing so
 *   sessions     while it exists, C_OpenSession answers CKR_SESSION_COUNT
 *   extractable  while it exists, C_GetAttributeValue claims that CKA_EXTRACTABLE is true
 *   no-raw-rsa   while it exists, CKM_RSA_X_509 is not in the mechanism list
 *   forgets-pin  while it exists, C_Login answers CKR_USER_PIN_NOT_INITIALIZED (SoftHSM does whose files have just gone)
 *   one-purpose  while it exists, keys that could be used in more than one of the ways sign, decrypt and derive are refused, as
 *                some validated tokens do
 *   no-pin       while it exists, C_GetTokenInfo says that the user's PIN is not initialised
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
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static CK_FUNCTION_LIST_PTR real;
static CK_FUNCTION_LIST list;

static const char *control(const char *name, char *path, size_t size) {
  const char *directory = getenv("P11_SHIM_DIR");
  snprintf(path, size, "%s/%s", directory ? directory : "/nonexistent", name);
  return path;
}

static int present(const char *name) {
  char path[4096];
  return access(control(name, path, sizeof path), F_OK) == 0;
}

static long number(const char *name) {
  char path[4096], text[32] = "";
  int fd = open(control(name, path, sizeof path), O_RDONLY);
  if (fd < 0) return -1;
  if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
  close(fd);
  return strtol(text, NULL, 10);
}

static void append(const char *name) {
  char path[4096];
  int fd = open(control(name, path, sizeof path), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd < 0) return;
  if (write(fd, "x", 1) != 1) abort();
  close(fd);
}

static CK_RV shim_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG length) {
  append("logins");
  if (present("forgets-pin")) return CKR_USER_PIN_NOT_INITIALIZED;
  return real->C_Login(session, user, pin, length);
}

/* Whether the control file was there; it is not any more. */
static int taken(const char *name) {
  char path[4096];
  return unlink(control(name, path, sizeof path)) == 0;
}

static CK_RV shim_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify,
                              CK_SESSION_HANDLE_PTR session) {
  if (present("sessions")) return CKR_SESSION_COUNT;
  return real->C_OpenSession(slot, flags, application, notify, session);
}

static CK_RV shim_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info) {
  long code = number("fail");
  return code >= 0 ? (CK_RV)code : real->C_GetSessionInfo(session, info);
}

static CK_RV shim_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  long code = number("fail");
  return code >= 0 ? (CK_RV)code : real->C_SignInit(session, mechanism, key);
}

static atomic_int signing;

static void take_long(void) {
  if (atomic_fetch_add(&signing, 1) > 0) append("overlaps");
  usleep(20000);
  atomic_fetch_sub(&signing, 1);
}

static CK_RV shim_Sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG dataLength, CK_BYTE_PTR signature,
                       CK_ULONG_PTR signatureLength) {
  char path[4096];
  long code;
  CK_SESSION_INFO info;
  while (present("hang")) usleep(10000);
  if (present("slow")) take_long();
  if (taken("crash")) raise(SIGSEGV);
  if (taken("invalidate") && real->C_GetSessionInfo(session, &info) == CKR_OK) real->C_CloseAllSessions(info.slotID);
  if ((code = number("sign")) >= 0) {
    unlink(control("sign", path, sizeof path));
    return (CK_RV)code;
  }
  return real->C_Sign(session, data, dataLength, signature, signatureLength);
}

static int mixes(CK_ATTRIBUTE_PTR template, CK_ULONG count) {
  int ways = 0;
  CK_ULONG i;
  for (i = 0; i < count; i++)
    if ((template[i].type == CKA_SIGN || template[i].type == CKA_DECRYPT || template[i].type == CKA_DERIVE) &&
        template[i].pValue && *(CK_BBOOL *)template[i].pValue)
      ways++;
  return ways > 1 && present("one-purpose");
}

static CK_RV shim_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR template,
                              CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
  if (mixes(template, count)) return CKR_TEMPLATE_INCONSISTENT;
  return real->C_GenerateKey(session, mechanism, template, count, key);
}

static CK_RV shim_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                               CK_OBJECT_HANDLE_PTR object) {
  if (mixes(template, count)) return CKR_TEMPLATE_INCONSISTENT;
  return real->C_CreateObject(session, template, count, object);
}

static CK_RV shim_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping,
                            CK_BYTE_PTR wrapped, CK_ULONG length, CK_ATTRIBUTE_PTR template, CK_ULONG count,
                            CK_OBJECT_HANDLE_PTR key) {
  if (mixes(template, count)) return CKR_TEMPLATE_INCONSISTENT;
  return real->C_UnwrapKey(session, mechanism, unwrapping, wrapped, length, template, count, key);
}

static CK_RV shim_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR publicTemplate,
                                  CK_ULONG publicCount, CK_ATTRIBUTE_PTR privateTemplate, CK_ULONG privateCount,
                                  CK_OBJECT_HANDLE_PTR publicKey, CK_OBJECT_HANDLE_PTR privateKey) {
  while (present("hang")) usleep(10000);
  if (mixes(privateTemplate, privateCount)) return CKR_TEMPLATE_INCONSISTENT;
  CK_RV rv = real->C_GenerateKeyPair(session, mechanism, publicTemplate, publicCount, privateTemplate, privateCount,
                                     publicKey, privateKey);
  if (rv == CKR_OK && taken("crash-made")) raise(SIGKILL);
  return rv;
}

static CK_RV shim_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                                    CK_ULONG count) {
  CK_RV rv = real->C_GetAttributeValue(session, object, template, count);
  CK_ULONG i;
  for (i = 0; rv == CKR_OK && i < count; i++)
    if (template[i].type == CKA_EXTRACTABLE && template[i].pValue && present("extractable"))
      *(CK_BBOOL *)template[i].pValue = CK_TRUE;
  return rv;
}

static CK_RV shim_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) {
  CK_RV rv = real->C_GetTokenInfo(slot, info);
  if (rv == CKR_OK && present("no-pin")) info->flags &= ~(CK_FLAGS)CKF_USER_PIN_INITIALIZED;
  return rv;
}

static CK_RV shim_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR mechanisms, CK_ULONG_PTR count) {
  CK_RV rv = real->C_GetMechanismList(slot, mechanisms, count);
  CK_ULONG i, kept = 0;
  if (rv != CKR_OK || !mechanisms || !present("no-raw-rsa")) return rv;
  for (i = 0; i < *count; i++)
    if (mechanisms[i] != CKM_RSA_X_509) mechanisms[kept++] = mechanisms[i];
  *count = kept;
  return rv;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out) {
  if (!real) {
    const char *path = getenv("P11_SHIM_MODULE");
    void *module = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    CK_C_GetFunctionList get = module ? (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList") : NULL;
    if (!get || get(&real) != CKR_OK) return CKR_GENERAL_ERROR;
    list = *real;
    list.C_Login = shim_Login;
    list.C_OpenSession = shim_OpenSession;
    list.C_GetSessionInfo = shim_GetSessionInfo;
    list.C_SignInit = shim_SignInit;
    list.C_Sign = shim_Sign;
    list.C_GenerateKey = shim_GenerateKey;
    list.C_CreateObject = shim_CreateObject;
    list.C_UnwrapKey = shim_UnwrapKey;
    list.C_GenerateKeyPair = shim_GenerateKeyPair;
    list.C_GetAttributeValue = shim_GetAttributeValue;
    list.C_GetTokenInfo = shim_GetTokenInfo;
    list.C_GetMechanismList = shim_GetMechanismList;
  }
  *out = &list;
  return CKR_OK;
}
