#include "decimal.h"

struct decimal decimal_span_rest(struct str_view v)
{
	struct decimal d = {0, 0};

	for (; d.len < v.len && v.p[d.len] >= '0' && v.p[d.len] <= '9'; d.len++) {
		/* Far from where it would wrap. */
		if (d.value <= UINT32_MAX)
			d.value = d.value * 10 + (unsigned int)(v.p[d.len] - '0');
	}
	return d;
}
