/*
 * Stage 1, its first half: start line, header lines, and what policing and sharding need.
 * Everything kept is an offset into the message.
 */
#include "sip_chars_priv.h"
#include "sip_line_priv.h"
#include "sip_names_priv.h"
#include "sip_parse.h"
#include "sip_peek_priv.h"
#include "sip_text64_priv.h"

#define METHOD_LEN_MAX 64 /* ours; the longest registered method has 9 letters */
#define CRLF 0x0a0d	  /* as a number in this byte order */
#define STATUS_MIN 100
#define STATUS_MAX 699

struct scan {
	const char *buf;
	const char *end;
	struct sip_index *idx;
	uint64_t seen;		   /* bit per enum sip_header_id */
	uint64_t again;		   /* likewise: seen more than once */
	uint8_t at[SIP_HDR_COUNT]; /* index of the last header line, where seen */
};
static_assert(SIP_HDR_COUNT <= 64, "bits of scan.seen");
static_assert(SIP_HEADERS_MAX <= UINT8_MAX, "scan.at, sip_index.n_vias");

#define HEADER_ONCE(id, name, compact, several) | ((uint64_t) !(several) << SIP_HDR_##id)
static const uint64_t singletons = 0 SIP_HEADER_LIST(HEADER_ONCE);

#define BIT(id) (1ULL << SIP_HDR_##id)
static const uint64_t mandatory = BIT(VIA) | BIT(FROM) | BIT(TO) | BIT(CALL_ID) | BIT(CSEQ);

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

#if defined(__AVX2__)
#define VERSION_SP 0x20302e322f504953 /* "SIP/2.0 ", as sip_load8() has it */
#define SP_VERSION 0x302e322f50495320 /* " SIP/2.0" */

#define START_LINE_MAX 128

/* How many of the first len characters are SP. All 64 that len reaches into can be loaded; it is
 * START_LINE_MAX at most.
 * @param first  where the first of them is; 64 or more: not among the first 64. */
static inline unsigned int spaces_count(const char *p, size_t len, unsigned int *first)
{
	uint64_t low = sip_bits_of(sip_load32(p), ' ') |
		       (uint64_t)sip_bits_of(sip_load32(p + 32), ' ') << 32;
	unsigned int n = 0;

	*first = (unsigned int)__builtin_ia32_tzcnt_u64(low);
	if (len > 64) {
		uint64_t high = sip_bits_of(sip_load32(p + 64), ' ') |
				(uint64_t)sip_bits_of(sip_load32(p + 96), ' ') << 32;

		n = (unsigned int)__builtin_popcountll(_bzhi_u64(high, (unsigned int)len - 64));
	} else {
		low = _bzhi_u64(low, (unsigned int)len);
	}
	return n + (unsigned int)__builtin_popcountll(low);
}

/* A start line as they mostly are. There are no control characters in it.
 * @return false: nothing is known of it. */
static inline bool start_line_plain(struct scan *s, struct str_view line)
{
	struct sip_index *idx = s->idx;
	unsigned int at, to;
	enum sip_method method;

	if (line.len < 13 || line.len > START_LINE_MAX ||
		!load_fits(line.p, s->end, line.len > 64 ? 128 : 64))
		return false;
	if (sip_load8(line.p) == VERSION_SP) {
		unsigned int a = (unsigned char)line.p[8] - '0', b = (unsigned char)line.p[9] - '0',
			     c = (unsigned char)line.p[10] - '0';

		if (a - 1 > 5 || b > 9 || c > 9 || line.p[11] != ' ')
			return false;
		idx->status = (uint16_t)(100 * a + 10 * b + c);
		idx->reason = span_of(s, (struct str_view){line.p + 12, line.len - 12});
		return true;
	}
	if (spaces_count(line.p, line.len, &at) != 2 ||
		sip_load8(line.p + line.len - 8) != SP_VERSION)
		return false;
	to = (unsigned int)line.len - 8;
	if (at + 1 >= to)
		return false;
	method = sip_method_parse((struct str_view){line.p, at});
	if (method == SIP_METHOD_OTHER || method == SIP_METHOD_NONE)
		return false;
	idx->method = (uint8_t)method;
	idx->method_text = span_of(s, (struct str_view){line.p, at});
	idx->uri = span_of(s, (struct str_view){line.p + at + 1, to - at - 1});
	return true;
}
#endif

