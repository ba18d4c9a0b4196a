#include "decimal.h"

size_t decimal_span_rest(struct str_view v, uint64_t *out)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; n < v.len && v.p[n] >= '0' && v.p[n] <= '9'; n++) {
		/* Far from where it would wrap. */
		if (value <= UINT32_MAX)
			value = value * 10 + (unsigned int)(v.p[n] - '0');
	}
	*out = value;
	return n;
}
