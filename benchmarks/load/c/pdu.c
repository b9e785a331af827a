#define _GNU_SOURCE
#include "load.h"
#include <string.h>

#define APPLICATION_CONTEXT "1.2.840.10008.3.1.1.1"
#define IMPLEMENTATION_CLASS_UID "2.25.220116742913742958203155612345678901234"
#define FIXED_BYTES 68

/* An item whose length is known when it is closed. */
static size_t open_item(struct bytes *to, int type) {
  unsigned char *at = grow(to, 4);
  at[0] = (unsigned char)type;
  at[1] = at[2] = at[3] = 0;
  return to->length;
}

static void close_item(struct bytes *to, size_t start) {
  size_t length = to->length - start;
  to->at[start - 2] = (unsigned char)(length >> 8);
  to->at[start - 1] = (unsigned char)length;
}

static void put_item(struct bytes *to, int type, const void *value, size_t length) {
  size_t start = open_item(to, type);
  put(to, value, length);
  close_item(to, start);
}

static void put_text_item(struct bytes *to, int type, const char *text) { put_item(to, type, text, strlen(text)); }

static size_t open_pdu(struct bytes *to, int type) {
  unsigned char head[6] = {(unsigned char)type};
  put(to, head, 6);
  return to->length;
}

static void close_pdu(struct bytes *to, size_t start) {
  uint32_t length = (uint32_t)(to->length - start);
  for (int i = 0; i < 4; i++) to->at[start - 1 - (size_t)i] = (unsigned char)(length >> (8 * i));
}

static void put_title(struct bytes *to, const char *title) {
  unsigned char *at = grow(to, 16);
  memset(at, ' ', 16);
  memcpy(at, title, strlen(title) > 16 ? 16 : strlen(title));
}

/* User information: maximum length, implementation, and a window of operations where there is one (PS3.7 D.3.3). */
static void put_user_information(struct bytes *to, uint32_t pdu, int window) {
  unsigned char length[4] = {(unsigned char)(pdu >> 24), (unsigned char)(pdu >> 16), (unsigned char)(pdu >> 8), (unsigned char)pdu};
  size_t user = open_item(to, 0x50);
  put_item(to, 0x51, length, 4);
  put_text_item(to, 0x52, IMPLEMENTATION_CLASS_UID);
  if (window > 0) {
    unsigned char operations[4] = {(unsigned char)(window >> 8), (unsigned char)window, 0, 1};
    put_item(to, 0x53, operations, 4);
  }
  put_text_item(to, 0x55, "DICOMTAP_LOAD");
  close_item(to, user);
}

void put_associate_request(struct bytes *to, const char *abstract_syntax, const char *transfer_syntax) {
  static const unsigned char reserved[32];
  static const unsigned char context[4] = {CONTEXT_ID, 0, 0, 0};
  size_t pdu = open_pdu(to, 1);
  put_u16be(to, 1);
  put_u16be(to, 0);
  put_title(to, options.called);
  put_title(to, options.calling);
  put(to, reserved, 32);
  put_text_item(to, 0x10, APPLICATION_CONTEXT);
  size_t item = open_item(to, 0x20);
  put(to, context, 4);
  put_text_item(to, 0x30, abstract_syntax);
  put_text_item(to, 0x40, transfer_syntax);
  close_item(to, item);
  put_user_information(to, 131072, 0);
  close_pdu(to, pdu);
}

/* Each context with explicit VR little endian where it is proposed, else with the first one. */
static void put_accepted_context(struct bytes *to, const unsigned char *value, size_t length) {
  const unsigned char *chosen = NULL;
  size_t chosen_length = 0;
  for (size_t at = 4; at + 4 <= length; at += 4 + u16be(value + at + 2)) {
    if (value[at] != 0x40) continue;
    size_t size = u16be(value + at + 2);
    if (at + 4 + size > length) break;
    int is_explicit = size >= strlen(EXPLICIT_LITTLE_ENDIAN) && !memcmp(value + at + 4, EXPLICIT_LITTLE_ENDIAN "\0", size);
    if (chosen != NULL && !is_explicit) continue;
    chosen = value + at + 4;
    chosen_length = size;
  }
  unsigned char head[4] = {value[0], 0, (unsigned char)(chosen == NULL ? 4 : 0), 0};
  size_t item = open_item(to, 0x21);
  put(to, head, 4);
  if (chosen != NULL) put_item(to, 0x40, chosen, chosen_length);
  close_item(to, item);
}

