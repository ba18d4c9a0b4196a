#include "answer_size.h"
#include "sip_build.h"

/* What a refusal is of no use without (RFC 3261 section 21). */
static const struct {
	uint16_t status;
	uint8_t id; /* enum sip_header_id */
} needed[] = {
	{401, SIP_HDR_WWW_AUTHENTICATE},
	{405, SIP_HDR_ALLOW},
	{407, SIP_HDR_PROXY_AUTHENTICATE},
	{415, SIP_HDR_ACCEPT},
	{420, SIP_HDR_UNSUPPORTED},
	{422, SIP_HDR_MIN_SE},
	{423, SIP_HDR_MIN_EXPIRES},
	{503, SIP_HDR_RETRY_AFTER},
};

static bool is_needed(unsigned int status, unsigned int id)
{
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (needed[i].status == status && needed[i].id == id)
			return true;
	return false;
}

/* Name in the form without and with compacting; NULL: not one of the bare fields. */
static const char *bare_name(unsigned int id, bool compact)
{
	switch (id) {
	case SIP_HDR_VIA:
		return compact ? "v" : "Via";
	case SIP_HDR_FROM:
		return compact ? "f" : "From";
	case SIP_HDR_TO:
		return compact ? "t" : "To";
	case SIP_HDR_CALL_ID:
		return compact ? "i" : "Call-ID";
	case SIP_HDR_CSEQ:
		return "CSeq";
	default:
		return NULL;
	}
}

static void write_line(struct sip_writer *w, const char *name, bool compact, struct str_view value)
{
	if (!compact) {
		sip_write_header(w, name, value);
		return;
	}
	/* Section 7.3.1: no white space is needed behind the colon. */
	sip_write_fmt(w, "%s:", name);
	sip_write_value(w, value);
	sip_write_raw(w, SV("\r\n"));
}

/* Ever smaller, and of less use. */
static const struct form {
	bool compact, needed;
} forms[] = {{false, true}, {true, true}, {true, false}};

static struct str_view reduce(struct str_view response, const struct sip_index *idx,
	const struct form *form, char *out, size_t cap)
{
	bool compact = form->compact;

	struct sip_writer w;
	int len;

	sip_writer_init(&w, out, cap);
	/* A Reason-Phrase may be empty (section 25.1). */
	sip_write_fmt(&w, "SIP/2.0 %03u %s\r\n", (unsigned int)idx->status,
		compact ? "" : sip_reason_phrase(idx->status));
	w.nul_pair = true;
	for (unsigned int i = 0; i < idx->n_headers; i++) {
		const struct sip_header_ref *h = &idx->headers[i];
		struct str_view value = {response.p + h->value_off, h->value_len};
		const char *name = bare_name(h->id, compact);

		if (name == NULL && form->needed && is_needed(idx->status, h->id))
			name = sip_header_name(h->id);
		if (name != NULL)
			write_line(&w, name, compact, value);
	}
	/* Over UDP the end of the datagram is the end of the body (section 18.3). */
	sip_write_raw(&w, compact ? SV("\r\n") : SV("Content-Length: 0\r\n\r\n"));
	len = sip_writer_finish(&w);
	return (struct str_view){len < 0 ? NULL : out, len < 0 ? 0 : (size_t)len};
}

struct str_view sip_answer_fit(struct str_view response, size_t limit, char *out, size_t cap)
{
	struct sip_index idx;
	struct str_view reduced;

	/* A fault that was copied from the request does not matter: its line is in the index. */
	(void)sip_scan(response.p, response.len, &idx);
	if (idx.status < 300 && response.len <= limit)
		return response;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		reduced = reduce(response, &idx, &forms[i], out, cap);
		if (reduced.p != NULL && reduced.len <= limit)
			return reduced;
	}
	return (struct str_view){NULL, 0};
}
