/*
 * Stage 1: start line, header lines, then the few fields that policing, sharding
 * and error answers need. Everything kept is an offset into the message.
 */
#include "sip_chars_priv.h"
#include "sip_line_priv.h"
#include "sip_names_priv.h"
#include "sip_parse.h"
#include "sip_plain_priv.h"

#define METHOD_LEN_MAX 64 /* ours; the longest registered method has 9 letters */
#define CRLF 0x0a0d	  /* as a number in this byte order */
#define STATUS_MIN 100
#define STATUS_MAX 699

struct scan {
	const char *buf;
	const char *end;
	struct sip_index *idx;
	uint64_t seen;		      /* bit per enum sip_header_id */
	uint8_t first[SIP_HDR_COUNT]; /* index of the first header line, where seen */
};
static_assert(SIP_HDR_COUNT <= 64, "bits of scan.seen");
static_assert(SIP_HEADERS_MAX <= UINT8_MAX, "scan.first, sip_index.n_vias");

#define HEADER_ONCE(id, name, compact, several) | ((uint64_t) !(several) << SIP_HDR_##id)
static const uint64_t singletons = 0 SIP_HEADER_LIST(HEADER_ONCE);

static void fail(struct scan *s, enum sip_scan_error error)
{
	if (s->idx->error == SIP_SCAN_NONE)
		s->idx->error = (uint8_t)error;
}

static struct sip_span span_of(const struct scan *s, struct str_view v)
{
	return (struct sip_span){(uint16_t)(v.p - s->buf), (uint16_t)v.len};
}

/* @return SIP_SCAN_NONE for SIP/2.0 (any case), VERSION for another SIP/x.y, else START_LINE. */
static enum sip_scan_error version_check(struct str_view v)
{
	size_t major, minor;

	if (sv_eq(v, SV("SIP/2.0")))
		return SIP_SCAN_NONE;
	if (v.len < 4 || !sv_eq_nocase((struct str_view){v.p, 4}, SV("SIP/")))
		return SIP_SCAN_START_LINE;
	sip_view_skip(&v, 4);
	if (sv_eq(v, SV("2.0")))
		return SIP_SCAN_NONE;
	major = sip_chars_span(v, CHAR_DIGIT);
	sip_view_skip(&v, major);
	if (major == 0 || v.len == 0 || v.p[0] != '.')
		return SIP_SCAN_START_LINE;
	sip_view_skip(&v, 1);
	minor = sip_chars_span(v, CHAR_DIGIT);
	return minor > 0 && minor == v.len ? SIP_SCAN_VERSION : SIP_SCAN_START_LINE;
}

/* Take what stands before the next SP off v, and that SP. */
static bool word_take(struct str_view *v, struct str_view *word)
{
	const char *sp = v->len > 0 ? memchr(v->p, ' ', v->len) : NULL;

	if (sp == NULL)
		return false;
	*word = sip_view_take(v, (size_t)(sp - v->p));
	sip_view_skip(v, 1);
	return true;
}

/* Status-Line = SIP-Version SP 3DIGIT SP Reason-Phrase. The SP behind the code is often left out
 * when there is no reason. */
static void scan_status_line(struct scan *s, struct str_view line)
{
	struct str_view version, code;
	enum sip_scan_error error;
	uint32_t status;

	/* A bad one has to stay known as a response: those are never answered. */
	s->idx->status = STATUS_MAX;
	if (!word_take(&line, &version)) {
		fail(s, SIP_SCAN_START_LINE);
		return;
	}
	error = version_check(version);
	if (error != SIP_SCAN_NONE)
		fail(s, error);
	if (!word_take(&line, &code)) {
		code = line;
		line.len = 0;
	}
	if (code.len != 3 || sip_uint_parse(code, STATUS_MAX, &status) != 0 ||
		status < STATUS_MIN) {
		fail(s, SIP_SCAN_START_LINE);
		return;
	}
	s->idx->status = (uint16_t)status;
	if (line.len > SIP_HEADER_LEN_MAX)
		fail(s, SIP_SCAN_START_LINE);
	else if (line.len > 0)
		s->idx->reason = span_of(s, line);
}

