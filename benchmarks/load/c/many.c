#define _GNU_SOURCE
/* idle: all associations asked for at once, held, then a C-ECHO on each. start: how long a server takes to answer. */
#include "load.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum stage { CONNECTING, ASKED, ACCEPTED, ECHOED, OVER };

struct held {
  enum stage stage;
  struct peer peer;
};

static int read_into(struct peer *peer) {
  if (peer->begin > 0) {
    memmove(peer->buffer, peer->buffer + peer->begin, peer->end - peer->begin);
    peer->end -= peer->begin;
    peer->begin = 0;
  }
  ssize_t got = recv(peer->socket, peer->buffer + peer->end, sizeof peer->buffer - peer->end, MSG_DONTWAIT);
  if (got <= 0) return got < 0 && errno == EAGAIN ? 0 : -1;
  peer->end += (size_t)got;
  return 0;
}

/* What arrived on one: accepted, echoed, or over. */
static void arrived(struct held *held) {
  unsigned char *pdu;
  size_t length;
  if (read_into(&held->peer) < 0) { held->stage = OVER; return; }
  while (next_pdu(&held->peer, &pdu, &length) == 1) {
    uint32_t maximum_length;
    if (pdu[0] == 2 && held->stage == ASKED && read_associate_accept(pdu + 6, length - 6, &maximum_length) == 0) held->stage = ACCEPTED;
    else if (pdu[0] == 4 && held->stage == ACCEPTED) {
      const unsigned char *status = element_of(pdu + 12, length - 12, 0x0900, NULL);
      held->stage = status != NULL && u16le(status) == 0 ? ECHOED : OVER;
    } else held->stage = OVER;
  }
}

/* Until all have left `stage`, or the time is over; the time of the last that came to the one after it. */
static double wait_for(struct held *all, struct pollfd *polled, enum stage stage, const struct bytes *request, double started) {
  double last = started;
  while (now_seconds() - started < options.wait_seconds) {
    int waiting = 0;
    for (int i = 0; i < options.associations; i++) {
      int is_waiting = all[i].stage <= stage;
      polled[i].fd = is_waiting ? all[i].peer.socket : -1;
      polled[i].events = all[i].stage == CONNECTING ? POLLOUT : POLLIN;
      waiting += is_waiting;
    }
    if (waiting == 0) break;
    if (poll(polled, (nfds_t)options.associations, 100) <= 0) continue;
    for (int i = 0; i < options.associations; i++) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      if (all[i].stage == CONNECTING) {
        int problem = 0;
        socklen_t size = sizeof problem;
        getsockopt(all[i].peer.socket, SOL_SOCKET, SO_ERROR, &problem, &size);
        if (problem == 0 && send(all[i].peer.socket, request->at, request->length, MSG_NOSIGNAL) == (ssize_t)request->length) all[i].stage = ASKED;
        else all[i].stage = OVER;
        continue;
      }
      arrived(&all[i]);
      if (all[i].stage > stage && all[i].stage != OVER) last = now_seconds();
    }
  }
  return last;
}

static int count_of(const struct held *all, enum stage stage) {
  int count = 0;
  for (int i = 0; i < options.associations; i++) count += all[i].stage == stage;
  return count;
}

int run_idle(void) {
  struct held *all = calloc((size_t)options.associations, sizeof *all);
  struct pollfd *polled = calloc((size_t)options.associations, sizeof *polled);
  struct bytes request = {0};
  put_associate_request(&request, VERIFICATION, IMPLICIT_LITTLE_ENDIAN);
  struct usage before = {0}, held = {0}, after = {0};
  if (options.pid > 0) usage_of(options.pid, &before);
  double started = now_seconds();
  for (int i = 0; i < options.associations; i++) {
    all[i].peer.socket = connect_socket(0);
    all[i].stage = all[i].peer.socket < 0 ? OVER : CONNECTING;
  }
  double last = wait_for(all, polled, ASKED, &request, started);
  int accepted = count_of(all, ACCEPTED), refused = count_of(all, OVER);
  if (options.pid > 0) usage_of(options.pid, &held);
  struct message message;
  lay_out_echo(&message);
  double echoing = now_seconds();
  for (int i = 0; i < options.associations; i++) {
    if (all[i].stage != ACCEPTED) { all[i].stage = OVER; continue; }
    next_message(&message);
    if (send(all[i].peer.socket, message.head.at, message.head.length, MSG_NOSIGNAL) < 0) all[i].stage = OVER;
  }
  double echoed = wait_for(all, polled, ACCEPTED, &request, echoing);
  if (options.pid > 0) usage_of(options.pid, &after);
  printf("{\"mode\":\"idle\",\"associations\":%d,\"accepted\":%d,\"refused\":%d,\"unanswered\":%d,\"echoed\":%d,\"lastAcceptMs\":%.1f,\"lastEchoMs\":%.1f",
    options.associations, accepted, refused, options.associations - accepted - refused, count_of(all, ECHOED),
    (last - started) * 1000, (echoed - echoing) * 1000);
  if (options.pid > 0 && accepted > 0) {
    printf(",\"pssMib\":%.1f,\"kibPerAssociation\":%.1f,\"cpuSeconds\":%.4f,\"openCpuSeconds\":%.4f,\"peakRssMib\":%.1f", held.pss_mib,
      (held.pss_mib - before.pss_mib) * 1024 / accepted, after.cpu_seconds - before.cpu_seconds, held.cpu_seconds - before.cpu_seconds, after.peak_rss_mib);
  }
  printf("}\n");
  return 0;
}

int run_start(void) {
  if (options.command == NULL || options.command[0] == NULL) fail("no command to start");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t child;
  struct peer *peer = calloc(1, sizeof *peer);
  struct message message;
  lay_out_echo(&message);
  double started = now_seconds();
  if (posix_spawnp(&child, options.command[0], &actions, NULL, options.command, environ) != 0) fail("%s does not start", options.command[0]);
  const struct timespec pause = {.tv_nsec = 1000000};
  int is_up = 0, has_ended = 0;
  while (!is_up && !has_ended && now_seconds() - started < options.timeout_seconds) {
    if (open_peer(peer, VERIFICATION, IMPLICIT_LITTLE_ENDIAN) == 0 && exchange(peer, &message) == 0) is_up = 1;
    else nanosleep(&pause, NULL);
    if (!is_up) close_peer(peer);
    has_ended = waitpid(child, NULL, WNOHANG) == child;
  }
  double seconds = now_seconds() - started;
  struct usage used = {0};
  if (!has_ended) usage_of(child, &used);
  if (is_up) { release_peer(peer); close_peer(peer); }
  if (!has_ended) {
    kill(child, SIGTERM);
    for (int i = 0; i < 5000 && waitpid(child, NULL, WNOHANG) != child; i++) {
      if (i == 4999) kill(child, SIGKILL);
      nanosleep(&pause, NULL);
    }
  }
  if (!is_up) fail("%s", has_ended ? "it ended before it answered" : "it does not answer");
  printf("{\"mode\":\"start\",\"startMs\":%.1f,\"cpuSeconds\":%.4f,\"peakRssMib\":%.1f}\n", seconds * 1000, used.cpu_seconds, used.peak_rss_mib);
  return 0;
}
