/* Preloaded into the program: lets the machine fail where the environment variable FAULT says,

     FAULT=call:how:part[:first]      FAULT=write:EIO:segments/     FAULT=read:short:.png     FAULT=fsync:sleep:state

   the `first`-th call (from 1) on a file whose path contains `part`, and every later one, ends with that errno, moves
   half of its bytes (short), or sleeps a quarter of a minute before it does its work; EINTR strikes every other call,
   for one that is interrupted is made again. pread and pwrite count as read and write. The environment variable
   FAULT_RANK names one rank; without it all are hit. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum how { GOES_WELL, FAILS, IS_SHORT };

static enum how look(const char* call, const char* path) {
  static int calls = 0;
  char fault[512], *rest = fault;
  const char* const all = getenv("FAULT");
  const char* const rank = getenv("OMPI_COMM_WORLD_RANK");
  if (all == NULL || strlen(all) >= sizeof(fault)) return GOES_WELL;
  if (getenv("FAULT_RANK") != NULL && (rank == NULL || strcmp(rank, getenv("FAULT_RANK")) != 0)) return GOES_WELL;
  strcpy(fault, all);
  const char* const which = strsep(&rest, ":");
  const char* const how = strsep(&rest, ":");
  const char* const part = strsep(&rest, ":");
  if (how == NULL || part == NULL || strcmp(which, call) != 0 || strstr(path, part) == NULL) return GOES_WELL;
  const int number = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
  if (number < (rest == NULL ? 1 : atoi(rest))) return GOES_WELL;
  if (strcmp(how, "EINTR") == 0 && number % 2 == 0) return GOES_WELL;
  if (strcmp(how, "short") == 0) return IS_SHORT;
  if (strcmp(how, "sleep") == 0) return sleep(15), GOES_WELL;
  errno = strcmp(how, "ENOSPC") == 0 ? ENOSPC : strcmp(how, "EINTR") == 0 ? EINTR : EIO;
  return FAILS;
}

static enum how look_at_file(const char* call, int file) {
  char link[64], path[PATH_MAX];
  const int before = errno;
  snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof(path) - 1);
  errno = before;
  if (length < 0) return GOES_WELL;
  path[length] = '\0';
  return look(call, path);
}

/* Before a call that moves bytes: less of them, or none. */
static int may_move(const char* call, int file, size_t* count) {
  const enum how how = look_at_file(call, file);
  if (how == IS_SHORT && *count > 1) *count /= 2;
  return how != FAILS;
}

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

ssize_t write(int file, const void* bytes, size_t count) {
  if (!may_move("write", file, &count)) return -1;
  return REAL(ssize_t(*)(int, const void*, size_t), "write")(file, bytes, count);
}

ssize_t pwrite(int file, const void* bytes, size_t count, off_t at) {
  if (!may_move("write", file, &count)) return -1;
  return REAL(ssize_t(*)(int, const void*, size_t, off_t), "pwrite")(file, bytes, count, at);
}

ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t at) {
  if (!may_move("write", file, &count)) return -1;
  return REAL(ssize_t(*)(int, const void*, size_t, off64_t), "pwrite64")(file, bytes, count, at);
}

ssize_t read(int file, void* bytes, size_t count) {
  if (!may_move("read", file, &count)) return -1;
  return REAL(ssize_t(*)(int, void*, size_t), "read")(file, bytes, count);
}

ssize_t pread(int file, void* bytes, size_t count, off_t at) {
  if (!may_move("read", file, &count)) return -1;
  return REAL(ssize_t(*)(int, void*, size_t, off_t), "pread")(file, bytes, count, at);
}

ssize_t pread64(int file, void* bytes, size_t count, off64_t at) {
  if (!may_move("read", file, &count)) return -1;
  return REAL(ssize_t(*)(int, void*, size_t, off64_t), "pread64")(file, bytes, count, at);
}

int fsync(int file) {
  return look_at_file("fsync", file) == FAILS ? -1 : REAL(int (*)(int), "fsync")(file);
}

int rename(const char* from, const char* to) {
  return look("rename", to) == FAILS ? -1 : REAL(int (*)(const char*, const char*), "rename")(from, to);
}