/* Request-Line = Method SP Request-URI SP SIP-Version, with single SPs (RFC 3261 section 7.1). */
static void scan_request_line(struct scan *s, struct str_view line)
{
	struct str_view method, uri;
	enum sip_scan_error error;

	if (!word_take(&line, &method) || !sip_is_token(method) || method.len > METHOD_LEN_MAX) {
		fail(s, SIP_SCAN_START_LINE);
		return;
	}
	s->idx->method_text = span_of(s, method);
	s->idx->method = (uint8_t)sip_method_parse(method);
	if (!word_take(&line, &uri) || uri.len == 0 || memchr(uri.p, '\t', uri.len) != NULL) {
		fail(s, SIP_SCAN_START_LINE);
		return;
	}
	s->idx->uri = span_of(s, uri);
	error = version_check(line);
	if (error != SIP_SCAN_NONE)
		fail(s, error);
}

static inline bool is_crlf(const char *p)
{
	uint16_t two;

	memcpy(&two, p, sizeof(two));
	return two == CRLF;
}

static const char *scan_start_line(struct scan *s, const char *p, const struct sip_line_ends *ends)
{
	struct sip_line line;

	if (ends->n > 0 && s->end - p >= ends->at[0] + 2 && is_crlf(p + ends->at[0])) {
		line = (struct sip_line){.text = {p, ends->at[0]}, .ended = true};
		line.next = p + ends->at[0] + 2;
	} else if (!sip_line_read(p, s->end, false, &line)) {
		return s->end;
	}
	if (!line.ended)
		fail(s, SIP_SCAN_START_LINE);
	if (line.bad_char)
		fail(s, SIP_SCAN_START_LINE);
	else if (line.text.len >= 4 && line.text.p[3] == '/' &&
		 sv_eq_nocase((struct str_view){line.text.p, 3}, SV("SIP")))
		scan_status_line(s, line.text);
	else
		scan_request_line(s, line.text);
	return line.next;
}

/* Header line number n. @return s->seen with it; the caller keeps both, and writes them back. */
static inline uint64_t header_add(struct scan *s, uint64_t seen, unsigned int n,
	enum sip_header_id id, struct str_view name, struct str_view value)
{
	uint64_t bit = 1ULL << id;

	if (id == SIP_HDR_OTHER)
		bit = 0;
	else if ((seen & bit) == 0)
		s->first[id] = (uint8_t)n;
	else if ((singletons & bit) != 0)
		fail(s, SIP_SCAN_SINGLETON);
	if (id == SIP_HDR_VIA)
		s->idx->n_vias++;
	s->idx->headers[n] = (struct sip_header_ref){
		.name_off = (uint16_t)(name.p - s->buf),
		.name_len = (uint8_t)name.len,
		.id = (uint8_t)id,
		.value_off = (uint16_t)(value.p - s->buf),
		.value_len = (uint16_t)value.len,
	};
	return seen | bit;
}

static void scan_header(struct scan *s, const struct sip_line *line)
{
	struct str_view name, value;

	/* What is wrong in itself is not kept: nothing later may echo it. */
	if (line->bad_char) {
		fail(s, SIP_SCAN_NUL);
		return;
	}
	if (!sip_line_split(line->text, &name, &value) || name.len > UINT8_MAX) {
		fail(s, SIP_SCAN_HEADER_LINE);
		return;
	}
	if (value.len > SIP_HEADER_LEN_MAX) {
		fail(s, SIP_SCAN_HEADER_LONG);
		return;
	}
	s->seen =
		header_add(s, s->seen, s->idx->n_headers++, sip_header_id_parse(name), name, value);
}

#if defined(__AVX2__)
/* The header line at p, if it is as they mostly are: "Name: value" CRLF and no folding.
 * @param to   first control character of it.
 * @return false: nothing is known of it then. */
static inline bool line_plain(const char *p, const char *to, const char *end,
	enum sip_header_id *id, struct str_view *name, struct str_view *value)
{
	__m256i x = sip_load32(p);
	size_t len = (size_t)__builtin_ia32_tzcnt_u32(sip_bits_of(x, ':'));
	const char *from = p + len + 1;

