#define _GNU_SOURCE
#include "load.h"
#include <stdlib.h>
#include <string.h>

unsigned char *grow(struct bytes *bytes, size_t more) {
  if (bytes->length + more > bytes->room) {
    bytes->room = (bytes->length + more) * 2;
    bytes->at = realloc(bytes->at, bytes->room);
    if (bytes->at == NULL) fail("out of memory");
  }
  bytes->length += more;
  return bytes->at + bytes->length - more;
}

void put(struct bytes *bytes, const void *from, size_t length) { memcpy(grow(bytes, length), from, length); }

void put_u16be(struct bytes *bytes, unsigned value) {
  unsigned char *at = grow(bytes, 2);
  at[0] = (unsigned char)(value >> 8);
  at[1] = (unsigned char)value;
}

void put_u32be(struct bytes *bytes, uint32_t value) {
  put_u16be(bytes, value >> 16);
  put_u16be(bytes, value & 0xffff);
}

uint32_t u32be(const unsigned char *at) { return (uint32_t)u16be(at) << 16 | u16be(at + 2); }
uint32_t u32le(const unsigned char *at) { return (uint32_t)u16le(at + 2) << 16 | u16le(at); }
unsigned u16be(const unsigned char *at) { return (unsigned)at[0] << 8 | at[1]; }
unsigned u16le(const unsigned char *at) { return (unsigned)at[1] << 8 | at[0]; }
