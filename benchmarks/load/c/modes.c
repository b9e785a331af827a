#define _GNU_SOURCE
/* echo, store, assoc: a thread for each association. */
#include "load.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct worker {
  pthread_t thread;
  int index, sent, failures, first_failure;
  double *milliseconds;
  uint64_t bytes;
  struct peer peer;
  char error[96];
};

static pthread_barrier_t ready, held, done;

static void together(pthread_barrier_t *barrier) {
  if (options.is_held) pthread_barrier_wait(barrier);
}

static int count(struct worker *worker, int status, double started) {
  if (status < 0) {
    memcpy(worker->error, worker->peer.error, sizeof worker->error);
    return -1;
  }
  worker->milliseconds[worker->sent++] = (now_seconds() - started) * 1000;
  if (status != 0 && worker->failures++ == 0) worker->first_failure = status;
  return 0;
}

static void *one_association(void *argument) {
  struct worker *worker = argument;
  int is_store = !strcmp(options.mode, "store");
  struct peer *peer = &worker->peer;
  struct message message;
  pthread_barrier_wait(&ready);
  if (open_peer(peer, is_store ? CT_IMAGE_STORAGE : VERIFICATION, is_store ? EXPLICIT_LITTLE_ENDIAN : IMPLICIT_LITTLE_ENDIAN) < 0) {
    memcpy(worker->error, peer->error, sizeof worker->error);
    close_peer(peer);
    together(&held);
    together(&held);
    together(&done);
    return NULL;
  }
  if (is_store) lay_out_store(&message, options.size, peer->maximum_length, worker->index);
  else lay_out_echo(&message);
  together(&held);
  together(&held);
  for (int i = 0; i < options.n; i++) {
    double started = now_seconds();
    if (count(worker, exchange(peer, &message), started) < 0) break;
    worker->bytes += message.data_set_bytes;
  }
  together(&done);
  if (worker->error[0] == 0 && release_peer(peer) < 0) memcpy(worker->error, peer->error, sizeof worker->error);
  close_peer(peer);
  free_message(&message);
  return NULL;
}

static void *many_associations(void *argument) {
  struct worker *worker = argument;
  struct peer *peer = &worker->peer;
  struct message message;
  lay_out_echo(&message);
  pthread_barrier_wait(&ready);
  for (int i = 0; i < options.n; i++) {
    double started = now_seconds();
    int status = open_peer(peer, VERIFICATION, IMPLICIT_LITTLE_ENDIAN);
    if (status == 0) status = exchange(peer, &message);
    if (status >= 0 && release_peer(peer) < 0) status = -1;
    close_peer(peer);
    if (count(worker, status, started) < 0) break;
  }
  free_message(&message);
  return NULL;
}

static int by_size(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return left < right ? -1 : left > right;
}

static double at_share(const double *sorted, size_t length, double share) {
  if (length == 0) return 0;
  size_t at = (size_t)floor((double)length * share);
  return sorted[at < length ? at : length - 1];
}

static void print_result(double seconds, double generator_seconds, const struct usage *before, const struct usage *after, struct worker *workers) {
  size_t messages = 0;
  uint64_t bytes = 0;
  int failures = 0, first_failure = 0;
  double *all = calloc((size_t)options.n * (size_t)options.associations + 1, sizeof *all);
  for (int i = 0; i < options.associations; i++) {
    struct worker *worker = &workers[i];
    if (worker->error[0] != 0) fail("%s", worker->error);
    memcpy(all + messages, worker->milliseconds, (size_t)worker->sent * sizeof *all);
    messages += (size_t)worker->sent;
    bytes += worker->bytes;
    if (worker->failures > 0) first_failure = worker->first_failure;
    failures += worker->failures;
  }
  qsort(all, messages, sizeof *all, by_size);
  char study[64];
  study_uid(study);
  printf("{\"mode\":\"%s\",\"associations\":%d,\"messages\":%zu", options.mode, options.associations, messages);
  if (bytes > 0) printf(",\"size\":%llu,\"studyInstanceUid\":\"%s\"", (unsigned long long)options.size, study);
  printf(",\"seconds\":%.4f,\"messagesPerSecond\":%.1f", seconds, (double)messages / seconds);
  if (bytes > 0) printf(",\"mibPerSecond\":%.1f", (double)bytes / MIB / seconds);
  printf(",\"p50Ms\":%.3f,\"p99Ms\":%.3f", at_share(all, messages, 0.5), at_share(all, messages, 0.99));
  if (failures > 0) printf(",\"failures\":{\"%04X\":%d}", (unsigned)first_failure, failures);
  if (after->processes > 0) {
    double cpu = after->cpu_seconds - before->cpu_seconds;
    printf(",\"cpuSeconds\":%.4f", cpu);
    if (bytes > 0) printf(",\"cpuSecondsPerGib\":%.3f", cpu * 1024 * MIB / (double)bytes);
    printf(",\"peakRssMib\":%.1f,\"processes\":%d", after->peak_rss_mib, after->processes);
  }
  printf(",\"generatorCpuSeconds\":%.4f}\n", generator_seconds);
  free(all);
}

int run_messages(void) {
  void *(*work)(void *) = !strcmp(options.mode, "assoc") ? many_associations : one_association;
  struct worker *workers = calloc((size_t)options.associations, sizeof *workers);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 131072);
  if (work == many_associations) options.is_held = 0;
  pthread_barrier_t *barriers[] = {&ready, &held, &done};
  for (int i = 0; i < 3; i++) pthread_barrier_init(barriers[i], NULL, (unsigned)options.associations + 1);
  for (int i = 0; i < options.associations; i++) {
    workers[i].index = i;
    workers[i].milliseconds = calloc((size_t)options.n, sizeof(double));
    if (pthread_create(&workers[i].thread, &attributes, work, &workers[i]) != 0) fail("no thread for association %d", i);
  }
  struct usage before = {0}, after = {0};
  if (options.is_held) {
    pthread_barrier_wait(&ready);
    together(&held);
  }
  if (options.pid > 0) usage_of(options.pid, &before);
  double own = own_cpu_seconds(), started = now_seconds();
  pthread_barrier_wait(options.is_held ? &held : &ready);
  if (options.is_held) together(&done);
  else for (int i = 0; i < options.associations; i++) pthread_join(workers[i].thread, NULL);
  double seconds = now_seconds() - started;
  own = own_cpu_seconds() - own;
  if (options.pid > 0) usage_of(options.pid, &after);
  if (options.is_held) for (int i = 0; i < options.associations; i++) pthread_join(workers[i].thread, NULL);
  print_result(seconds, own, &before, &after, workers);
  return 0;
}
