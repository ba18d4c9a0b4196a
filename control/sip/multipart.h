/*
 * A multipart body (RFC 2046 section 5.1) as views of its parts. Parts that are multiparts
 * themselves are parts like others. Any thread; nothing is allocated.
 */
#ifndef SALLYPORT_CONTROL_SIP_MULTIPART_H
#define SALLYPORT_CONTROL_SIP_MULTIPART_H

#include "sip_parse.h"

#define MULTIPART_PARTS_MAX 8
#define MULTIPART_BOUNDARY_MAX 70 /* RFC 2046 section 5.1.1 */
#define MULTIPART_HEADERS_MAX 16  /* lines of one part */

struct multipart_part {
	struct str_view head; /* its header lines */
	struct str_view body;
};

/**
 * Take a body apart. What stands before the first and behind the last part is left out.
 * @param params  of its Content-Type: the boundary.
 * @return how many parts, 1 at least; -EBADMSG: no boundary, no part, an end that is missing, or
 *         headers of a part that are none; -E2BIG: more parts or header lines than the caps.
 */
int multipart_parse(struct str_view params, struct str_view body,
	struct multipart_part parts[MULTIPART_PARTS_MAX]);
/** Value of a header of the part, folded as it came, without blanks around it. @return p NULL: it
 * has none. */
struct str_view multipart_header(const struct multipart_part *part, struct str_view name);

#endif
