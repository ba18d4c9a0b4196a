/*
 * Stage 1, its second half: what the transaction layer matches a message by, read strictly, and
 * where the message ends.
 */
#include "sip_chars_priv.h"
#include "sip_peek_priv.h"
#include "sip_plain_priv.h"

struct fields {
	const char *buf;
	const char *end; /* of the datagram */
	struct sip_index *idx;
};

static void fail(struct fields *f, enum sip_scan_error error)
{
	if (f->idx->error == SIP_SCAN_NONE)
		f->idx->error = (uint8_t)error;
}

static struct sip_span span_of(const struct fields *f, struct str_view v)
{
	return (struct sip_span){(uint16_t)(v.p - f->buf), (uint16_t)v.len};
}

/* RFC 3261 section 18.3. */
static void read_body(struct fields *f, struct str_view cl)
{
	struct sip_index *idx = f->idx;
	size_t have;
	uint32_t want;

	if (idx->body.off == 0)
		return; /* the header lines have no end */
	have = (size_t)(f->end - f->buf) - idx->body.off;
	if (cl.p != NULL) {
		if (sip_uint_parse(cl, SIP_MSG_LEN_MAX, &want) != 0 || want > have)
			fail(f, SIP_SCAN_CONTENT_LENGTH);
		else
			have = want;
	}
	idx->msg_len = (uint16_t)(idx->body.off + have);
	idx->body = have > 0 ? (struct sip_span){idx->body.off, (uint16_t)have}
			     : (struct sip_span){0, 0};
}

/* Is the method of the request that of its CSeq, number n digits long? */
static inline bool same_method(const struct fields *f, struct str_view value, size_t n)
{
	struct str_view method = sip_span_view(f->buf, f->idx->method_text);
	const char *p = value.p + n + 1;
	uint64_t a, b;

	/* Both can be loaded whole: a request line ends in "SIP/2.0". */
	if (f->idx->status != 0 || n + 1 + method.len != value.len || p[-1] != ' ' ||
		method.len - 1 >= sizeof(a) || f->end - p < (ptrdiff_t)sizeof(b) ||
		f->end - method.p < (ptrdiff_t)sizeof(a))
		return false;
	memcpy(&a, method.p, sizeof(a));
	memcpy(&b, p, sizeof(b));
	return (a ^ b) << (64 - 8 * method.len) == 0;
}

static void read_cseq(struct fields *f, struct str_view value)
{
	struct sip_index *idx = f->idx;
	struct sip_cseq cseq;
	uint64_t number;
	size_t n = decimal_span(value, &number);

	if (n > 0 && number <= INT32_MAX && same_method(f, value, n)) {
		idx->cseq = (uint32_t)number;
		return;
	}
	if (sip_cseq_parse(value, &cseq) != 0) {
		fail(f, SIP_SCAN_CSEQ);
		return;
	}
	idx->cseq = cseq.number;
	if (idx->status != 0) {
		idx->method_text = span_of(f, cseq.method);
		idx->method = (uint8_t)sip_method_parse(cseq.method);
	} else if (!sv_eq(cseq.method, sip_span_view(f->buf, idx->method_text))) {
		fail(f, SIP_SCAN_CSEQ);
	}
}

static void read_via(struct fields *f, struct str_view value)
{
	struct sip_via via;
	struct str_view item;

	/* No plain one holds a comma. */
	if (!sip_plain_via(value, &via) &&
		(!sip_list_next(&value, &item) || sip_via_parse(item, &via) != 0)) {
		fail(f, SIP_SCAN_VIA);
		return;
	}
	if (via.branch.len > 0)
		f->idx->branch = span_of(f, via.branch);
}

/* ";tag=" and a token, alone. */
static inline bool tag_plain(struct str_view params, struct str_view *tag)
{
	uint32_t head;

	if (params.len < 6 || params.p[4] != '=')
		return false;
	memcpy(&head, params.p, sizeof(head));
	if ((head | 0x20202000) != (';' | 't' << 8 | 'a' << 16 | (uint32_t)'g' << 24))
		return false;
	*tag = (struct str_view){params.p + 5, params.len - 5};
	return sip_chars_all(*tag, CHAR_TOKEN);
}

/* From or To: readable, and at most one tag, which is a token. */
static bool read_tag(struct fields *f, struct str_view value, struct sip_span *tag)
{
	struct str_view text = {NULL, 0};
	struct sip_name_addr na;

	if (!sip_plain_name_addr(value, &na) ||
		(na.params.len > 0 && !tag_plain(na.params, &text))) {
		if (sip_tag_read(value, &text) != 0)
			fail(f, SIP_SCAN_FROM_TO);
	}
	if (text.p != NULL)
		*tag = span_of(f, text);
	return text.p != NULL;
}

enum sip_scan_error sip_scan_fields(const char *buf, struct sip_index *idx)
{
	struct fields f = {.buf = buf, .end = buf + idx->msg_len, .idx = idx};
	struct str_view via, from, to, cseq;
	struct sip_headers h;

	sip_headers_read(idx, &h);
	via = sip_headers_first(buf, idx, &h, SIP_HDR_VIA);
	from = sip_headers_first(buf, idx, &h, SIP_HDR_FROM);
	to = sip_headers_first(buf, idx, &h, SIP_HDR_TO);
	cseq = sip_headers_first(buf, idx, &h, SIP_HDR_CSEQ);
	idx->from_tag = idx->to_tag = idx->branch = (struct sip_span){0, 0};
	idx->has_to_tag = 0;
	read_body(&f, sip_headers_first(buf, idx, &h, SIP_HDR_CONTENT_LENGTH));
	if (cseq.p != NULL)
		read_cseq(&f, cseq);
	if (via.p != NULL)
		read_via(&f, via);
	if (from.p != NULL)
		(void)read_tag(&f, from, &idx->from_tag);
	if (to.p != NULL)
		idx->has_to_tag = read_tag(&f, to, &idx->to_tag);
	return (enum sip_scan_error)idx->error;
}

enum sip_scan_error sip_scan(const char *buf, size_t len, struct sip_index *idx)
{
	enum sip_scan_error error = sip_scan_lines(buf, len, idx);

	return error == SIP_SCAN_TOO_LONG || error == SIP_SCAN_EMPTY ? error
								     : sip_scan_fields(buf, idx);
}
