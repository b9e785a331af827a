#define _GNU_SOURCE
#include "load.h"
#include <string.h>

int main(int count, char **arguments) {
  read_options(count, arguments);
  const char *mode = options.mode;
  if (!strcmp(mode, "echo") || !strcmp(mode, "store") || !strcmp(mode, "assoc")) return run_messages();
  if (!strcmp(mode, "idle")) return run_idle();
  if (!strcmp(mode, "start")) return run_start();
  if (!strcmp(mode, "sink")) return run_sink();
  fail("unknown mode '%s'", mode);
}
