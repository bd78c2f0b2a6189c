/* NVML as src/core/energy.cpp calls it: as many GPUs as the file named by FAKE_NVML has lines, each the millijoules of
 * one since the driver was loaded; a line that is no number is a GPU that does not count. */
#include <stdio.h>
#include <stdlib.h>

enum { kSuccess = 0, kUnknown = 999 };

static int is_up = 0;

static int read_line(unsigned index, unsigned long long* value, unsigned* n) {
  FILE* file = fopen(getenv("FAKE_NVML"), "r");
  char line[64];
  int found = 0;
  *n = 0;
  while (file && fgets(line, sizeof line, file)) {
    if ((*n)++ == index) found = sscanf(line, "%llu", value) == 1;
  }
  if (file) fclose(file);
  return found;
}

int nvmlInit_v2(void) {
  is_up = 1;
  return kSuccess;
}

int nvmlShutdown(void) {
  is_up = 0;
  return kSuccess;
}

int nvmlDeviceGetCount_v2(unsigned* count) {
  unsigned long long value;
  read_line(0, &value, count);
  return is_up ? kSuccess : kUnknown;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = (void*)(size_t)(index + 1);
  return is_up ? kSuccess : kUnknown;
}

int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
  unsigned n;
  return is_up && read_line((unsigned)(size_t)device - 1, millijoules, &n) ? kSuccess : kUnknown;
}
