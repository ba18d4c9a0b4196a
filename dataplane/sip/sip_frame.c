/*
 * Framing of a stream (RFC 3261 section 18.3): where the first message ends.
 */
#include <errno.h>

#include "sip_line_priv.h"
#include "sip_parse.h"

/* "Need more" while there is room for more. */
static int more(size_t len)
{
	return len < SIP_MSG_LEN_MAX ? 0 : -EBADMSG;
}

int sip_frame(const char *buf, size_t len)
{
	const char *end = len > 0 ? buf + len : buf, *p = sip_line_skip_empty(buf, end);
	bool have_length = false;
	struct sip_line line;
	uint32_t body = 0;
	size_t head;

	if (p > buf)
		return p - buf > SIP_MSG_LEN_MAX ? SIP_MSG_LEN_MAX : (int)(p - buf);
	if (len > SIP_MSG_LEN_MAX)
		end = buf + SIP_MSG_LEN_MAX;
	for (bool first = true;; first = false) {
		struct str_view name, value;

		if (!sip_line_read(p, end, !first, &line) || !line.ended)
			return more(len);
		p = line.next;
		if (line.bad_char)
			return -EBADMSG;
		if (line.text.len == 0)
			break;
		/* The next line may be a folded part of this one. */
		if (!first && p == end)
			return more(len);
		if (first || !sip_line_split(line.text, &name, &value) ||
			sip_header_id_parse(name) != SIP_HDR_CONTENT_LENGTH)
			continue;
		if (have_length || sip_uint_parse(value, SIP_MSG_LEN_MAX, &body) != 0)
			return -EBADMSG;
		have_length = true;
	}
	head = (size_t)(p - buf);
	if (!have_length || head + body > SIP_MSG_LEN_MAX)
		return -EBADMSG;
	return head + body <= len ? (int)(head + body) : 0;
}
