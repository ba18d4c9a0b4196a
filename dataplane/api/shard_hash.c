#include "attach.h"
#include "siphash.h"

static uint64_t load_le(const char *p, size_t n)
{
	uint64_t x = 0;

	for (size_t i = 0; i < n; i++)
		x |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return x;
}

/* SipHash-1-3. */
static uint64_t siphash13(const uint64_t key[2], const char *p, size_t len)
{
	uint64_t v[4];
	size_t i;

	siphash_init(v, key);
	for (i = 0; i + 8 <= len; i += 8)
		siphash_word(v, load_le(p + i, 8), 1);
	siphash_word(v, load_le(p + i, len - i) | (uint64_t)len << 56, 1);
	v[2] ^= 0xff;
	siphash_rounds(v, 3);
	return siphash_fold(v);
}

unsigned int shard_hash(const uint64_t key[2], struct str_view call_id, unsigned int shards)
{
	if (shards <= 1)
		return 0;
	return (unsigned int)(siphash13(key, call_id.p, call_id.len) % shards);
}
