#define _GNU_SOURCE
#include "load.h"
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double own_cpu_seconds(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

struct process {
  int pid, parent;
  double ended_children;
};

/* Parent, and CPU seconds of children that have ended; 0 when the process is gone. */
static int read_process(int pid, struct process *process) {
  char path[64], line[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  size_t length = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  line[length] = 0;
  /* The name in brackets may hold spaces and brackets. */
  char *rest = strrchr(line, ')');
  long user, system;
  if (rest == NULL) return 0;
  if (sscanf(rest + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %ld %ld", &process->parent, &user, &system) != 3) return 0;
  process->pid = pid;
  process->ended_children = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
  return 1;
}

static double status_kib(int pid, const char *file_name, const char *name) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, file_name);
  FILE *file = fopen(path, "r");
  double value = 0;
  if (file == NULL) return 0;
  while (fgets(line, sizeof line, file)) if (!strncmp(line, name, strlen(name))) { value = atof(line + strlen(name)); break; }
  fclose(file);
  return value;
}

/* Of a process and its descendants. The clock of a process counts nanoseconds, /proc hundredths of a second. */
int usage_of(int pid, struct usage *usage) {
  static struct process all[65536];
  int count = 0, size = 0;
  int tree[4096];
  memset(usage, 0, sizeof *usage);
  DIR *directory = opendir("/proc");
  if (directory == NULL) return 0;
  struct dirent *entry;
  while ((entry = readdir(directory)) != NULL && count < 65536)
    if (isdigit((unsigned char)entry->d_name[0]) && read_process(atoi(entry->d_name), &all[count])) count++;
  closedir(directory);
  for (int i = 0; i < count; i++) if (all[i].pid == pid) tree[size++] = i;
  for (int at = 0; at < size; at++) {
    const struct process *one = &all[tree[at]];
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(one->pid, &clock) == 0 && clock_gettime(clock, &used) == 0) {
      usage->cpu_seconds += (double)used.tv_sec + (double)used.tv_nsec / 1e9;
    }
    usage->cpu_seconds += one->ended_children;
    /* The largest: pages that a forked one shares are not counted twice. */
    double peak = status_kib(one->pid, "status", "VmHWM:") / 1024;
    if (peak > usage->peak_rss_mib) usage->peak_rss_mib = peak;
    usage->pss_mib += status_kib(one->pid, "smaps_rollup", "Pss:") / 1024;
    for (int i = 0; i < count && size < 4096; i++) if (all[i].parent == one->pid) tree[size++] = i;
  }
  usage->processes = size;
  return size > 0;
}