void put_associate_accept(struct bytes *to, const unsigned char *request, size_t length, uint32_t pdu, int window) {
  size_t start = open_pdu(to, 2);
  put_u16be(to, 1);
  put(to, request + 2, FIXED_BYTES - 2);
  put_text_item(to, 0x10, APPLICATION_CONTEXT);
  for (size_t at = FIXED_BYTES; at + 4 <= length; at += 4 + u16be(request + at + 2)) {
    size_t size = u16be(request + at + 2);
    if (request[at] == 0x20 && size >= 4 && at + 4 + size <= length) put_accepted_context(to, request + at + 4, size);
  }
  put_user_information(to, pdu, window);
  close_pdu(to, start);
}

int read_associate_accept(const unsigned char *body, size_t length, uint32_t *maximum_length) {
  int result = -1;
  *maximum_length = 0;
  for (size_t at = FIXED_BYTES; at + 4 <= length; at += 4 + u16be(body + at + 2)) {
    size_t end = at + 4 + u16be(body + at + 2);
    if (end > length) break;
    if (body[at] == 0x21 && end >= at + 8 && body[at + 4] == CONTEXT_ID) result = body[at + 6];
    if (body[at] != 0x50) continue;
    for (size_t sub = at + 4; sub + 4 <= end; sub += 4 + u16be(body + sub + 2))
      if (body[sub] == 0x51 && sub + 8 <= end) *maximum_length = u32be(body + sub + 4);
  }
  return result;
}

static void put_element(struct bytes *to, unsigned element, const void *value, size_t length, size_t padding) {
  unsigned char head[8] = {0, 0, (unsigned char)element, (unsigned char)(element >> 8), (unsigned char)(length + padding)};
  put(to, head, 8);
  put(to, value, length);
  if (padding) put(to, "", 1);
}

static void put_uid(struct bytes *to, unsigned element, const char *uid) {
  if (uid != NULL) put_element(to, element, uid, strlen(uid), strlen(uid) % 2);
}

static void put_us(struct bytes *to, unsigned element, unsigned value) {
  unsigned char number[2] = {(unsigned char)value, (unsigned char)(value >> 8)};
  put_element(to, element, number, 2, 0);
}

void put_command(struct bytes *to, int context_id, const struct command *command) {
  int is_response = (command->field & 0x8000) != 0;
  size_t pdu = open_pdu(to, 4);
  unsigned char pdv[6] = {0, 0, 0, 0, (unsigned char)context_id, 3};
  put(to, pdv, 6);
  size_t group = to->length;
  put_element(to, 0x0000, "\0\0\0\0", 4, 0);
  size_t start = to->length;
  put_uid(to, 0x0002, command->sop_class);
  put_us(to, 0x0100, command->field);
  put_us(to, is_response ? 0x0120 : 0x0110, command->message_id);
  if (command->field == 0x0001) put_us(to, 0x0700, 0);
  put_us(to, 0x0800, command->data_set_type);
  if (is_response) put_us(to, 0x0900, (unsigned)command->status);
  put_uid(to, 0x1000, command->sop_instance);
  uint32_t length = (uint32_t)(to->length - start);
  for (int i = 0; i < 4; i++) to->at[group + 8 + (size_t)i] = (unsigned char)(length >> (8 * i));
  uint32_t pdv_length = (uint32_t)(to->length - pdu - 4);
  for (int i = 0; i < 4; i++) to->at[pdu + 3 - (size_t)i] = (unsigned char)(pdv_length >> (8 * i));
  close_pdu(to, pdu);
}

const unsigned char *element_of(const unsigned char *command, size_t length, unsigned element, size_t *value_length) {
  for (size_t at = 0; at + 8 <= length;) {
    size_t size = u32le(command + at + 4);
    if (size > length - at - 8) return NULL;
    if (u16le(command + at) == 0 && u16le(command + at + 2) == element) {
      if (value_length != NULL) *value_length = size;
      return command + at + 8;
    }
    at += 8 + size;
  }
  return NULL;
}
