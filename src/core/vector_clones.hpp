#pragma once
/// @file
/// One portable binary, fast where the processor is: a function marked INVARIA_CLONES is compiled for the baseline,
/// AVX2 and AVX-512, and the loader picks one (an ifunc of the C library). What it calls must be INVARIA_INLINE to be
/// compiled along. Under ThreadSanitizer there is the baseline alone: the loader picks before the sanitizer has
/// started.

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_THREAD__)
#define INVARIA_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define INVARIA_CLONES
#endif
#define INVARIA_INLINE inline __attribute__((always_inline))
