#pragma once
/// \file
/// The instruction set this translation unit is compiled for, as the name of an inline namespace. Everything
/// whose machine code depends on it lives in `namespace kappa::inline KAPPA_ARCH`, so that objects compiled
/// with different `-m` flags may be linked together without breaking the one-definition rule.

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__)
#define KAPPA_ARCH avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define KAPPA_ARCH avx2
#elif defined(__AVX__)
#define KAPPA_ARCH avx
#elif defined(__ARM_NEON)
#define KAPPA_ARCH neon
#else
#define KAPPA_ARCH baseline
#endif

namespace kappa {
inline namespace KAPPA_ARCH {}
}  // namespace kappa
