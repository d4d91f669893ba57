/* What a process that holds keys asks of its kernel: no core files, and no debugger of the same user at its memory. */
#include "addon.h"

#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

napi_value forbid_core_dumps(napi_env env, napi_callback_info info) {
  const struct rlimit none = {0, 0};
  (void)info;
  if (setrlimit(RLIMIT_CORE, &none) != 0) return throw_error(env, "the limit of core files could not be set");
#ifdef __linux__
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return throw_error(env, "the process could not be made undumpable");
#endif
  return NULL;
}
