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
	memcpy(&m->idx, idx, SIP_INDEX_LEN(idx->n_headers));
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