	/* There is a character behind its end, so that it is known not to be folded. */
	if (len - 1 >= 31 || end - to < 3 || to < from || !is_crlf(to) || to[2] == ' ' ||
		to[2] == '\t')
		return false;
	from += *from == ' ';
	/* An empty value is its own line end. */
	if ((unsigned char)*from <= ' ' || (unsigned char)to[-1] <= ' ' ||
		to - from > SIP_HEADER_LEN_MAX)
		return false;
	*id = sip_name_find(x, p, len);
	*name = (struct str_view){p, len};
	*value = (struct str_view){from, (size_t)(to - from)};
	return *id != SIP_HDR_OTHER || ~sip_class_bits(x, CHAR_TOKEN) << (32 - len) == 0;
}
#endif

/* Header lines from p on, while they are plain ones. @return the first line that is not. */
static const char *scan_plain_headers(
	struct scan *s, const char *p, const char *start, struct sip_line_ends *ends)
{
#if defined(__AVX2__)
	const char *end = s->end;
	unsigned int i = ends->next, n = s->idx->n_headers;
	uint64_t seen = s->seen;

	for (; i < ends->n && n < SIP_HEADERS_MAX; i++) {
		const char *to = start + ends->at[i];
		struct str_view name, value;
		enum sip_header_id id;

		if (to < p)
			continue;
		if (!sip_can_load32(p, end) || !line_plain(p, to, end, &id, &name, &value))
			break;
		seen = header_add(s, seen, n++, id, name, value);
		p = to + 2;
	}
	ends->next = i;
	s->seen = seen;
	s->idx->n_headers = (uint16_t)n;
#endif
	return p;
}

/* @return start of the body, or NULL if the header lines do not end. */
static const char *scan_headers(
	struct scan *s, const char *p, const char *start, struct sip_line_ends *ends)
{
	struct sip_line line;

	while (true) {
		p = scan_plain_headers(s, p, start, ends);
		if (s->end - p >= 2 && is_crlf(p))
			return p + 2;
		if (!sip_line_read(p, s->end, true, &line))
			break;
		p = line.next;
		if (line.ended && line.text.len == 0)
			return p;
		if (!line.ended) {
			/* Cut off in the middle: half a value is not kept. */
			break;
		}
		if (s->idx->n_headers == SIP_HEADERS_MAX) {
			fail(s, SIP_SCAN_HEADERS_MANY);
			return NULL;
		}
		scan_header(s, &line);
	}
	fail(s, SIP_SCAN_NO_END);
	return NULL;
}

/* First header line with this id; p NULL when there is none. */
static struct str_view first_value(const struct scan *s, enum sip_header_id id)
{
	const struct sip_header_ref *ref;

	if ((s->seen & (1ULL << id)) == 0)
		return (struct str_view){NULL, 0};
	ref = &s->idx->headers[s->first[id]];
	return (struct str_view){s->buf + ref->value_off, ref->value_len};
}

/* RFC 3261 section 18.3. */
static void scan_body(struct scan *s, const char *body)
{
	struct str_view cl = first_value(s, SIP_HDR_CONTENT_LENGTH);
	size_t have = (size_t)(s->end - body);
	uint32_t want;

	if (cl.p != NULL) {
		if (sip_uint_parse(cl, SIP_MSG_LEN_MAX, &want) != 0 || want > have)
			fail(s, SIP_SCAN_CONTENT_LENGTH);
		else
			have = want;
	}
	if (have > 0)
		s->idx->body = span_of(s, (struct str_view){body, have});
	s->idx->msg_len = (uint16_t)((size_t)(body - s->buf) + have);
}

/* callid = word [ "@" word ] */
static void scan_call_id(struct scan *s, struct str_view value)
{
	size_t n = sip_chars_span(value, CHAR_WORD);
	struct str_view rest = value;

	sip_view_skip(&rest, n);
	if (n > 0 && rest.len > 1 && rest.p[0] == '@') {
		sip_view_skip(&rest, 1);
		sip_view_skip(&rest, sip_chars_span(rest, CHAR_WORD));
	}
	if (n == 0 || rest.len > 0)
		fail(s, SIP_SCAN_CALL_ID);
	else
		s->idx->call_id = span_of(s, value);
}