static const char *scan_start_line(struct scan *s, const char *p, const struct sip_line_ends *ends)
{
	struct sip_line line;

#if defined(__AVX2__)
	if (ends->n > 0 && s->end - p >= ends->at[0] + 2 && is_crlf(p + ends->at[0]) &&
		start_line_plain(s, (struct str_view){p, ends->at[0]}))
		return p + ends->at[0] + 2;
#endif
	if (!sip_line_read(p, s->end, false, &line))
		return s->end;
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

static void header_add(
	struct scan *s, enum sip_header_id id, struct str_view name, struct str_view value)
{
	uint64_t bit = 1ULL << id;
	unsigned int n = s->idx->n_headers++;

	s->again |= s->seen & bit;
	s->seen |= bit;
	s->at[id] = (uint8_t)n;
	s->idx->headers[n] = (struct sip_header_ref){
		.name_off = (uint16_t)(name.p - s->buf),
		.name_len = (uint8_t)name.len,
		.id = (uint8_t)id,
		.value_off = (uint16_t)(value.p - s->buf),
		.value_len = (uint16_t)value.len,
	};
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
	header_add(s, sip_header_id_parse(name), name, value);
}

#if defined(__AVX2__)
/* Where a value begins, and what its name is: name_off, name_len and id as a sip_header_ref has
 * them. */
struct line_begin {
	uint32_t ref;
	uint32_t from; /* 0: it is no header line */
};

/* A name that we do not know, a compact one, or one without a blank behind the colon. */
static __attribute__((noinline)) struct line_begin name_read(
	const char *buf, size_t at, size_t to, size_t len)
{
	const struct str_view name = {buf + at, len};
	size_t from = at + len + 1;
	unsigned int id;

	if (len - 1 >= 31 || from >= to)
		return (struct line_begin){0, 0};
	id = sip_header_id_parse(name);
	if (id == SIP_HDR_OTHER && !sip_chars_all(name, CHAR_TOKEN))
		return (struct line_begin){0, 0};
	return (struct line_begin){
		(uint32_t)(at | len << 16 | id << 24), (uint32_t)(from + (buf[from] == ' '))};
}

/* The header line at `at` whose first control character is at `to`, if it is as they mostly are:
 * "Name: value" CRLF. @return its id, or SIP_HDR_COUNT: it is something else. */
static inline unsigned int line_plain(
	const char *buf, size_t at, size_t to, struct sip_header_ref *ref)
{
	__m256i x = sip_load32(buf + at);
	size_t len = __builtin_ia32_tzcnt_u32(sip_bits_of(x, ':')), from;
	uint32_t slot = sip_name_find(x, (uint32_t)len), begin;

	if (slot != SIP_NAME_SLOTS) {
		begin = (uint32_t)at | sip_names.begins[slot];
		from = at + len + 2;
	} else {
		struct line_begin other = name_read(buf, at, to, len);

		begin = other.ref;
		from = other.from;
		if (from == 0)
			return SIP_HDR_COUNT;
	}
	/* No blank stands at the ends of the value. It is not empty either: `to` is not in front of
	 * `from`, since there is no control character in a name that we know, or behind it. */
	if (!is_crlf(buf + to) || (unsigned char)buf[to - 1] <= ' ' ||
		(unsigned char)buf[from] <= ' ')
		return SIP_HDR_COUNT;
	static_assert(offsetof(struct sip_header_ref, name_len) == 2 &&
			      offsetof(struct sip_header_ref, id) == 3,
		"line_begin.ref");
	memcpy(ref, &begin, sizeof(begin));
	ref->value_off = (uint16_t)from;
	ref->value_len = (uint16_t)(to - from);
	return begin >> 24;
}

/*
 * All header lines at once, if each is a plain one and no empty line is in front; one that is
 * folded is not, since no name starts with a blank. Else nothing is done.
 * @return what follows the last of them, or NULL.
 */
static const char *scan_plain_headers(
	struct scan *s, const char *p, const char *start, const struct sip_line_ends *ends)
{
	const char *const buf = s->buf;
	struct sip_header_ref *ref = s->idx->headers;
	size_t n_ends = ends->n, at = (size_t)(p - buf);
	uint64_t seen = 0, again = 0;

	/* Behind each line there is another character at least, and no line starts behind the last
	 * end. */
	if (n_ends < 2 || n_ends > SIP_HEADERS_MAX || start != buf ||
		at != ends->at[0] + (size_t)2 || ends->at[n_ends - 1] > SIP_HEADER_LEN_MAX ||
		s->end - buf < ends->at[n_ends - 1] + 3 ||
		!sip_can_load32(buf + ends->at[n_ends - 1], s->end))
		return NULL;
	for (size_t i = 1; i < n_ends; i++, ref++) {
		size_t to = ends->at[i];
		unsigned int id = line_plain(buf, at, to, ref);
		uint64_t bit;

		if (id == SIP_HDR_COUNT) {
			/* Or a line of the body, behind the empty one. */
			if (is_crlf(buf + at))
				break;
			return NULL;
		}
		bit = 1ULL << id;
		again |= seen & bit;
		seen |= bit;
		s->at[id] = (uint8_t)(i - 1);
		at = to + 2;
	}
	s->seen = seen;
	s->again = again;
	s->idx->n_headers = (uint16_t)(ref - s->idx->headers);
	return buf + at;
}
#else
static const char *scan_plain_headers(
	struct scan *s, const char *p, const char *start, const struct sip_line_ends *ends)
{
	return NULL;
}
#endif

/* @return start of the body, or NULL if the header lines do not end. */
static const char *scan_headers(
	struct scan *s, const char *p, const char *start, const struct sip_line_ends *ends)
{
	const char *plain = scan_plain_headers(s, p, start, ends);
	struct sip_line line;

	if (plain != NULL && s->end - plain >= 2 && is_crlf(plain))
		return plain + 2;
	if (plain != NULL && *plain != ' ' && *plain != '\t')
		p = plain;
	else
		s->seen = s->again = s->idx->n_headers = 0;
	while (true) {
		if (!sip_line_read(p, s->end, true, &line))
			break;
		p = line.next;
		if (line.ended && line.text.len == 0) {
			if (line.bad_char)
				fail(s, SIP_SCAN_NUL);
			return p;
		}
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

/* The last header line with this id; p NULL when there is none. */
static struct str_view first_value(const struct scan *s, enum sip_header_id id)
{
	const struct sip_header_ref *ref;

	if ((s->seen & (1ULL << id)) == 0)
		return (struct str_view){NULL, 0};
	ref = &s->idx->headers[s->at[id]];
	return (struct str_view){s->buf + ref->value_off, ref->value_len};
}

/* callid = word [ "@" word ] */
static void scan_call_id(struct scan *s, struct str_view value)
{
	struct str_view rest = value;
	size_t n;

#if defined(__AVX2__)
	if (value.len - 1 < 63 && sip_can_load64(value.p, s->end)) {
		const struct sip_text64 t = {sip_load32(value.p), sip_load32(value.p + 32)};
		uint64_t others = _bzhi_u64(~sip_text64_class(t, CHAR_WORD), (uint32_t)value.len);

		/* None, or one that is neither the first nor the last. */
		if (others == 0 || ((others & (others - 1)) == 0 && (others & 1) == 0 &&
					   others >> (value.len - 1) == 0 &&
					   value.p[__builtin_ctzll(others)] == '@'))
			s->idx->call_id = span_of(s, value);
		else
			fail(s, SIP_SCAN_CALL_ID);
		return;
	}
#endif
	n = sip_chars_span(value, CHAR_WORD);
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

static uint8_t vias_count(const struct sip_index *idx)
{
	uint8_t n = 0;

	for (unsigned int i = 0; i < idx->n_headers; i++)
		n = (uint8_t)(n + (idx->headers[i].id == SIP_HDR_VIA));
	return n;
}

/* What must be there, and what the fast path reads of it. */
static void scan_police(struct scan *s)
{
	struct sip_index *idx = s->idx;
	struct str_view tag, call_id = first_value(s, SIP_HDR_CALL_ID);

	idx->n_vias = (uint8_t)(s->seen >> SIP_HDR_VIA & 1);
	if ((s->again & BIT(VIA)) != 0)
		idx->n_vias = vias_count(idx);
	if ((s->again & singletons) != 0)
		fail(s, SIP_SCAN_SINGLETON);
	if ((s->seen & mandatory) != mandatory)
		fail(s, SIP_SCAN_MISSING);
	if (call_id.p != NULL)
		scan_call_id(s, call_id);
	if (idx->status != 0) {
		if (sip_peek_tag(first_value(s, SIP_HDR_FROM), s->buf, &tag))
			idx->from_tag = span_of(s, tag);
	} else if (sip_peek_tag(first_value(s, SIP_HDR_TO), s->buf, &tag)) {
		idx->to_tag = span_of(s, tag);
		idx->has_to_tag = 1;
	}
}

enum sip_scan_error sip_scan_lines(const char *buf, size_t len, struct sip_index *idx)
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
		idx->body = span_of(&s, (struct str_view){body, (size_t)(s.end - body)});
	scan_police(&s);
	return (enum sip_scan_error)idx->error;
}
