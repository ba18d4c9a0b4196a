#include "sip_oc.h"

#include "find.h"

#define SEQ_UNIT 100000u /* oc-seq has at most five digits behind its point */
#define VALIDITY_DEFAULT_MS 500
#define VALIDITY_MAX_MS 3600000 /* nobody stops our calls for longer than an hour */
#define RATE_MAX 1000000

/* Parameters of the topmost Via. */
static struct str_view via_params(const struct sip_msg *m)
{
	const struct sip_top_via *top = sip_msg_top_via(m);

	return top != NULL ? top->via.params : (struct str_view){NULL, 0};
}

bool sip_oc_is_offered(const struct sip_msg *req)
{
	struct str_view params = via_params(req), value;

	return params.len > 0 && sip_param_find(params, SV("oc"), &value);
}

/* 1*12DIGIT "." 1*5DIGIT; 0 for what is none. */
static uint64_t seq_parse(struct str_view text)
{
	uint64_t v = 0, unit = SEQ_UNIT;
	size_t i = 0, whole;

	for (; i < text.len && text.p[i] >= '0' && text.p[i] <= '9'; i++)
		v = 10 * v + (uint64_t)(text.p[i] - '0');
	whole = i;
	if (whole == 0 || whole > 12)
		return 0;
	v *= SEQ_UNIT;
	if (i < text.len && text.p[i] == '.')
		for (i++; i < text.len && text.p[i] >= '0' && text.p[i] <= '9' && unit > 1; i++)
			v += (uint64_t)(text.p[i] - '0') * (unit /= 10);
	return i == text.len ? v : 0;
}

/* Nearly always there is nothing to be taken apart. */
static bool may_have_oc(struct str_view line)
{
	for (;;) {
		size_t n = sv_find(line, ';') + 1;

		while (n < line.len && line.p[n] <= ' ')
			n++;
		if (n >= line.len)
			return false;
		if ((line.p[n] | 0x20) == 'o')
			return true;
		line = (struct str_view){line.p + n, line.len - n};
	}
}

bool sip_oc_read(const struct sip_msg *resp, struct sip_oc *out)
{
	struct str_view line = sip_msg_header(resp, SIP_HDR_VIA, 0), params, value;

	if (line.p == NULL || !may_have_oc(line))
		return false;
	params = via_params(resp);
	if (params.len == 0 || !sip_param_find(params, SV("oc"), &value) || value.p == NULL)
		return false;
	*out = (struct sip_oc){.algo = SIP_OC_LOSS, .validity_ms = VALIDITY_DEFAULT_MS};
	if (sip_uint_parse(value, RATE_MAX, &out->value) != 0)
		return false;
	if (sip_param_find(params, SV("oc-algo"), &value) && value.p != NULL) {
		if (sv_eq_nocase(value, SV("rate")))
			out->algo = SIP_OC_RATE;
		else if (!sv_eq_nocase(value, SV("loss")))
			return false;
	}
	if (out->algo == SIP_OC_LOSS && out->value > 100)
		return false;
	if (sip_param_find(params, SV("oc-validity"), &value) && value.p != NULL &&
		sip_uint_parse(value, VALIDITY_MAX_MS, &out->validity_ms) != 0)
		return false;
	if (sip_param_find(params, SV("oc-seq"), &value) && value.p != NULL)
		out->seq = seq_parse(value);
	return true;
}

void sip_oc_write(struct sip_writer *w, const struct sip_oc *oc)
{
	sip_write_fmt(w, ";oc=%u;oc-algo=\"%s\";oc-validity=%u;oc-seq=%llu.%05llu", oc->value,
		oc->algo == SIP_OC_RATE ? "rate" : "loss", oc->validity_ms,
		(unsigned long long)(oc->seq / SEQ_UNIT), (unsigned long long)(oc->seq % SEQ_UNIT));
}

bool sip_oc_is_param(struct str_view name)
{
	static const struct str_view names[] = {
		{"oc", 2}, {"oc-algo", 7}, {"oc-validity", 11}, {"oc-seq", 6}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (sv_eq_nocase(name, names[i]))
			return true;
	return false;
}
