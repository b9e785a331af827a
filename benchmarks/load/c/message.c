#define _GNU_SOURCE
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LARGEST_PDU 1048576u
#define WHOLE_BELOW 16777216u
#define BLOCK_BYTES 1048576u
#define PDV_OVERHEAD 6u

/* PS3.5 B.2: a UUID as one number below 2.25, here of random digits. */
static const char *run_digits(void) {
  static char digits[13];
  if (digits[0] == 0) {
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number) fail("no random number");
    snprintf(digits, sizeof digits, "%012llu", (unsigned long long)(number % 1000000000000ull));
  }
  return digits;
}

void instance_uid(char *to, int association, unsigned instance) {
  sprintf(to, "2.25.1%s%04d%08u", run_digits(), association % 10000, instance % 100000000u);
}

void study_uid(char *to) { sprintf(to, "2.25.1%s00001", run_digits()); }

static void put_attribute(struct bytes *to, unsigned group, unsigned element, const char *vr, const void *value, size_t length) {
  int is_long = !strcmp(vr, "OW");
  size_t padded = length + length % 2;
  unsigned char head[8] = {
    (unsigned char)group, (unsigned char)(group >> 8), (unsigned char)element, (unsigned char)(element >> 8),
    (unsigned char)vr[0], (unsigned char)vr[1],
    (unsigned char)(is_long ? 0 : padded), (unsigned char)(is_long ? 0 : padded >> 8),
  };
  put(to, head, 8);
  if (is_long) return;
  put(to, value, length);
  if (length % 2) put(to, !strcmp(vr, "UI") ? "" : " ", 1);
}

static void put_text(struct bytes *to, unsigned group, unsigned element, const char *vr, const char *text) {
  put_attribute(to, group, element, vr, text, strlen(text));
}

static void put_us(struct bytes *to, unsigned element, unsigned value) {
  unsigned char number[2] = {(unsigned char)value, (unsigned char)(value >> 8)};
  put_attribute(to, 0x0028, element, "US", number, 2);
}

/* A CT image in explicit VR little endian, up to the value of its pixels; altogether `size` bytes, if that is enough. */
static uint64_t put_head(struct bytes *to, uint64_t size, const char *uid) {
  char study[64], series[64];
  study_uid(study);
  study_uid(series);
  series[strlen(series) - 1] = '2';
  put_text(to, 0x0008, 0x0005, "CS", "ISO_IR 100");
  put_text(to, 0x0008, 0x0016, "UI", CT_IMAGE_STORAGE);
  put_text(to, 0x0008, 0x0018, "UI", uid);
  put_text(to, 0x0008, 0x0020, "DA", "20260102");
  put_text(to, 0x0008, 0x0060, "CS", "CT");
  put_text(to, 0x0010, 0x0010, "PN", "LOAD^GENERATED");
  put_text(to, 0x0010, 0x0020, "LO", "LOAD");
  put_text(to, 0x0020, 0x000d, "UI", study);
  put_text(to, 0x0020, 0x000e, "UI", series);
  put_text(to, 0x0020, 0x0013, "IS", "1");
  put_us(to, 0x0002, 1);
  put_text(to, 0x0028, 0x0004, "CS", "MONOCHROME2");
  put_us(to, 0x0010, 512);
  put_us(to, 0x0011, 512);
  put_us(to, 0x0100, 16);
  put_us(to, 0x0101, 16);
  put_us(to, 0x0102, 15);
  put_us(to, 0x0103, 0);
  put_attribute(to, 0x7fe0, 0x0010, "OW", NULL, 0);
  uint64_t pixels = size > to->length + 6 ? size - to->length - 4 : 2;
  pixels -= pixels % 2;
  unsigned char length[4];
  for (int i = 0; i < 4; i++) length[i] = (unsigned char)(pixels >> (8 * i));
  put(to, length, 4);
  return pixels;
}

static void put_pdu_head(struct bytes *to, size_t fragment, int is_last) {
  unsigned char kind[2] = {4, 0};
  unsigned char pdv[2] = {CONTEXT_ID, (unsigned char)(is_last ? 2 : 0)};
  put(to, kind, 2);
  put_u32be(to, (uint32_t)fragment + PDV_OVERHEAD);
  put_u32be(to, (uint32_t)fragment + 2);
  put(to, pdv, 2);
}