static void scan_cseq(struct scan *s, struct str_view value)
{
	struct sip_index *idx = s->idx;
	struct sip_cseq cseq;

	if (sip_cseq_parse(value, &cseq) != 0) {
		fail(s, SIP_SCAN_CSEQ);
		return;
	}
	idx->cseq = cseq.number;
	if (idx->status != 0) {
		idx->method_text = span_of(s, cseq.method);
		idx->method = (uint8_t)sip_method_parse(cseq.method);
	} else if (!sv_eq(cseq.method, sip_span_view(s->buf, idx->method_text))) {
		fail(s, SIP_SCAN_CSEQ);
	}
}

static void scan_via(struct scan *s, struct str_view value)
{
	struct sip_via via;
	struct str_view item;

	if (sip_plain_via(value, s->end, &item)) {
		if (item.p != NULL)
			s->idx->branch = span_of(s, item);
		return;
	}
	if (!sip_list_next(&value, &item) || sip_via_parse(item, &via) != 0) {
		fail(s, SIP_SCAN_VIA);
		return;
	}
	if (via.branch.len > 0)
		s->idx->branch = span_of(s, via.branch);
}

/* From or To: readable, and at most one tag, which is a token. */
static bool scan_tag(struct scan *s, struct str_view value, struct sip_span *tag)
{
	struct str_view text;
	struct sip_name_addr na;
	struct sip_param param;
	bool bad = false;
	int got;

	if (sip_plain_tag(value, s->end, &text)) {
		if (text.p != NULL)
			*tag = span_of(s, text);
		return text.p != NULL;
	}
	text.p = NULL;
	if (sip_name_addr_take(value, &na) != 0 || na.star) {
		fail(s, SIP_SCAN_FROM_TO);
		return false;
	}
	while ((got = sip_param_next(&na.params, &param)) > 0) {
		if (param.name.len != 3 || !sv_eq_nocase(param.name, SV("tag")))
			continue;
		if (bad || text.p != NULL || !sip_is_token(param.value))
			bad = true;
		else
			text = param.value;
	}
	if (got < 0 || bad)
		fail(s, SIP_SCAN_FROM_TO);
	if (got < 0 || text.p == NULL)
		return false;
	*tag = span_of(s, text);
	return !bad;
}

static void scan_fields(struct scan *s)
{
	struct str_view via = first_value(s, SIP_HDR_VIA), from = first_value(s, SIP_HDR_FROM);
	struct str_view to = first_value(s, SIP_HDR_TO), call_id = first_value(s, SIP_HDR_CALL_ID);
	struct str_view cseq = first_value(s, SIP_HDR_CSEQ);

	if (via.p == NULL || from.p == NULL || to.p == NULL || call_id.p == NULL || cseq.p == NULL)
		fail(s, SIP_SCAN_MISSING);
	if (call_id.p != NULL)
		scan_call_id(s, call_id);
	if (cseq.p != NULL)
		scan_cseq(s, cseq);
	if (via.p != NULL)
		scan_via(s, via);
	if (from.p != NULL)
		scan_tag(s, from, &s->idx->from_tag);
	if (to.p != NULL)
		s->idx->has_to_tag = scan_tag(s, to, &s->idx->to_tag);
}

enum sip_scan_error sip_scan(const char *buf, size_t len, struct sip_index *idx)
{
	struct scan s = {.buf = buf, .end = buf, .idx = idx};
	const char *p, *start, *body;
	struct sip_line_ends ends;

	memset(idx, 0, offsetof(struct sip_index, headers));
	if (len > SIP_MSG_LEN_MAX) {
		idx->error = SIP_SCAN_TOO_LONG;
		return SIP_SCAN_TOO_LONG;
	}
	if (len > 0)
		s.end = buf + len;
	idx->msg_len = (uint16_t)len;
	p = sip_line_skip_empty(buf, s.end);
	if (p == s.end) {
		idx->error = SIP_SCAN_EMPTY;
		return SIP_SCAN_EMPTY;
	}
	start = p;
	sip_line_ends_find(&ends, start, s.end);
	p = scan_start_line(&s, start, &ends);
	body = scan_headers(&s, p, start, &ends);
	if (body != NULL)
		scan_body(&s, body);
	scan_fields(&s);
	return (enum sip_scan_error)idx->error;
}
