/* Received messages: bytes and index in one allocation, shared by reference count. */
#include "sip_msg.h"

struct sip_msg *sip_msg_new(
	const struct sip_path *path, const struct sip_index *idx, const char *buf, size_t len)
{
	size_t head = offsetof(struct sip_msg, idx) + SIP_INDEX_LEN(idx->n_headers);
	struct sip_msg *m;
	char *text;

	assert(idx->n_headers <= SIP_HEADERS_MAX);
	if (len > SIP_MSG_LEN_MAX)
		return NULL;
	m = malloc(head + len + 1);
	if (m == NULL)
		return NULL;
	m->refs = 1;
	m->path = *path;
	m->rx_ms = 0;
	m->unproven = false;
	m->oc = NULL;
	m->top_via_state = SIP_TOP_VIA_UNREAD;
	memcpy(&m->idx, idx, SIP_INDEX_LEN(idx->n_headers));
	sip_headers_read(idx, &m->first);
	m->len = len;
	text = (char *)m + head;
	if (len != 0)
		memcpy(text, buf, len);
	text[len] = '\0';
	m->buf = text;
	return m;
}

struct sip_msg *sip_msg_get(struct sip_msg *m)
{
	m->refs++;
	return m;
}

void sip_msg_put(struct sip_msg *m)
{
	if (m == NULL)
		return;
	assert(m->refs > 0);
	if (--m->refs == 0)
		free(m);
}

static bool top_via_read(const struct sip_msg *m, struct sip_top_via *out)
{
	struct str_view line = sip_msg_header(m, SIP_HDR_VIA, 0);

	return line.p != NULL && sip_list_next(&line, &out->item) &&
	       sip_via_parse(out->item, &out->via) == 0;
}

const struct sip_top_via *sip_msg_top_via(const struct sip_msg *m)
{
	/* It is kept for the next who asks; each message is an allocation of sip_msg_new(). */
	struct sip_msg *keep = (struct sip_msg *)m;

	if (m->top_via_state == SIP_TOP_VIA_UNREAD)
		keep->top_via_state =
			top_via_read(m, &keep->top_via) ? SIP_TOP_VIA_GOOD : SIP_TOP_VIA_BAD;
	return m->top_via_state == SIP_TOP_VIA_GOOD ? &m->top_via : NULL;
}
