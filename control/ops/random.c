#include "random.h"

#include <openssl/rand.h>

#define POOL_LEN 4096 /* what 40 calls take */

void random_bytes(void *out, size_t n)
{
	static _Thread_local uint8_t pool[POOL_LEN];
	static _Thread_local size_t left;
	uint8_t *to = out;

	while (n > 0) {
		size_t some;

		if (left == 0) {
			if (RAND_bytes(pool, sizeof(pool)) != 1)
				abort();
			left = sizeof(pool);
		}
		some = n < left ? n : left;
		left -= some;
		memcpy(to, pool + left, some);
		/* What was given out must not be found here later. */
		memset(pool + left, 0, some);
		to += some;
		n -= some;
	}
}
