#pragma once
/// @file
/// Functions that are written once for the host and for CUDA. What they are in must be free of LibTorch, and of what
/// nvcc in C++17 cannot read.

#ifdef __CUDACC__
#define INVARIA_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define INVARIA_HOST_DEVICE inline __attribute__((always_inline))
#endif
