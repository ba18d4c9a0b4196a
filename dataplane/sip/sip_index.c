/*
 * Use of an index: the check of one that came from another process, and finding
 * header lines in it.
 */
#include <errno.h>

#include "sip_parse.h"
#include "sip_simd_priv.h"

static bool span_fits(struct sip_span s, size_t len)
{
	return (size_t)s.off + s.len <= len;
}

static bool ref_fits(const struct sip_header_ref *ref, size_t len)
{
	return ref->id < SIP_HDR_COUNT && ref->name_len > 0 &&
	       (size_t)ref->name_off + ref->name_len <= len &&
	       ref->value_len <= SIP_HEADER_LEN_MAX &&
	       (size_t)ref->value_off + ref->value_len <= len;
}

int sip_index_check(const struct sip_index *idx, size_t idx_len, size_t msg_len)
{
	size_t len, vias = 0;

	if (idx_len < SIP_INDEX_LEN(0) || idx->n_headers > SIP_HEADERS_MAX ||
		idx_len < SIP_INDEX_LEN(idx->n_headers) || idx->msg_len > msg_len)
		return -EBADMSG;
	len = idx->msg_len;
	if (!span_fits(idx->body, len))
		return -EBADMSG;
	/* sip_scan_fields() may cut the message off behind its start. */
	if (idx->body.off != 0)
		len = idx->body.off;
	if (idx->status != 0 && (idx->status < 100 || idx->status > 699))
		return -EBADMSG;
	if (idx->method >= SIP_METHOD_COUNT || idx->error >= SIP_SCAN_COUNT ||
		idx->has_to_tag > 1 || idx->cseq > INT32_MAX)
		return -EBADMSG;
	if (!span_fits(idx->method_text, len) || !span_fits(idx->uri, len) ||
		!span_fits(idx->reason, len) || !span_fits(idx->call_id, len) ||
		!span_fits(idx->from_tag, len) || !span_fits(idx->to_tag, len) ||
		!span_fits(idx->branch, len))
		return -EBADMSG;
	for (unsigned int i = 0; i < idx->n_headers; i++) {
		if (!ref_fits(&idx->headers[i], len))
			return -EBADMSG;
		vias += idx->headers[i].id == SIP_HDR_VIA;
	}
	return vias == idx->n_vias ? 0 : -EBADMSG;
}

static struct str_view ref_value(const char *buf, const struct sip_header_ref *ref)
{
	return (struct str_view){buf + ref->value_off, ref->value_len};
}

#if defined(__AVX2__)
/* Which of the four lines from ref on have this id: a bit each. The id is the fourth byte of eight.
 */
static inline uint64_t four_with(const struct sip_header_ref *ref, enum sip_header_id id)
{
	const __m256i mask = _mm256_set1_epi64x(0xff000000);
	const __m256i wanted = _mm256_set1_epi64x((long long)((uint64_t)id << 24));
	__m256i four = _mm256_and_si256(sip_load32((const char *)ref), mask);

	static_assert(offsetof(struct sip_header_ref, id) == 3, "where it is looked for");
	return (uint64_t)(uint32_t)_mm256_movemask_pd(
		_mm256_castsi256_pd(_mm256_cmpeq_epi64(four, wanted)));
}
#endif

/* Which of n lines, at most 64, have this id: a bit each. No branch depends on where. */
static inline uint64_t lines_with(
	const struct sip_header_ref *ref, unsigned int n, enum sip_header_id id)
{
	uint64_t bits = 0;
	unsigned int i = 0;

#if defined(__AVX2__)
	if (n >= 4) {
		for (; i + 4 < n; i += 4)
			bits |= four_with(&ref[i], id) << i;
		return bits | four_with(&ref[n - 4], id) << (n - 4);
	}
#endif
	for (; i < n; i++)
		bits |= (uint64_t)(ref[i].id == id) << i;
	return bits;
}

struct str_view sip_header_find(
	const char *buf, const struct sip_index *idx, enum sip_header_id id, unsigned int n)
{
	/* The topmost Via is mostly the first line. */
	if (n == 0 && idx->n_headers > 0 && idx->headers[0].id == id)
		return ref_value(buf, &idx->headers[0]);
	for (unsigned int from = 0; from < idx->n_headers; from += 64) {
		unsigned int left = idx->n_headers - from;
		uint64_t bits = lines_with(&idx->headers[from], left < 64 ? left : 64, id);

		for (; bits != 0 && n > 0; n--)
			bits &= bits - 1;
		if (bits != 0)
			return ref_value(
				buf, &idx->headers[from + (unsigned int)__builtin_ctzll(bits)]);
	}
	return (struct str_view){NULL, 0};
}

void sip_headers_read(const struct sip_index *idx, struct sip_headers *out)
{
	static_assert(SIP_HEADERS_MAX <= UINT8_MAX, "sip_headers.line");
	memset(out, 0, sizeof(*out));
	/* The earlier line stays. */
	for (size_t i = idx->n_headers; i > 0; i--)
		out->line[idx->headers[i - 1].id] = (uint8_t)i;
}

struct str_view sip_header_find_name(
	const char *buf, const struct sip_index *idx, struct str_view name, unsigned int n)
{
	enum sip_header_id id = sip_header_id_parse(name);

	if (id != SIP_HDR_OTHER)
		return sip_header_find(buf, idx, id, n);
	for (unsigned int i = 0; i < idx->n_headers; i++) {
		const struct sip_header_ref *ref = &idx->headers[i];

		if (ref->id == SIP_HDR_OTHER &&
			sv_eq_nocase(name, (struct str_view){buf + ref->name_off, ref->name_len}) &&
			n-- == 0)
			return ref_value(buf, ref);
	}
	return (struct str_view){NULL, 0};
}