/* The fragment from `offset` of the data set on: attributes first, then pixels. */
static void put_fragment(struct bytes *to, const struct bytes *head, uint64_t offset, size_t length, int is_last) {
  put_pdu_head(to, length, is_last);
  unsigned char *at = grow(to, length);
  size_t from_head = offset < head->length ? head->length - (size_t)offset : 0;
  if (from_head > length) from_head = length;
  if (from_head > 0) memcpy(at, head->at + offset, from_head);
  for (size_t i = from_head; i < length; i++) at[i] = (unsigned char)(i * 31);
}

static void find_places(struct message *message, const char *uid) {
  static const unsigned char message_id[8] = {0, 0, 0x10, 0x01, 2, 0, 0, 0};
  struct bytes *head = &message->head;
  size_t length = uid == NULL ? 0 : strlen(uid);
  for (size_t at = 0; at + 10 <= head->length && at < 65536; at++) {
    if (message->message_id_at == 0 && !memcmp(head->at + at, message_id, 8)) message->message_id_at = at + 8;
    if (uid != NULL && message->uids < 2 && at + length <= head->length && !memcmp(head->at + at, uid, length)) {
      message->uid_at[message->uids++] = at;
    }
  }
  if (message->message_id_at == 0 || (uid != NULL && message->uids != 2)) fail("the message has no place for its numbers");
}

void lay_out_echo(struct message *message) {
  memset(message, 0, sizeof *message);
  struct command command = {.sop_class = VERIFICATION, .field = 0x0030, .data_set_type = 0x0101};
  put_command(&message->head, CONTEXT_ID, &command);
  find_places(message, NULL);
}

void lay_out_store(struct message *message, uint64_t size, uint32_t maximum_length, int association) {
  memset(message, 0, sizeof *message);
  message->association = association;
  char uid[64];
  instance_uid(uid, association, 0);
  struct command command = {.sop_class = CT_IMAGE_STORAGE, .sop_instance = uid, .field = 0x0001, .data_set_type = 1};
  put_command(&message->head, CONTEXT_ID, &command);
  uint32_t pdu = maximum_length == 0 || maximum_length > LARGEST_PDU ? LARGEST_PDU : maximum_length;
  if (options.pdu != 0 && options.pdu < pdu) pdu = options.pdu;
  size_t fragment = pdu - PDV_OVERHEAD;
  struct bytes head = {0};
  uint64_t total = put_head(&head, size, uid);
  total += head.length;
  message->data_set_bytes = total;
  uint64_t offset = 0;
  if (total > WHOLE_BELOW) {
    put_fragment(&message->head, &head, 0, fragment, 0);
    offset = fragment;
    size_t per_block = BLOCK_BYTES / fragment > 0 ? BLOCK_BYTES / fragment : 1;
    for (size_t i = 0; i < per_block; i++) put_fragment(&message->block, &head, head.length, fragment, 0);
    message->blocks = (total - offset - 1) / ((uint64_t)fragment * per_block);
    offset += message->blocks * fragment * per_block;
  }
  struct bytes *rest = total > WHOLE_BELOW ? &message->tail : &message->head;
  for (; offset < total; offset += fragment) {
    size_t length = total - offset < fragment ? (size_t)(total - offset) : fragment;
    put_fragment(rest, &head, offset, length, offset + length >= total);
  }
  free(head.at);
  find_places(message, uid);
}

void next_message(struct message *message) {
  message->message_id = message->message_id % 0xffff + 1;
  message->head.at[message->message_id_at] = (unsigned char)message->message_id;
  message->head.at[message->message_id_at + 1] = (unsigned char)(message->message_id >> 8);
  if (message->uids == 0) return;
  char uid[64];
  instance_uid(uid, message->association, ++message->instance);
  for (int i = 0; i < message->uids; i++) memcpy(message->head.at + message->uid_at[i], uid, strlen(uid));
}

void free_message(struct message *message) {
  free(message->head.at);
  free(message->block.at);
  free(message->tail.at);
}
