#include "attach.h"
#include "siphash.h"

unsigned int shard_hash(const uint64_t key[2], struct str_view call_id, unsigned int shards)
{
	if (shards <= 1)
		return 0;
	return (unsigned int)(siphash13(key, call_id.p, call_id.len) % shards);
}
