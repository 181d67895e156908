// What the parts in C have in common.
#pragma once
#include <stddef.h>
#include <stdint.h>

// 128 bits of xxHash, as `XXH128_hash_t` holds them.
typedef struct {
    uint64_t low, high;
} print;

// `XXH3_128bits_withSeed`: bytes, their number, seed.
typedef print hash_128(const void *, size_t, uint64_t);
