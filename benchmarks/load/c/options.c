#define _GNU_SOURCE
#include "load.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options options = {
  .host = "127.0.0.1", .called = "ANY-SCP", .calling = "DICOMTAP-LOAD",
  .n = 100, .size = 524288, .wait_seconds = 12, .timeout_seconds = 120,
};

static const char *usage =
  "load <echo|assoc|store|idle|start> --port <number> [options] [-- <command> for start]\n"
  "load sink [--port <number>] [--pdu <bytes>] [--window <n>] [--directory <path> [--fsync | --safe]]\n\n"
  "  --host <address>      default 127.0.0.1\n"
  "  --n <count>           messages on each association, associations in a row for assoc; default 100\n"
  "  --associations <n>    at once; default 1, 500 for idle\n"
  "  --size <bytes>        of a data set; default 524288\n"
  "  --pdu <bytes>         longest P-DATA-TF sent; default what the peer takes, at most 1 MiB. sink: what it announces\n"
  "  --called, --calling   AE titles; default ANY-SCP, DICOMTAP-LOAD\n"
  "  --pid <number>        the server's process, to report CPU and memory of it and its descendants\n"
  "  --wait <seconds>      idle: how long to wait for answers; default 12\n"
  "  --timeout <seconds>   give up after; default 120\n"
  "  --held                echo, store: count from when all associations are there until before they are released\n"
  "  --tls                 TLS 1.3; the certificate of the server is not looked at\n";

void fail(const char *format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  for (char *c = text; *c; c++) if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ') *c = '\'';
  printf("{\"mode\":\"%s\",\"error\":\"%s\"}\n", options.mode ? options.mode : "", text);
  exit(1);
}

static void usage_error(void) {
  fputs(usage, stderr);
  exit(2);
}

void read_options(int count, char **arguments) {
  static const struct { const char *name; int *number; double *real; const char **text; } table[] = {
    {"--port", &options.port, 0, 0}, {"--n", &options.n, 0, 0}, {"--associations", &options.associations, 0, 0},
    {"--pid", &options.pid, 0, 0}, {"--window", &options.window, 0, 0},
    {"--wait", 0, &options.wait_seconds, 0}, {"--timeout", 0, &options.timeout_seconds, 0},
    {"--host", 0, 0, &options.host}, {"--called", 0, 0, &options.called}, {"--calling", 0, 0, &options.calling},
    {"--directory", 0, 0, &options.directory},
  };
  if (count < 2) usage_error();
  options.mode = arguments[1];
  for (int i = 2; i < count; i++) {
    const char *name = arguments[i];
    if (!strcmp(name, "--")) { options.command = arguments + i + 1; break; }
    if (!strcmp(name, "--fsync")) { options.is_synced = 1; continue; }
    if (!strcmp(name, "--safe")) { options.is_safe = 1; continue; }
    if (!strcmp(name, "--held")) { options.is_held = 1; continue; }
    if (!strcmp(name, "--tls")) { options.is_tls = 1; continue; }
    if (i + 1 >= count) usage_error();
    const char *value = arguments[++i];
    if (!strcmp(name, "--size")) { options.size = strtoull(value, 0, 10); continue; }
    if (!strcmp(name, "--pdu")) { options.pdu = (uint32_t)strtoul(value, 0, 10); continue; }
    size_t at = 0;
    while (at < sizeof table / sizeof *table && strcmp(name, table[at].name)) at++;
    if (at == sizeof table / sizeof *table) usage_error();
    if (table[at].number) *table[at].number = atoi(value);
    else if (table[at].real) *table[at].real = atof(value);
    else *table[at].text = value;
  }
  if (options.associations == 0) options.associations = strcmp(options.mode, "idle") ? 1 : 500;
  if (strcmp(options.mode, "sink") && options.port == 0) usage_error();
  if (options.is_safe && options.directory == NULL) usage_error();
}
