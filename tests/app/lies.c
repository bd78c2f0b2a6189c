/* Preloaded into the program: each function lies about the machine if the environment variable LIE names it. So every
   line of `doctor` can be seen on a machine that has no such trouble. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

static int lies(const char* name) {
  const char* lie = getenv("LIE");
  return lie != NULL && strcmp(lie, name) == 0;
}

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

int fsync(int file) {
  if (!lies("fsync")) return REAL(int (*)(int), "fsync")(file);
  errno = EIO;
  return -1;
}

int flock(int file, int operation) {
  if (!lies("flock")) return REAL(int (*)(int, int), "flock")(file, operation);
  errno = ENOLCK;
  return -1;
}

int statvfs(const char* path, struct statvfs* space) {
  const int result = REAL(int (*)(const char*, struct statvfs*), "statvfs")(path, space);
  if (lies("statvfs")) space->f_bavail = 1;
  return result;
}

int MPI_Query_thread(int* level) {
  const int result = REAL(int (*)(int*), "MPI_Query_thread")(level);
  if (lies("MPI_Query_thread")) *level = 1;
  return result;
}

int cudaRuntimeGetVersion(int* version) {
  if (!lies("cudaRuntimeGetVersion")) return REAL(int (*)(int*), "cudaRuntimeGetVersion")(version);
  *version = 9010;
  return 0;
}

int ncclGetVersion(int* version) {
  if (!lies("ncclGetVersion")) return REAL(int (*)(int*), "ncclGetVersion")(version);
  *version = 10203;
  return 0;
}

size_t cudnnGetVersion(void) {
  return lies("cudnnGetVersion") ? 10203 : REAL(size_t(*)(void), "cudnnGetVersion")();
}

int H5get_libversion(unsigned* major, unsigned* minor, unsigned* release) {
  const int result = REAL(int (*)(unsigned*, unsigned*, unsigned*), "H5get_libversion")(major, minor, release);
  if (lies("H5get_libversion")) *major = 1, *minor = 2, *release = 3;
  return result;
}

/* A driver of CUDA 12, and one that is new enough but sees no GPU. */
int cudaDriverGetVersion(int* version) {
  const int result = REAL(int (*)(int*), "cudaDriverGetVersion")(version);
  if (lies("old driver")) *version = 12040;
  if (lies("no usable GPU")) *version = 99000;
  return result;
}

int cudaGetDeviceCount(int* count) {
  if (!lies("no usable GPU")) return REAL(int (*)(int*), "cudaGetDeviceCount")(count);
  *count = 0;
  return 100; /* cudaErrorNoDevice */
}
