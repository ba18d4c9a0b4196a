/*
 * The core of SipHash (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), for
 * hashes of what strangers send: without the key nobody aims at one bucket.
 */
#ifndef SALLYPORT_NAT_SIPHASH_H
#define SALLYPORT_NAT_SIPHASH_H

#include "base.h"

static inline void siphash_init(uint64_t v[4], const uint64_t key[2])
{
	v[0] = key[0] ^ 0x736f6d6570736575ull;
	v[1] = key[1] ^ 0x646f72616e646f6dull;
	v[2] = key[0] ^ 0x6c7967656e657261ull;
	v[3] = key[1] ^ 0x7465646279746573ull;
}

static inline uint64_t siphash_rotl(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void siphash_rounds(uint64_t v[4], unsigned int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[1] = siphash_rotl(v[1], 13) ^ v[0];
		v[0] = siphash_rotl(v[0], 32);
		v[2] += v[3];
		v[3] = siphash_rotl(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = siphash_rotl(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = siphash_rotl(v[1], 17) ^ v[2];
		v[2] = siphash_rotl(v[2], 32);
	}
}

/** Take in 8 bytes (little endian), with c rounds: the first number of SipHash-c-d. */
static inline void siphash_word(uint64_t v[4], uint64_t word, unsigned int c)
{
	v[3] ^= word;
	siphash_rounds(v, c);
	v[0] ^= word;
}

static inline uint64_t siphash_fold(const uint64_t v[4])
{
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/** The last 0 to 7 bytes of a text of len, which end at `end`. */
static inline uint64_t siphash_tail(const char *end, size_t len)
{
	size_t n = len % 8;
	uint64_t x = 0;

	if (n == 0)
		return 0;
	if (len >= 8) {
		memcpy(&x, end - 8, sizeof(x));
		return x >> (64 - 8 * n);
	}
	end -= n;
	for (size_t i = 0; i < n; i++)
		x |= (uint64_t)(unsigned char)end[i] << (8 * i);
	return x;
}

/** Take in a text and its length, with one round a word. */
static inline void siphash13_take(uint64_t v[4], const char *p, size_t len)
{
	uint64_t word;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, p + i, sizeof(word));
		siphash_word(v, word, 1);
	}
	siphash_word(v, siphash_tail(p + len, len) | (uint64_t)len << 56, 1);
}

/** What was taken in, as a number. */
static inline uint64_t siphash13_finish(uint64_t v[4])
{
	v[2] ^= 0xff;
	siphash_rounds(v, 3);
	return siphash_fold(v);
}

/** SipHash-1-3 of a text. */
static inline uint64_t siphash13(const uint64_t key[2], const char *p, size_t len)
{
	uint64_t v[4];

	siphash_init(v, key);
	siphash13_take(v, p, len);
	return siphash13_finish(v);
}

#endif
