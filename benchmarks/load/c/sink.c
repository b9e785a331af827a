#define _GNU_SOURCE
/*
 * sink: answers every request with 0000. Drops data sets, or writes each to a file (Part 10 header, slices of the read
 * buffer), closes it, and syncs it before that with --fsync: what a receiver that checks nothing takes at least. With
 * --safe a file gets its name when it is synced, and the folder is synced then: after a power failure it is there, whole,
 * when it was answered, and never in part.
 */
#include "load.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_BYTES 1048576
#define SLICES 128
/* Writes that go beyond such a boundary of the file make Linux take memory in large pieces, which may cost ten times as much. */
#define WRITE_BOUNDARY 65536

enum state { PDU_HEAD, PDU_BODY, PDV_HEAD, FRAGMENT };

struct association {
  int socket, file, slices, is_over, is_released, context_id, control;
  enum state state;
  size_t begin, end, command_length, longest_pdu;
  uint64_t body_left, fragment_left, messages, data_set_bytes, file_bytes;
  double accepted_at, answered_at;
  unsigned char type, has_data_set;
  unsigned char command[1024];
  /* Where the object is written, and where it is to be. */
  char path[4096], name[4096];
  struct iovec slice[SLICES];
  struct bytes header;
  unsigned char buffer[READ_BYTES];
};

static void write_slices(struct association *one) {
  struct iovec *at = one->slice;
  int left = one->slices;
  while (left > 0) {
    size_t room = WRITE_BOUNDARY - one->file_bytes % WRITE_BOUNDARY;
    struct iovec part[SLICES];
    int parts = 0;
    while (parts < left && room > 0) {
      part[parts] = at[parts];
      if (part[parts].iov_len > room) part[parts].iov_len = room;
      room -= part[parts++].iov_len;
    }
    ssize_t written = writev(one->file, part, parts);
    if (written <= 0) fail("a file cannot be written");
    one->file_bytes += (uint64_t)written;
    while (left > 0 && (size_t)written >= at->iov_len) { written -= (ssize_t)at->iov_len; at++; left--; }
    if (left > 0) { at->iov_base = (char *)at->iov_base + written; at->iov_len -= (size_t)written; }
  }
  one->slices = 0;
}

static void add_slice(struct association *one, void *at, size_t length) {
  if (one->slices == SLICES) write_slices(one);
  one->slice[one->slices++] = (struct iovec){.iov_base = at, .iov_len = length};
}

static void put_meta(struct bytes *to, unsigned element, const char *vr, const void *value, size_t length) {
  unsigned char head[12] = {2, 0, (unsigned char)element, 0, (unsigned char)vr[0], (unsigned char)vr[1]};
  size_t padded = length + length % 2;
  int is_long = !strcmp(vr, "OB");
  head[is_long ? 8 : 6] = (unsigned char)padded;
  put(to, head, is_long ? 12 : 8);
  put(to, value, length);
  if (length % 2) put(to, "", 1);
}

