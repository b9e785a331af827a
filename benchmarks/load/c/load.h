/*
 * The load generator and the sink of the benchmarks: raw PS3.8 with canned bytes. A message is laid out once per
 * association, P-DATA-TF headers included; of each further one the Message ID and the SOP Instance UID are written over,
 * and it leaves in one send. So what is measured is the other side.
 *
 *   cc -O2 -pthread -o load *.c            [-DWITH_TLS -lssl -lcrypto]
 */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>

#define VERIFICATION "1.2.840.10008.1.1"
#define CT_IMAGE_STORAGE "1.2.840.10008.5.1.4.1.1.2"
#define IMPLICIT_LITTLE_ENDIAN "1.2.840.10008.1.2"
#define EXPLICIT_LITTLE_ENDIAN "1.2.840.10008.1.2.1"
#define CONTEXT_ID 1
#define MIB 1048576.0

/* ---- options.c */
struct options {
  const char *mode, *host, *called, *calling, *directory;
  int port, n, associations, pid, is_synced, is_safe, is_tls, is_held, window;
  double wait_seconds, timeout_seconds;
  uint64_t size;
  uint32_t pdu;
  char **command;
};
extern struct options options;
void read_options(int count, char **arguments);
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* ---- bytes.c: bytes that grow, and what is written into them */
struct bytes {
  unsigned char *at;
  size_t length, room;
};
unsigned char *grow(struct bytes *bytes, size_t more);
void put(struct bytes *bytes, const void *from, size_t length);
void put_u16be(struct bytes *bytes, unsigned value);
void put_u32be(struct bytes *bytes, uint32_t value);
uint32_t u32be(const unsigned char *at);
uint32_t u32le(const unsigned char *at);
unsigned u16be(const unsigned char *at);
unsigned u16le(const unsigned char *at);

/* ---- pdu.c: PS3.8 9.3, PS3.7 6.3 and D.3 */
void put_associate_request(struct bytes *to, const char *abstract_syntax, const char *transfer_syntax);
void put_associate_accept(struct bytes *to, const unsigned char *request, size_t length, uint32_t pdu, int window);
/* The answer to context 1, 0 if accepted, and the maximum length of the other side. */
int read_associate_accept(const unsigned char *body, size_t length, uint32_t *maximum_length);
/* A command set as it goes into one P-DATA-TF. */
struct command {
  const char *sop_class, *sop_instance;
  unsigned field, message_id, data_set_type;
  int status;
};
void put_command(struct bytes *to, int context_id, const struct command *command);
/* The value of an element of group 0000; NULL when it is not there. */
const unsigned char *element_of(const unsigned char *command, size_t length, unsigned element, size_t *value_length);

/* ---- message.c: C-ECHO and C-STORE requests that can be sent again and again */
struct message {
  struct bytes head, block, tail;
  uint64_t blocks, data_set_bytes;
  size_t message_id_at, uid_at[2];
  int uids, association;
  unsigned message_id, instance;
};
void lay_out_echo(struct message *message);
void lay_out_store(struct message *message, uint64_t size, uint32_t maximum_length, int association);
void next_message(struct message *message);
void free_message(struct message *message);
/* Study of this run, and the UID of an instance in it: as many characters whatever the numbers. */
void instance_uid(char *to, int association, unsigned instance);
void study_uid(char *to);

/* ---- peer.c: the requestor's side of an association */
struct peer {
  int socket;
  void *tls;
  uint32_t maximum_length;
  size_t begin, end;
  unsigned char buffer[16384];
  char error[96];
};
int open_peer(struct peer *peer, const char *abstract_syntax, const char *transfer_syntax);
/* The status of the response; -1 and peer->error when there was none. */
int exchange(struct peer *peer, struct message *message);
int release_peer(struct peer *peer);
void close_peer(struct peer *peer);
int connect_socket(int is_blocking);
/* Whole PDUs in the buffer: 1 and the PDU, 0 when more must be read, -1 when it is too long. */
int next_pdu(struct peer *peer, unsigned char **pdu, size_t *length);

/* ---- usage.c: from /proc */
struct usage {
  double cpu_seconds, peak_rss_mib, pss_mib;
  int processes;
};
int usage_of(int pid, struct usage *usage);
double own_cpu_seconds(void);
double now_seconds(void);

/* ---- modes.c, many.c, sink.c */
int run_messages(void);
int run_idle(void);
int run_start(void);
int run_sink(void);

#endif
