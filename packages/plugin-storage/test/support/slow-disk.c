// A slow disk, for LD_PRELOAD: calls on files below SLOW_DISK_FOLDER wait before they are made. How long is in the file
// SLOW_DISK_CONTROL, which is read before each of them, so that a test can change it: six numbers, milliseconds but for
// the last one:
//   calls on names (open, link, rename, unlink, mkdir)   write   fsync   stall   period   hang
// All calls of the first `stall` of each `period` end with the stall. While `hang` is 1, no call ends; while it is 2, no sync does.
// Of each call that had to wait a letter is added to SLOW_DISK_WAITED: m of the main thread, which runs the event loop,
// t of another one; h of one that hangs, after 20 ms.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { NAMES, WRITE, FSYNC, STALL, PERIOD, HANG, SETTINGS };
enum { MOST_FILES = 65536 };

static unsigned char is_slow[MOST_FILES];

static void read_settings(long settings[SETTINGS]) {
  memset(settings, 0, SETTINGS * sizeof *settings);
  const char *control = getenv("SLOW_DISK_CONTROL");
  long file = control == NULL ? -1 : syscall(SYS_openat, AT_FDCWD, control, O_RDONLY);
  if (file < 0) return;
  char text[128] = {0};
  long length = syscall(SYS_read, file, text, sizeof text - 1);
  syscall(SYS_close, file);
  if (length <= 0) return;
  char *rest = text;
  for (int i = 0; i < SETTINGS; i++) settings[i] = strtol(rest, &rest, 10);
}

static void tell_waited(const char *letter) {
  const char *waited = getenv("SLOW_DISK_WAITED");
  long file = waited == NULL ? -1 : syscall(SYS_openat, AT_FDCWD, waited, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (file < 0) return;
  syscall(SYS_write, file, letter, 1);
  syscall(SYS_close, file);
}

static void wait_ms(long ms) {
  struct timespec left = {ms / 1000, (ms % 1000) * 1000000};
  while (ms > 0 && nanosleep(&left, &left) != 0) {}
}

static void be_slow(int kind) {
  long settings[SETTINGS];
  read_settings(settings);
  wait_ms(settings[kind]);
  if (settings[kind] > 0) tell_waited(syscall(SYS_gettid) == getpid() ? "m" : "t");
  if (settings[PERIOD] > 0) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long at = (now.tv_sec * 1000 + now.tv_nsec / 1000000) % settings[PERIOD];
    if (at < settings[STALL]) wait_ms(settings[STALL] - at);
  }
  for (int waited_ms = 1; settings[HANG] == 1 || (settings[HANG] == 2 && kind == FSYNC); waited_ms++) {
    wait_ms(1);
    if (waited_ms == 20) tell_waited("h");
    read_settings(settings);
  }
}

static int is_below(const char *path) {
  const char *folder = getenv("SLOW_DISK_FOLDER");
  return folder != NULL && path != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

// Node closes by the system call itself, so a number may have become that of a socket.
static int is_slow_file(int file) {
  struct stat status;
  if (file < 0 || file >= MOST_FILES || !is_slow[file]) return 0;
  return fstat(file, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

#define REAL(name, ...)                                    \
  static __typeof__(name) *real;                           \
  if (real == NULL) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int opened(int file, const char *path) {
  if (file >= 0 && file < MOST_FILES) is_slow[file] = (unsigned char)is_below(path);
  return file;
}

int open(const char *path, int flags, ...) {
  REAL(open);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (is_below(path)) be_slow(NAMES);
  return opened(real(path, flags, mode), path);
}

int open64(const char *path, int flags, ...) {
  REAL(open64);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (is_below(path)) be_slow(NAMES);
  return opened(real(path, flags, mode), path);
}

ssize_t write(int file, const void *bytes, size_t length) {
  REAL(write);
  if (is_slow_file(file)) be_slow(WRITE);
  return real(file, bytes, length);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  REAL(writev);
  if (is_slow_file(file)) be_slow(WRITE);
  return real(file, parts, count);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
  REAL(pwrite);
  if (is_slow_file(file)) be_slow(WRITE);
  return real(file, bytes, length, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t offset) {
  REAL(pwrite64);
  if (is_slow_file(file)) be_slow(WRITE);
  return real(file, bytes, length, offset);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) {
  REAL(pwritev);
  if (is_slow_file(file)) be_slow(WRITE);
  return real(file, parts, count, offset);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t offset) {
  REAL(pwritev64);
  if (is_slow_file(file)) be_slow(WRITE);
  return real(file, parts, count, offset);
}

int fsync(int file) {
  REAL(fsync);
  if (is_slow_file(file)) be_slow(FSYNC);
  return real(file);
}

int fdatasync(int file) {
  REAL(fdatasync);
  if (is_slow_file(file)) be_slow(FSYNC);
  return real(file);
}

int rename(const char *from, const char *to) {
  REAL(rename);
  if (is_below(to)) be_slow(NAMES);
  return real(from, to);
}

int link(const char *existing, const char *path) {
  REAL(link);
  if (is_below(path)) be_slow(NAMES);
  return real(existing, path);
}

int unlink(const char *path) {
  REAL(unlink);
  if (is_below(path)) be_slow(NAMES);
  return real(path);
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  if (is_below(path)) be_slow(NAMES);
  return real(path, mode);
}
