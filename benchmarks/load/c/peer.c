#define _GNU_SOURCE
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/ssl.h>
#endif

#define SAID(peer, ...) (snprintf((peer)->error, sizeof (peer)->error, __VA_ARGS__), -1)

int connect_socket(int is_blocking) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
  if (inet_pton(AF_INET, options.host, &address.sin_addr) != 1) fail("%s is no IPv4 address", options.host);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (is_blocking ? 0 : SOCK_NONBLOCK), 0);
  if (fd < 0) return -1;
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct timeval limit = {.tv_sec = (time_t)options.timeout_seconds};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && (is_blocking || errno != EINPROGRESS)) {
    close(fd);
    return -1;
  }
  return fd;
}

#ifdef WITH_TLS
static SSL_CTX *tls_context(void) {
  static SSL_CTX *context;
  if (context == NULL) {
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
  }
  return context;
}

static int secure(struct peer *peer) {
  SSL *tls = SSL_new(tls_context());
  SSL_set_fd(tls, peer->socket);
  peer->tls = tls;
  return SSL_connect(tls) == 1 ? 0 : SAID(peer, "no TLS 1.3 connection");
}
#else
static int secure(struct peer *peer) { return SAID(peer, "built without TLS"); }
#endif

static ssize_t receive_some(struct peer *peer, void *to, size_t length) {
#ifdef WITH_TLS
  if (peer->tls != NULL) return SSL_read(peer->tls, to, (int)length);
#endif
  return recv(peer->socket, to, length, 0);
}

static int send_all(struct peer *peer, const unsigned char *at, size_t length) {
  while (length > 0) {
    ssize_t sent;
#ifdef WITH_TLS
    if (peer->tls != NULL) sent = SSL_write(peer->tls, at, length > 0x40000000 ? 0x40000000 : (int)length);
    else
#endif
      sent = send(peer->socket, at, length, MSG_NOSIGNAL);
    if (sent <= 0) return SAID(peer, "not sent: %s", strerror(errno));
    at += sent;
    length -= (size_t)sent;
  }
  return 0;
}

int next_pdu(struct peer *peer, unsigned char **pdu, size_t *length) {
  size_t there = peer->end - peer->begin;
  if (there < 6) return 0;
  *pdu = peer->buffer + peer->begin;
  *length = 6 + (size_t)u32be(*pdu + 2);
  if (*length > sizeof peer->buffer) return -1;
  if (there < *length) return 0;
  peer->begin += *length;
  return 1;
}

static int read_pdu(struct peer *peer, unsigned char **pdu, size_t *length) {
  for (;;) {
    int found = next_pdu(peer, pdu, length);
    if (found < 0) return SAID(peer, "a PDU that is too long");
    if (found > 0) return 0;
    if (peer->begin > 0) {
      memmove(peer->buffer, peer->buffer + peer->begin, peer->end - peer->begin);
      peer->end -= peer->begin;
      peer->begin = 0;
    }
    ssize_t got = receive_some(peer, peer->buffer + peer->end, sizeof peer->buffer - peer->end);
    if (got == 0) return SAID(peer, "closed by peer");
    if (got < 0) return SAID(peer, "not received: %s", strerror(errno));
    peer->end += (size_t)got;
  }
}

int open_peer(struct peer *peer, const char *abstract_syntax, const char *transfer_syntax) {
  peer->tls = NULL;
  peer->begin = peer->end = 0;
  peer->socket = connect_socket(1);
  if (peer->socket < 0) return SAID(peer, "no connection: %s", strerror(errno));
  if (options.is_tls && secure(peer) < 0) return -1;
  struct bytes request = {0};
  put_associate_request(&request, abstract_syntax, transfer_syntax);
  int sent = send_all(peer, request.at, request.length);
  free(request.at);
  unsigned char *pdu;
  size_t length;
  if (sent < 0 || read_pdu(peer, &pdu, &length) < 0) return -1;
  if (pdu[0] == 3 && length >= 10) return SAID(peer, "rejected (%d,%d,%d)", pdu[7], pdu[8], pdu[9]);
  if (pdu[0] != 2) return SAID(peer, "aborted");
  int result = read_associate_accept(pdu + 6, length - 6, &peer->maximum_length);
  return result == 0 ? 0 : SAID(peer, "the presentation context was refused (%d)", result);
}

int exchange(struct peer *peer, struct message *message) {
  next_message(message);
  if (send_all(peer, message->head.at, message->head.length) < 0) return -1;
  for (uint64_t i = 0; i < message->blocks; i++) if (send_all(peer, message->block.at, message->block.length) < 0) return -1;
  if (message->tail.length > 0 && send_all(peer, message->tail.at, message->tail.length) < 0) return -1;
  unsigned char *pdu;
  size_t length;
  unsigned char command[512];
  size_t gathered = 0;
  for (;;) {
    if (read_pdu(peer, &pdu, &length) < 0) return -1;
    if (pdu[0] != 4) return SAID(peer, "aborted");
    for (size_t at = 6; at + 6 <= length;) {
      size_t end = at + 4 + u32be(pdu + at);
      if (end > length || end < at + 6) return SAID(peer, "a PDV that is too long");
      if (pdu[at + 5] & 1) {
        if (gathered + end - at - 6 > sizeof command) return SAID(peer, "a response that is too long");
        memcpy(command + gathered, pdu + at + 6, end - at - 6);
        gathered += end - at - 6;
      }
      int is_whole = (pdu[at + 5] & 3) == 3;
      at = end;
      if (!is_whole) continue;
      const unsigned char *id = element_of(command, gathered, 0x0120, NULL);
      const unsigned char *status = element_of(command, gathered, 0x0900, NULL);
      if (id == NULL || status == NULL || u16le(id) != message->message_id) return SAID(peer, "an answer to something else");
      return (int)u16le(status);
    }
  }
}

int release_peer(struct peer *peer) {
  static const unsigned char request[10] = {5, 0, 0, 0, 0, 4, 0, 0, 0, 0};
  unsigned char *pdu;
  size_t length;
  if (send_all(peer, request, sizeof request) < 0 || read_pdu(peer, &pdu, &length) < 0) return -1;
  return pdu[0] == 6 ? 0 : SAID(peer, "the release was not answered");
}

void close_peer(struct peer *peer) {
#ifdef WITH_TLS
  if (peer->tls != NULL) SSL_free(peer->tls);
#endif
  if (peer->socket >= 0) close(peer->socket);
  peer->socket = -1;
}