static void open_file(struct association *one) {
  size_t length = 0;
  const unsigned char *uid = element_of(one->command, one->command_length, 0x1000, &length);
  while (uid != NULL && length > 0 && (uid[length - 1] == 0 || uid[length - 1] == ' ')) length--;
  if (uid == NULL || length == 0 || length > 64) fail("a request without a usable SOP Instance UID");
  for (size_t i = 0; i < length; i++) if (uid[i] != '.' && (uid[i] < '0' || uid[i] > '9')) fail("a SOP Instance UID that is none");
  snprintf(one->name, sizeof one->name, "%s/%.*s", options.directory, (int)length, (const char *)uid);
  snprintf(one->path, sizeof one->path, options.is_safe ? "%s/partial/%.*s" : "%s/%.*s", options.directory, (int)length, (const char *)uid);
  one->file = open(one->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (one->file < 0) fail("a file cannot be made");
  one->file_bytes = 0;
  struct bytes *header = &one->header;
  header->length = 0;
  memset(grow(header, 128), 0, 128);
  put(header, "DICM", 4);
  put_meta(header, 0x00, "UL", "\0\0\0\0", 4);
  size_t group = header->length;
  put_meta(header, 0x01, "OB", "\0\1", 2);
  put_meta(header, 0x02, "UI", CT_IMAGE_STORAGE, strlen(CT_IMAGE_STORAGE));
  put_meta(header, 0x03, "UI", uid, length);
  put_meta(header, 0x10, "UI", EXPLICIT_LITTLE_ENDIAN, strlen(EXPLICIT_LITTLE_ENDIAN));
  put_meta(header, 0x12, "UI", "2.25.220116742913742958203155612345678901235", 44);
  header->at[group - 4] = (unsigned char)(header->length - group);
  add_slice(one, header->at, header->length);
}

static void give_name(const struct association *one) {
  if (link(one->path, one->name) != 0) fail("a file cannot be named");
  int folder = open(options.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || fsync(folder) != 0) fail("a folder cannot be synced");
  close(folder);
}

static void answer(struct association *one) {
  int is_stored = one->file >= 0;
  if (is_stored) {
    write_slices(one);
    if ((options.is_synced || options.is_safe) && fsync(one->file) != 0) fail("a file cannot be synced");
    close(one->file);
    one->file = -1;
    if (options.is_safe) give_name(one);
  }
  char sop_class[72] = "", sop_instance[72] = "";
  size_t length;
  const unsigned char *value = element_of(one->command, one->command_length, 0x0002, &length);
  if (value != NULL && length < sizeof sop_class) memcpy(sop_class, value, length);
  value = element_of(one->command, one->command_length, 0x1000, &length);
  if (value != NULL && length < sizeof sop_instance) memcpy(sop_instance, value, length);
  const unsigned char *field = element_of(one->command, one->command_length, 0x0100, NULL);
  const unsigned char *id = element_of(one->command, one->command_length, 0x0110, NULL);
  if (field == NULL || id == NULL) { one->is_over = 1; return; }
  struct command response = {
    .sop_class = sop_class, .sop_instance = sop_instance[0] ? sop_instance : NULL,
    .field = u16le(field) | 0x8000, .message_id = u16le(id), .data_set_type = 0x0101, .status = 0,
  };
  struct bytes bytes = {0};
  put_command(&bytes, one->context_id, &response);
  if (send(one->socket, bytes.at, bytes.length, MSG_NOSIGNAL) != (ssize_t)bytes.length) one->is_over = 1;
  free(bytes.at);
  if (is_stored && options.is_safe) unlink(one->path);
  one->messages++;
  one->answered_at = now_seconds();
  one->command_length = 0;
}

static void fragment_ended(struct association *one) {
  if ((one->control & 2) == 0) return;
  if (one->control & 1) {
    const unsigned char *type = element_of(one->command, one->command_length, 0x0800, NULL);
    one->has_data_set = type != NULL && u16le(type) != 0x0101;
    if (one->has_data_set) return;
  }
  answer(one);
}

static void whole_pdu(struct association *one, const unsigned char *body, size_t length) {
  struct bytes bytes = {0};
  if (one->type == 1 && length >= 68) put_associate_accept(&bytes, body, length, options.pdu, options.window);
  else if (one->type == 5) { put(&bytes, "\6\0\0\0\0\4\0\0\0\0", 10); one->is_released = 1; }
  else { one->is_over = 1; return; }
  if (send(one->socket, bytes.at, bytes.length, MSG_NOSIGNAL) < 0) one->is_over = 1;
  free(bytes.at);
}

/* What lies in the buffer, as far as it goes. */
static void take(struct association *one) {
  for (;;) {
    size_t there = one->end - one->begin;
    unsigned char *at = one->buffer + one->begin;
    if (one->is_over) return;
    if (one->state == PDU_HEAD) {
      if (there < 6) return;
      one->type = at[0];
      one->body_left = u32be(at + 2);
      if (one->type == 4 && one->body_left > one->longest_pdu) one->longest_pdu = (size_t)one->body_left;
      if (one->type != 4 && one->body_left > READ_BYTES) { one->is_over = 1; return; }
      one->begin += 6;
      one->state = one->type == 4 ? PDV_HEAD : PDU_BODY;
    } else if (one->state == PDU_BODY) {
      if (there < one->body_left) return;
      whole_pdu(one, at, (size_t)one->body_left);
      one->begin += (size_t)one->body_left;
      one->state = PDU_HEAD;
    } else if (one->state == PDV_HEAD) {
      if (one->body_left == 0) { one->state = PDU_HEAD; continue; }
      if (there < 6) return;
      uint64_t length = u32be(at);
      if (length < 2 || length + 4 > one->body_left) { one->is_over = 1; return; }
      one->fragment_left = length - 2;
      one->body_left -= length + 4;
      one->context_id = at[4];
      one->control = at[5];
      one->begin += 6;
      one->state = FRAGMENT;
      if ((one->control & 1) == 0 && options.directory != NULL && one->file < 0) open_file(one);
    } else {
      size_t length = there < one->fragment_left ? there : (size_t)one->fragment_left;
      if (one->control & 1) {
        if (one->command_length + length > sizeof one->command) { one->is_over = 1; return; }
        memcpy(one->command + one->command_length, at, length);
        one->command_length += length;
      } else {
        one->data_set_bytes += length;
        if (one->file >= 0 && length > 0) add_slice(one, at, length);
      }
      one->begin += length;
      one->fragment_left -= length;
      if (one->fragment_left > 0) return;
      one->state = PDV_HEAD;
      fragment_ended(one);
    }
  }
}

static void *serve(void *argument) {
  struct association *one = argument;
  while (!one->is_over) {
    if (one->slices > 0) write_slices(one);
    memmove(one->buffer, one->buffer + one->begin, one->end - one->begin);
    one->end -= one->begin;
    one->begin = 0;
    ssize_t got = recv(one->socket, one->buffer + one->end, READ_BYTES - one->end, 0);
    if (got <= 0) break;
    one->end += (size_t)got;
    take(one);
  }
  close(one->socket);
  if (one->file >= 0) close(one->file);
  struct rusage used;
  getrusage(RUSAGE_THREAD, &used);
  double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  /* From the connection to the last answer: without the start of the sender and its end. */
  printf("{\"messages\":%llu,\"dataSetBytes\":%llu,\"seconds\":%.4f,\"longestPduBytes\":%zu,\"isReleased\":%s,\"sinkCpuSeconds\":%.3f}\n",
    (unsigned long long)one->messages, (unsigned long long)one->data_set_bytes,
    one->messages == 0 ? 0 : one->answered_at - one->accepted_at, one->longest_pdu, one->is_released ? "true" : "false", cpu);
  fflush(stdout);
  free(one->header.at);
  free(one);
  return NULL;
}

int run_sink(void) {
  char partial[4096];
  snprintf(partial, sizeof partial, "%s/partial", options.directory == NULL ? "" : options.directory);
  if (options.is_safe && mkdir(partial, 0750) != 0) fail("%s cannot be made", partial);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
  inet_pton(AF_INET, options.host, &address.sin_addr);
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1024) != 0) fail("port %d cannot be listened on", options.port);
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  for (;;) {
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (accepted < 0) continue;
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct association *association = malloc(sizeof *association);
    memset(association, 0, offsetof(struct association, buffer));
    association->socket = accepted;
    association->file = -1;
    association->accepted_at = now_seconds();
    pthread_t thread;
    if (pthread_create(&thread, &attributes, serve, association) != 0) fail("no thread for an association");
  }
}
